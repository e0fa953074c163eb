//! The last good set of objects on disk: used at a start when the source cannot be read, and only then.
//!
//! One file: a header line with format, version, digest of the objects and checksum, then the objects as JSON. It is replaced by rename, so a reader
//! finds the old or the new one, never half of either. Objects may hold TLS keys, so the file is readable by its owner only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Format of the file. A program reads only its own.
const FORMAT: u32 = 1;

/// Why there is no last good set, or none can be kept.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The file cannot be read or written.
    #[error("cannot {action} the last good configuration {path}: {source}")]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// The file is of another format, torn, or changed.
    #[error("the last good configuration {path} is not usable: {why}; it is left as it is and not used")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    version: String,
    digest: String,
    sha256: String,
}

/// A set that was good once.
#[derive(Debug, PartialEq)]
pub struct LastGood {
    /// The objects, as they would be in YAML.
    pub objects: Vec<Value>,
    /// Digest of the configuration they gave.
    pub digest: String,
    /// The version of Bailey that kept them.
    pub version: String,
}

/// Keeps a set, in place of the one before.
pub fn save(path: &Path, objects: &[Value], digest: &str) -> Result<(), DiskError> {
    let failed = |source| DiskError::File { action: "write", path: path.to_owned(), source };
    let body = serde_json::to_vec(objects).map_err(io::Error::from).map_err(failed)?;
    let header = Header {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        digest: digest.to_owned(),
        sha256: checksum(&body),
    };
    let header = serde_json::to_vec(&header).map_err(io::Error::from).map_err(failed)?;
    replace(path, &[&header, b"\n", &body]).map_err(failed)
}

/// The set that was kept last, if there is one.
pub fn load(path: &Path) -> Result<Option<LastGood>, DiskError> {
    let unusable = |why: String| DiskError::Unusable { path: path.to_owned(), why };
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(DiskError::File { action: "read", path: path.to_owned(), source }),
    };
    let end = memchr::memchr(b'\n', &bytes).ok_or_else(|| unusable("it has no header".to_owned()))?;
    let (header, body) = (&bytes[..end], &bytes[end + 1..]);
    let header: Header = serde_json::from_slice(header).map_err(|error| unusable(error.to_string()))?;
    if header.format != FORMAT {
        return Err(unusable(format!("format {}, this program reads {FORMAT}", header.format)));
    }
    if header.sha256 != checksum(body) {
        return Err(unusable("its checksum is wrong".to_owned()));
    }
    let objects = serde_json::from_slice(body).map_err(|error| unusable(error.to_string()))?;
    Ok(Some(LastGood { objects, digest: header.digest, version: header.version }))
}

fn checksum(body: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(body).iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Writes beside the file, flushes to disk, renames over it, and flushes the folder.
fn replace(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let new = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    parts.iter().try_for_each(|part| file.write_all(part))?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn kept() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/last-good");
        save(&path, &[serde_json::json!({"kind": "Namespace"})], "abc").unwrap();
        (folder, path)
    }

    #[test]
    fn what_was_kept_is_read_back_and_is_private() {
        let (_folder, path) = kept();
        let last = load(&path).unwrap().unwrap();
        assert_eq!((last.digest.as_str(), last.objects.len()), ("abc", 1));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn nothing_kept_is_not_an_error() {
        assert_eq!(load(Path::new("/nowhere/at/all")).unwrap(), None);
    }

    #[test]
    fn a_torn_a_changed_and_a_future_file_are_refused() {
        let (_folder, path) = kept();
        let good = fs::read(&path).unwrap();
        for bad in [
            &good[..good.len() - 1],
            &good[..5],
            b"",
            b"{\"format\":2,\"version\":\"9\",\"digest\":\"\",\"sha256\":\"\"}\n[]",
        ] {
            fs::write(&path, bad).unwrap();
            assert!(matches!(load(&path), Err(DiskError::Unusable { .. })), "{:?}", String::from_utf8_lossy(bad));
        }
    }
}
