//! A log file that can be moved away while it is written: after [`Reopen::ask`] the next line goes to a new file of the same
//! name (log rotation).

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Asks a log's file to be opened anew. Clones ask for the same.
#[derive(Debug, Clone, Default)]
pub struct Reopen(Arc<AtomicBool>);

impl Reopen {
    /// Before the next line is written.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Writes at the end of a file.
#[derive(Debug)]
pub struct Appender {
    path: PathBuf,
    file: File,
    reopen: Reopen,
}

impl Appender {
    /// Opens the file, or makes it.
    pub fn open(path: &Path, reopen: Reopen) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), file: open(path)?, reopen })
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

impl Write for Appender {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.reopen.0.swap(false, Ordering::Acquire) {
            match open(&self.path) {
                Ok(file) => self.file = file,
                Err(error) => {
                    let path = self.path.display();
                    tracing::warn!(%error, %path, "the access log cannot be opened anew; the file before is written on");
                }
            }
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_moved_away_is_made_anew_when_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("log"), folder.path().join("log.1"));
        let reopen = Reopen::default();
        let mut log = Appender::open(&path, reopen.clone()).unwrap();
        log.write_all(b"one\n").unwrap();
        std::fs::rename(&path, &moved).unwrap();
        log.write_all(b"two\n").unwrap();
        reopen.ask();
        log.write_all(b"three\n").unwrap();
        assert_eq!(std::fs::read_to_string(&moved).unwrap(), "one\ntwo\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "three\n");
    }

    #[test]
    fn a_file_that_cannot_be_opened_anew_is_written_on() {
        let folder = tempfile::tempdir().unwrap();
        let (inside, moved) = (folder.path().join("logs"), folder.path().join("moved"));
        std::fs::create_dir(&inside).unwrap();
        let reopen = Reopen::default();
        let mut log = Appender::open(&inside.join("log"), reopen.clone()).unwrap();
        std::fs::rename(&inside, &moved).unwrap();
        reopen.ask();
        log.write_all(b"kept\n").unwrap();
        assert_eq!(std::fs::read_to_string(moved.join("log")).unwrap(), "kept\n");
    }
}
