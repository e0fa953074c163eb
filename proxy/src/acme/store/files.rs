//! The few calls that the volume makes of a file system, so that a test can let each of them fail.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A folder. Names are plain file names within it.
pub trait Files: Send + Sync {
    /// A file that is being written.
    type New: Send;
    /// What holds the lock for as long as it lives.
    type Lock: Send;

    /// The names in it.
    fn names(&self) -> io::Result<Vec<String>>;
    /// All of a file.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;
    /// A new file that nobody else may read; one that is there already is an error.
    fn create(&self, name: &str) -> io::Result<Self::New>;
    /// Writes all of it.
    fn write(&self, file: &mut Self::New, bytes: &[u8]) -> io::Result<()>;
    /// Waits until its content is on the disk.
    fn sync(&self, file: &Self::New) -> io::Result<()>;
    /// Gives it another name, in place of what has that name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Deletes it.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Waits until the names are on the disk.
    fn sync_names(&self) -> io::Result<()>;
    /// Locks the folder for this process; `None`: somebody else has.
    fn lock(&self, name: &str) -> io::Result<Option<Self::Lock>>;
}

/// A folder of the system's.
#[derive(Clone, Debug)]
pub struct Disk(PathBuf);

impl Disk {
    /// This folder, made if it is not there.
    pub fn at(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self(folder.to_owned()))
    }
}

impl Files for Disk {
    type New = File;
    type Lock = File;

    fn names(&self) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(&self.0)?;
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.0.join(name))
    }

    fn create(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.0.join(name))
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.0.join(from), self.0.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.0.join(name))
    }

    fn sync_names(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }

    fn lock(&self, name: &str) -> io::Result<Option<File>> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).mode(0o600).open(self.0.join(name))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}
