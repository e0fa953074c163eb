//! Certificates of one test: a CA, what the outer tier shows to clients, and what the tiers show to each other.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::CertificateDer;

/// A CA for everything in one test.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    pub(crate) root: CertificateDer<'static>,
}

/// A certificate and its key, as PEM.
pub(crate) struct Leaf {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a root");
        let (pem, root) = (certificate.pem(), certificate.der().clone());
        Self { issuer: Issuer::new(params, key), pem, root }
    }

    fn leaf(&self, names: Vec<SanType>) -> Leaf {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Leaf { chain: certificate.pem(), key: key.serialize_pem() }
    }

    /// For a host that clients ask for.
    pub(crate) fn server(&self, host: &str) -> Leaf {
        self.leaf(vec![SanType::DnsName(host.try_into().expect("a name"))])
    }

    /// Writes the folder that `bailey-proxy --link` reads.
    pub(crate) fn write_link(&self, folder: &Path, identity: &str) {
        let leaf = self.leaf(vec![SanType::URI(identity.try_into().expect("a URI"))]);
        std::fs::create_dir_all(folder).expect("a folder");
        for (name, text) in [("ca.crt", &self.pem), ("tls.crt", &leaf.chain), ("tls.key", &leaf.key)] {
            std::fs::write(folder.join(name), text).expect("a file");
        }
    }
}
