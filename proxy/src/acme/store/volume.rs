//! A folder on a volume, for one process at a time.
//!
//! One file holds one record. A new one is written beside it, brought to the disk and then given its name, so that there is
//! never a half of a record under a name; the certificate before stays as `….previous`. One process writes: it holds the lock, and its
//! fencing number, one higher than that of the process before, is in every record.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bailey_acme::budget::Budget;
use bailey_acme::challenge::Proofs;
use bailey_acme::names::CertificateId;
use bailey_acme::record::Unreadable;
use tokio::sync::watch;

use super::{Changes, Contents, Disk, Files, Item, Name, Store, StoreError, Unread, Until};

#[cfg(test)]
mod tests;

const LOCK: &str = "lock";
const FENCE: &str = "fence";
const PREVIOUS: &str = ".previous";
const NEW: &str = ".new-";
const BROKEN: &str = "broken-";
/// As large as a certificate with a long chain.
const PROBE: usize = 32 * 1024;

/// Certificates in a folder. Clones are the same store.
pub struct Volume<F: Files = Disk> {
    folder: Arc<Folder<F>>,
    /// One process has a volume: it always leads.
    leads: watch::Sender<bool>,
}

/// What may block a thread.
struct Folder<F: Files> {
    files: F,
    writer: Mutex<Option<Writer<F::Lock>>>,
}

/// The right to write.
struct Writer<L> {
    fence: u64,
    _lock: L,
}

impl<F: Files> fmt::Debug for Volume<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Volume").finish_non_exhaustive()
    }
}

impl<F: Files + 'static> Volume<F> {
    /// Opens a folder. That it cannot be written to now is no hindrance to reading it: [`Store::probe`] tells.
    pub fn open(files: F) -> Self {
        Self { folder: Arc::new(Folder::open(files)), leads: watch::Sender::new(true) }
    }

    async fn blocking<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Folder<F>) -> Result<T, StoreError> + Send + 'static,
    {
        let folder = self.folder.clone();
        tokio::task::spawn_blocking(move || work(&folder)).await.map_err(|_| StoreError::Ending)?
    }
}

#[async_trait]
impl<F: Files + 'static> Store for Volume<F> {
    fn leads(&self) -> watch::Receiver<bool> {
        self.leads.subscribe()
    }

    async fn load(&self) -> Result<Contents, StoreError> {
        self.blocking(Folder::load).await
    }

    async fn save(&self, item: Item) -> Result<(), StoreError> {
        self.blocking(move |folder| folder.save(&item)).await
    }

    async fn delete(&self, id: CertificateId) -> Result<(), StoreError> {
        self.blocking(move |folder| folder.delete(&id)).await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.blocking(Folder::probe).await
    }

    async fn show(&self, _: Arc<Proofs>, _: Until) -> Result<Duration, StoreError> {
        // There is no other process that could answer.
        Ok(Duration::ZERO)
    }

    async fn changed(&self) -> Changes {
        std::future::pending().await
    }
}

impl<F: Files> Folder<F> {
    fn open(files: F) -> Self {
        let folder = Self { files, writer: Mutex::default() };
        // Without the right to write the store is read; every write tries again to get it, and says why not.
        drop(folder.write());
        folder
    }

    /// Reads everything. What cannot be read is set aside, and the certificate before it taken in its place.
    fn load(&self) -> Result<Contents, StoreError> {
        let mut contents = Contents { leads: true, ..Contents::default() };
        let mut files = self.files.names().map_err(|source| failed("list", "the folder", source))?;
        files.sort_unstable();
        for file in &files {
            let before = file.strip_suffix(PREVIOUS);
            let Some(name) = Name::parse(before.unwrap_or(file)) else { continue };
            // The one before comes into play only where the newer one is missing or broken.
            let newer = matches!(&name, Name::Certificate(id) if contents.certificates.contains_key(id));
            if before.is_none() || (matches!(name, Name::Certificate(_)) && !newer) {
                self.read(file, &name, &mut contents)?;
            }
        }
        // A folder without any record was never used: nothing was spent.
        let spent = |file: &String| {
            file.starts_with(BROKEN)
                || matches!(Name::parse(file), Some(Name::Certificate(_) | Name::Order(_) | Name::Budget))
        };
        if !files.iter().any(spent) {
            contents.budget = Some(Budget::default());
        }
        Ok(contents)
    }

