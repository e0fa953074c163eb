//! What shows the authority that a name is ours, and where it looks for it. A token is answered only for the host that it was
//! made for.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

/// Where the authority looks for a file (RFC 8555 section 8.3).
pub const HTTP_PREFIX: &str = "/.well-known/acme-challenge/";
/// The longest token that is taken.
const LONGEST_TOKEN: usize = 256;

/// The proofs that are in place now. Prints no token.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Proofs {
    by_host: HashMap<Arc<str>, Vec<Proof>>,
}

/// A token and its answer.
#[derive(Clone, PartialEq, Eq)]
struct Proof {
    token: Box<str>,
    authorization: Arc<str>,
}

impl fmt::Debug for Proofs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_host.keys()).finish()
    }
}

impl Proofs {
    /// Puts the answer for a token of `host` in place. A token that no authority may make (RFC 8555 section 8.3) is not
    /// taken.
    pub fn put(&mut self, host: &str, token: &str, authorization: &str) -> bool {
        if !is_token(token) {
            return false;
        }
        let proofs = self.by_host.entry(host.into()).or_default();
        proofs.retain(|proof| *proof.token != *token);
        proofs.push(Proof { token: token.into(), authorization: authorization.into() });
        true
    }

    /// Takes all of a host away.
    pub fn withdraw(&mut self, host: &str) {
        self.by_host.remove(host);
    }

    /// The answer for a token of a canonical host, and of no other.
    pub fn answer(&self, host: &str, token: &str) -> Option<&Arc<str>> {
        let proofs = self.by_host.get(host)?;
        proofs.iter().find(|proof| *proof.token == *token).map(|proof| &proof.authorization)
    }

    /// All of them: host, token, answer.
    pub fn entries(&self) -> impl Iterator<Item = (&Arc<str>, &str, &Arc<str>)> {
        let of_host = |(host, proofs)| {
            let proofs: &Vec<Proof> = proofs;
            proofs.iter().map(move |proof| (host, &*proof.token, &proof.authorization))
        };
        self.by_host.iter().flat_map(of_host)
    }

    /// Takes away what is for hosts that are not to keep theirs.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.by_host.retain(|host, _| keep(host));
    }

    /// Whether there is none, which is so nearly always.
    pub fn is_empty(&self) -> bool {
        self.by_host.is_empty()
    }
}

/// The token that a path asks for. `None`: the path has nothing to do with ACME.
pub fn token_of(path: &str) -> Option<&str> {
    path.strip_prefix(HTTP_PREFIX)
}

/// Whether an authority may make such a token: base64url without padding.
pub fn is_token(token: &str) -> bool {
    (1..=LONGEST_TOKEN).contains(&token.len())
        && token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// What the certificate of tls-alpn-01 carries (RFC 8737 section 3): the digest of the key authorization.
pub fn digest(authorization: &str) -> [u8; 32] {
    Sha256::digest(authorization).into()
}

/// The name of the record of dns-01 (RFC 8555 section 8.4); a wildcard is proven by its parent's.
pub fn record_name(host: &str) -> String {
    format!("_acme-challenge.{}", host.strip_prefix("*.").unwrap_or(host))
}

/// The text of that record.
pub fn record_text(authorization: &str) -> String {
    data_encoding::BASE64URL_NOPAD.encode(&digest(authorization))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_answered_for_its_host_only() {
        let mut proofs = Proofs::default();
        assert!(proofs.put("a.example.com", "token-1", "token-1.thumb"));
        assert!(proofs.put("a.example.com", "token-2", "token-2.thumb"));
        assert_eq!(proofs.answer("a.example.com", "token-1").map(|a| &**a), Some("token-1.thumb"));
        for (host, token) in [("b.example.com", "token-1"), ("a.example.com", "token-3"), ("a.example.com", "")] {
            assert_eq!(proofs.answer(host, token), None, "{host} {token}");
        }
        proofs.withdraw("a.example.com");
        assert!(proofs.is_empty());
    }

    #[test]
    fn odd_tokens_are_not_taken() {
        let long = "a".repeat(257);
        for token in ["", "a/b", "..", "a%2f", "a.b", "ä", "a b", &long] {
            assert!(!Proofs::default().put("a.example.com", token, "x"), "{token}");
        }
    }

    #[test]
    fn only_its_own_paths_belong_to_acme() {
        assert_eq!(token_of("/.well-known/acme-challenge/abc"), Some("abc"));
        for path in ["/.well-known/acme-challenge", "/.well-known/other", "/x/.well-known/acme-challenge/abc", "/"] {
            assert_eq!(token_of(path), None, "{path}");
        }
    }

    #[test]
    fn proofs_are_as_the_standard_says() {
        // RFC 8555 section 8.4 has no vector with its key; this one was computed with openssl.
        assert_eq!(record_text("token.thumb"), "lCdftpJCXapaZHkBGIZbcubeKW8RmA0jSG_aZN01zbU");
        assert_eq!(record_name("*.a.example.com"), "_acme-challenge.a.example.com");
        assert_eq!(record_name("a.example.com"), "_acme-challenge.a.example.com");
    }

    #[test]
    fn tokens_are_not_printed() {
        let mut proofs = Proofs::default();
        proofs.put("a.example.com", "CANARY", "CANARY.thumb");
        assert!(!format!("{proofs:?}").contains("CANARY"));
    }
}
