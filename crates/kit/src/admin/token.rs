//! The secret that opens the pages of an admin port that others can reach.

use std::fmt;
use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use subtle::ConstantTimeEq as _;

/// Shorter ones can be guessed.
const MIN_LENGTH: usize = 16;

/// The secret. Shown by nothing, compared in constant time.
#[derive(Clone)]
pub struct AdminToken(Box<[u8]>);

/// Why a file gives no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It cannot be read.
    #[error("cannot read the token of the admin port from {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What it holds would be guessed or cannot be sent in a header.
    #[error(
        "{0} does not hold a token for the admin port: put at least {MIN_LENGTH} visible ASCII characters on one line into it, such as those of `openssl rand -hex 32`"
    )]
    Weak(PathBuf),
}

impl AdminToken {
    /// The token in a file, without the white space around it.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let text = std::fs::read(path).map_err(|source| TokenError::Read { path: path.to_owned(), source })?;
        Self::new(text.trim_ascii()).ok_or_else(|| TokenError::Weak(path.to_owned()))
    }

    /// A token of these bytes; `None` when it is too short or not visible ASCII.
    pub fn new(token: &[u8]) -> Option<Self> {
        let fit = token.len() >= MIN_LENGTH && token.iter().all(u8::is_ascii_graphic);
        fit.then(|| Self(token.into()))
    }

    /// Whether an `Authorization` field shows this token: `Bearer TOKEN` (RFC 6750), or `Basic` (RFC 7617) with it as the
    /// password of any user, which is what browsers ask for.
    pub(super) fn opens(&self, authorization: &[u8]) -> bool {
        let Some(space) = authorization.iter().position(|byte| *byte == b' ') else { return false };
        let (scheme, rest) = (&authorization[..space], authorization[space..].trim_ascii());
        if scheme.eq_ignore_ascii_case(b"bearer") {
            return rest.ct_eq(&self.0).into();
        }
        if !scheme.eq_ignore_ascii_case(b"basic") {
            return false;
        }
        let Ok(pair) = BASE64.decode(rest) else { return false };
        let Some(colon) = pair.iter().position(|byte| *byte == b':') else { return false };
        pair[colon + 1..].ct_eq(&self.0).into()
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearer_and_basic_open_and_nothing_else_does() {
        let token = AdminToken::new(b"correct-horse-battery").unwrap();
        let basic = |text: &str| format!("Basic {}", BASE64.encode(text.as_bytes()));
        for good in
            ["Bearer correct-horse-battery", "bearer  correct-horse-battery", &basic("any:correct-horse-battery")]
        {
            assert!(token.opens(good.as_bytes()), "{good}");
        }
        let wrong = [
            "Bearer correct-horse-batterz",
            "Bearer correct-horse-battery-and-more",
            "Bearer ",
            "correct-horse-battery",
            "Digest correct-horse-battery",
            "Basic correct-horse-battery",
            "Basic !!!",
            &basic("correct-horse-battery"),
            &basic("correct-horse-battery:"),
            "",
        ];
        for wrong in wrong {
            assert!(!token.opens(wrong.as_bytes()), "{wrong}");
        }
        assert_eq!(format!("{token:?}"), "AdminToken(..)");
    }

    #[test]
    fn a_file_gives_a_token_or_says_what_to_put_into_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert!(AdminToken::read(&path).unwrap_err().to_string().contains("token"), "a missing file is named");
        std::fs::write(&path, "short\n").unwrap();
        assert!(AdminToken::read(&path).unwrap_err().to_string().contains("openssl rand"));
        std::fs::write(&path, "0123456789abcdef 0123456789abcdef\n").unwrap();
        assert!(AdminToken::read(&path).is_err(), "two words are not a token");
        std::fs::write(&path, "0123456789abcdef\n").unwrap();
        assert!(AdminToken::read(&path).unwrap().opens(b"Bearer 0123456789abcdef"));
    }
}