    fn read(&self, file: &str, name: &Name, contents: &mut Contents) -> Result<(), StoreError> {
        let bytes = match self.files.read(file) {
            Ok(bytes) => zeroize::Zeroizing::new(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(failed("read", file, source)),
        };
        if let Err(why) = contents.take(name, &bytes) {
            // Another release's record is whole: it is that release's to read.
            let broken = !matches!(why, Unreadable::Version(_));
            let aside = if broken { self.set_aside(file).ok() } else { None };
            contents.unreadable.push(Unread { name: file.to_owned(), why, aside });
        }
        Ok(())
    }

    /// Gives a file a name that is never read and never written over.
    fn set_aside(&self, name: &str) -> Result<String, StoreError> {
        let fence = self.write()?.as_ref().map_or(0, |writer| writer.fence);
        let aside = format!("{BROKEN}{fence}-{name}");
        self.files.rename(name, &aside).map_err(|source| failed("set aside", name, source))?;
        Ok(aside)
    }

    /// Keeps something. When this returns it is on the disk.
    fn save(&self, item: &Item) -> Result<(), StoreError> {
        let writer = self.write()?;
        let fence = writer.as_ref().map_or(0, |writer| writer.fence);
        let name = item.name();
        if item.is_nothing() {
            self.remove(&name.to_string())?;
            return self.files.sync_names().map_err(|source| failed("delete", &name.to_string(), source));
        }
        self.put(&name.to_string(), &item.encode(fence), matches!(name, Name::Certificate(_)))
    }

    /// Deletes a certificate with the one before it and what is known of its order.
    fn delete(&self, id: &CertificateId) -> Result<(), StoreError> {
        let _writer = self.write()?;
        let (certificate, order) = (Name::Certificate(id.clone()), Name::Order(id.clone()));
        for file in [format!("{certificate}{PREVIOUS}"), certificate.to_string(), order.to_string()] {
            self.remove(&file)?;
        }
        self.files.sync_names().map_err(|source| failed("delete", id.as_str(), source))
    }

    /// Sees that something as large as a certificate can be written.
    fn probe(&self) -> Result<(), StoreError> {
        let _writer = self.write()?;
        let name = format!("{NEW}probe");
        self.write_new(&name, &vec![b'x'; PROBE])?;
        self.remove(&name)
    }

    /// The right to write; got here when nobody else has it.
    fn write(&self) -> Result<MutexGuard<'_, Option<Writer<F::Lock>>>, StoreError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        match &*writer {
            Some(known) => self.still_ours(known.fence)?,
            None => *writer = Some(self.take_over()?),
        }
        Ok(writer)
    }

    fn take_over(&self) -> Result<Writer<F::Lock>, StoreError> {
        let lock = self.files.lock(LOCK).map_err(|source| failed("lock", LOCK, source))?;
        let lock = lock.ok_or(StoreError::Taken)?;
        let fence = self.fence()?.saturating_add(1);
        self.put(FENCE, fence.to_string().as_bytes(), false)?;
        Ok(Writer { fence, _lock: lock })
    }

    /// File systems over a network may lose a lock.
    fn still_ours(&self, ours: u64) -> Result<(), StoreError> {
        let theirs = self.fence()?;
        if theirs > ours { Err(StoreError::Fenced { ours, theirs }) } else { Ok(()) }
    }

    fn fence(&self) -> Result<u64, StoreError> {
        match self.files.read(FENCE) {
            // A fence that is no number: every record says who wrote it, so beginning anew harms nothing.
            Ok(bytes) => Ok(std::str::from_utf8(&bytes).ok().and_then(|text| text.parse().ok()).unwrap_or(0)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(source) => Err(failed("read", FENCE, source)),
        }
    }

    fn put(&self, name: &str, bytes: &[u8], keep_previous: bool) -> Result<(), StoreError> {
        let new = format!("{NEW}{name}");
        self.write_new(&new, bytes)?;
        if keep_previous {
            match self.files.rename(name, &format!("{name}{PREVIOUS}")) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(failed("keep the one before", name, source)),
            }
        }
        self.files.rename(&new, name).map_err(|source| failed("name", name, source))?;
        self.files.sync_names().map_err(|source| failed("bring to the disk", name, source))
    }

    fn write_new(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        // Left over from a crash.
        self.remove(name)?;
        let mut file = self.files.create(name).map_err(|source| failed("create", name, source))?;
        self.files.write(&mut file, bytes).map_err(|source| failed("write", name, source))?;
        self.files.sync(&file).map_err(|source| failed("bring to the disk", name, source))
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        match self.files.remove(name) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(failed("delete", name, source)),
        }
    }
}

fn failed(action: &'static str, name: &str, source: io::Error) -> StoreError {
    StoreError::Io { action, name: name.to_owned(), source }
}
