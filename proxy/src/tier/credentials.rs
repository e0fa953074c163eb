//! The certificates of a tier's links, as files or as values.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Role, StartError, TierOptions};
use crate::link::LinkSecurity;
use crate::tls::link::{Identity, LinkTls, LinkTlsError};

/// PEM texts: the topology's roots, the tier's chain, its key.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkCredentials {
    /// `ca.crt`: whom to believe; several while roots are rotated.
    pub roots: Vec<u8>,
    /// `tls.crt`: the tier's certificate, leaf first.
    pub chain: Vec<u8>,
    /// `tls.key`: its key.
    pub key: Vec<u8>,
}

impl fmt::Debug for LinkCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkCredentials(..)")
    }
}

/// Why the certificates of a link cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// A file cannot be read.
    #[error("cannot read {path} of the link's certificates: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// They are wrong.
    #[error("the link's certificates cannot be used: {0}")]
    Unusable(#[from] LinkTlsError),
}

impl LinkCredentials {
    /// Reads `ca.crt`, `tls.crt` and `tls.key` of a folder, as a Secret is mounted.
    pub fn read(folder: &Path) -> Result<Self, CredentialsError> {
        let file = |name: &str| {
            let path = folder.join(name);
            std::fs::read(&path).map_err(|source| CredentialsError::File { path, source })
        };
        Ok(Self { roots: file("ca.crt")?, chain: file("tls.crt")?, key: file("tls.key")? })
    }

    pub(super) fn reload(&self, tls: &LinkTls) -> Result<(), CredentialsError> {
        Ok(tls.reload(&self.roots, &self.chain, &self.key)?)
    }

    fn tls(&self, topology: &str, own: Identity) -> Result<LinkSecurity, StartError> {
        let tls = LinkTls::new(topology, own, &self.roots, &self.chain, &self.key).map_err(CredentialsError::from)?;
        Ok(LinkSecurity::Tls(Arc::new(tls)))
    }
}

impl TierOptions {
    /// How the tier's links are protected; nothing for a tier alone.
    pub(super) fn link_security(&self) -> Result<Option<LinkSecurity>, StartError> {
        let (topology, own) = match &self.role {
            Role::Outer { topology } => (topology, Identity::outer(topology)),
            Role::Inner { topology, tenant } => (topology, Identity::tenant(topology, tenant)),
            Role::Gateway { .. } => return Ok(None),
        };
        #[cfg(any(test, feature = "plaintext-link"))]
        if self.plaintext_link {
            return Ok(Some(LinkSecurity::Plain));
        }
        self.link.as_ref().ok_or(StartError::NoLink)?.tls(topology, own).map(Some)
    }
}
