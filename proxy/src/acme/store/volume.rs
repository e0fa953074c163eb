//! A folder on a volume, for one process at a time.
//!
//! One file holds one record. A new one is written beside it, brought to the disk and then given its name, so that there is
//! never a half of a record under a name; the certificate before stays as `….previous`. One process writes: it holds the lock, and its
//! fencing number, one higher than that of the process before, is in every record.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bailey_acme::budget::Budget;
use bailey_acme::names::CertificateId;
use bailey_acme::record::{Account, Certificate, Order, Record, Unreadable};
use sha2::{Digest, Sha256};

use super::{Contents, Disk, Files, StoreError, Unread};

#[cfg(test)]
mod tests;

const LOCK: &str = "lock";
const FENCE: &str = "fence";
const BUDGET: &str = "budget";
const PREVIOUS: &str = ".previous";
const NEW: &str = ".new-";
const BROKEN: &str = "broken-";
/// As large as a certificate with a long chain.
const PROBE: usize = 32 * 1024;

/// Certificates in a folder.
pub struct Volume<F: Files = Disk> {
    files: F,
    writer: Mutex<Option<Writer<F::Lock>>>,
}

/// The right to write.
struct Writer<L> {
    fence: u64,
    _lock: L,
}

/// What is kept.
#[derive(Clone, Copy)]
pub enum Item<'a> {
    /// A certificate with its key.
    Certificate(&'a CertificateId, &'a Certificate),
    /// How far an order has come.
    Order(&'a CertificateId, &'a Order),
    /// An account.
    Account(&'a Account),
    /// What was spent.
    Budget(&'a Budget),
}

impl<F: Files> Volume<F> {
    /// Opens a folder. That it cannot be written to now is no hindrance to reading it: [`Self::probe`] tells.
    pub fn open(files: F) -> Self {
        let volume = Self { files, writer: Mutex::default() };
        // Without the right to write the store is read; every write tries again to get it, and says why not.
        drop(volume.write());
        volume
    }

    /// Reads everything. What cannot be read is set aside, and the certificate before it taken in its place.
    pub fn load(&self) -> Result<Contents, StoreError> {
        let mut contents = Contents::default();
        let mut names = self.files.names().map_err(|source| failed("list", "the folder", source))?;
        names.sort_unstable();
        for name in &names {
            if let Some(id) = name.strip_prefix("certificate-") {
                // The one before comes into play only where the newer one is missing or broken.
                let id = id.strip_suffix(PREVIOUS).unwrap_or(id);
                let Some(id) = CertificateId::parse(id) else { continue };
                if !contents.certificates.contains_key(&id)
                    && let Some(certificate) = self.read(name, &mut contents.unreadable)?
                {
                    contents.certificates.insert(id, certificate);
                }
            } else if let Some(id) = name.strip_prefix("order-").and_then(CertificateId::parse) {
                if let Some(order) = self.read(name, &mut contents.unreadable)? {
                    contents.orders.insert(id, order);
                }
            } else if name.starts_with("account-") {
                if let Some(account) = self.read::<Account>(name, &mut contents.unreadable)? {
                    contents.accounts.insert(account.authority.clone(), account);
                }
            } else if name == BUDGET {
                contents.budget = self.read(name, &mut contents.unreadable)?;
            }
        }
        // A folder without any record was never used: nothing was spent.
        let used = names.iter().any(|name| name.starts_with("order-") || name.starts_with(BROKEN) || name == BUDGET);
        if !used {
            contents.budget = Some(Budget::default());
        }
        Ok(contents)
    }

    fn read<R: Record>(&self, name: &str, unreadable: &mut Vec<Unread>) -> Result<Option<R>, StoreError> {
        let bytes = match self.files.read(name) {
            Ok(bytes) => zeroize::Zeroizing::new(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(failed("read", name, source)),
        };
        match R::decode(&bytes) {
            Ok((record, _)) => Ok(Some(record)),
            Err(why) => {
                // Another release's record is whole: it is that release's to read.
                let broken = !matches!(why, Unreadable::Version(_));
                let aside = if broken { self.set_aside(name).ok() } else { None };
                unreadable.push(Unread { name: name.to_owned(), why, aside });
                Ok(None)
            }
        }
    }

    /// Gives a file a name that is never read and never written over.
    fn set_aside(&self, name: &str) -> Result<String, StoreError> {
        let fence = self.write()?.as_ref().map_or(0, |writer| writer.fence);
        let aside = format!("{BROKEN}{fence}-{name}");
        self.files.rename(name, &aside).map_err(|source| failed("set aside", name, source))?;
        Ok(aside)
    }

    /// Keeps something. When this returns it is on the disk.
    pub fn save(&self, item: Item<'_>) -> Result<(), StoreError> {
        let writer = self.write()?;
        let fence = writer.as_ref().map_or(0, |writer| writer.fence);
        match item {
            Item::Certificate(id, certificate) => {
                self.put(&format!("certificate-{id}"), &certificate.encode(fence), true)
            }
            Item::Order(id, order) => self.put(&format!("order-{id}"), &order.encode(fence), false),
            Item::Account(account) => self.put(&account_name(&account.authority), &account.encode(fence), false),
            Item::Budget(budget) => self.put(BUDGET, &budget.encode(fence), false),
        }
    }

    /// Deletes a certificate with the one before it and what is known of its order.
    pub fn delete(&self, id: &CertificateId) -> Result<(), StoreError> {
        let _writer = self.write()?;
        for name in [format!("certificate-{id}{PREVIOUS}"), format!("certificate-{id}"), format!("order-{id}")] {
            self.remove(&name)?;
        }
        self.files.sync_names().map_err(|source| failed("delete", id.as_str(), source))
    }

    /// Sees that something as large as a certificate can be written.
    pub fn probe(&self) -> Result<(), StoreError> {
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

fn account_name(authority: &str) -> String {
    let digest = Sha256::digest(authority);
    let head = digest[..8].iter().fold(0_u64, |head, byte| head << 8 | u64::from(*byte));
    format!("account-{head:016x}")
}

fn failed(action: &'static str, name: &str, source: io::Error) -> StoreError {
    StoreError::Io { action, name: name.to_owned(), source }
}
