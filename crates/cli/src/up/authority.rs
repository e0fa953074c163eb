//! The certificate authorities of local mode.
//!
//! Two that never mix: the **development CA**, kept in the user's data folder and constrained to names that cannot exist on the internet, signs
//! what browsers and curl see; the **link CA** lives in memory for one run and signs what the tiers show each other. Touches no sockets.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use bailey_proxy::tier::LinkCredentials;
use jiff::{Span, Zoned};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, NameConstraints, SanType,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// Names the development CA may sign for: reserved by RFC 6761 (`localhost`, `test`) and ICANN (`internal`).
pub const PERMITTED: [&str; 3] = ["localhost", "test", "internal"];

const ROOT_YEARS: i64 = 10;
const LEAF_DAYS: i64 = 30;

/// Why no certificate could be made or kept.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A file of the CA cannot be read or written.
    #[error("cannot {action} {path}: {source}; give another folder with --state DIR")]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// A kept CA that is not one (any more).
    #[error("the development CA in {path} cannot be used: {source}; delete that folder and a new one is made")]
    Kept {
        /// The CA's folder.
        path: PathBuf,
        /// What the parser found.
        source: rcgen::Error,
    },
    /// Signing failed.
    #[error("cannot sign a certificate for {name}: {source}")]
    Sign {
        /// The name that was asked for.
        name: String,
        /// What the signer found.
        source: rcgen::Error,
    },
}

/// A certificate with its chain and key, ready for TLS.
pub struct Leaf {
    /// The certificate, then what signed it.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its private key.
    pub key: PrivateKeyDer<'static>,
}

/// A CA that signs leaves.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
}

/// The development CA's certificate as a file, for `curl --cacert`.
pub const ROOT_FILE: &str = "ca.crt";

impl Authority {
    /// The development CA kept in `folder`, made there on first use. Its key is readable by this user only.
    pub fn development(folder: &Path) -> Result<Self, AuthorityError> {
        let (certificate, key) = (folder.join(ROOT_FILE), folder.join("ca.key"));
        if certificate.exists() && key.exists() {
            return Self::kept(folder, &read(&certificate)?, &read(&key)?);
        }
        fs::create_dir_all(folder).map_err(|source| file("create", folder, source))?;
        let (authority, pem, key_pem) = Self::make("Bailey development CA", Some(&PERMITTED))?;
        write(&key, &key_pem, 0o600)?;
        write(&certificate, &pem, 0o644)?;
        Ok(authority)
    }

    /// The CA of one topology's link, for this run only.
    pub fn link(topology: &str) -> Result<Self, AuthorityError> {
        Self::make(&format!("Bailey link CA of {topology}"), None).map(|(authority, ..)| authority)
    }

    /// The CA's own certificate.
    pub fn root(&self) -> &CertificateDer<'static> {
        &self.root
    }

    /// A server certificate for one DNS name.
    pub fn server(&self, host: &str) -> Result<Leaf, AuthorityError> {
        let params = CertificateParams::new(vec![host.to_owned()]).map_err(|source| sign(host, source))?;
        self.leaf(params, host)
    }

    /// A certificate that names a tier by URI, good for both ends of the link.
    pub fn tier(&self, uri: &str) -> Result<Leaf, AuthorityError> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(uri.try_into().map_err(|source| sign(uri, source))?)];
        self.leaf(params, uri)
    }

    /// [`Self::tier`] as a tier is told it: PEM, with the root.
    pub fn credentials(&self, uri: &str) -> Result<LinkCredentials, AuthorityError> {
        let leaf = self.tier(uri)?;
        let chain = leaf.chain.iter().map(|certificate| pem("CERTIFICATE", certificate)).collect::<String>();
        Ok(LinkCredentials {
            roots: pem("CERTIFICATE", &self.root).into_bytes(),
            chain: chain.into_bytes(),
            key: pem("PRIVATE KEY", leaf.key.secret_der()).into_bytes(),
        })
    }

    fn leaf(&self, mut params: CertificateParams, name: &str) -> Result<Leaf, AuthorityError> {
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        valid_for(&mut params, Span::new().days(LEAF_DAYS));
        let key = KeyPair::generate().map_err(|source| sign(name, source))?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(|source| sign(name, source))?;
        Ok(Leaf {
            chain: vec![certificate.into(), self.root.clone()],
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        })
    }

    fn kept(folder: &Path, pem: &str, key_pem: &str) -> Result<Self, AuthorityError> {
        use rustls_pki_types::pem::PemObject as _;
        let unusable = |source| AuthorityError::Kept { path: folder.to_owned(), source };
        let key = KeyPair::from_pem(key_pem).map_err(unusable)?;
        let root = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| unusable(rcgen::Error::CouldNotParseCertificate))?;
        let issuer = Issuer::from_ca_cert_pem(pem, key).map_err(unusable)?;
        Ok(Self { issuer, root })
    }

    fn make(name: &str, permitted: Option<&[&str]>) -> Result<(Self, String, String), AuthorityError> {
        let failed = |source| sign(name, source);
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.name_constraints = permitted.map(|names| NameConstraints {
            permitted_subtrees: names.iter().map(|n| GeneralSubtree::DnsName((*n).to_owned())).collect(),
            excluded_subtrees: Vec::new(),
        });
        valid_for(&mut params, Span::new().years(ROOT_YEARS));
        let key = KeyPair::generate().map_err(failed)?;
        let key_pem = key.serialize_pem();
        let certificate = params.self_signed(&key).map_err(failed)?;
        let (root, pem) = (certificate.der().clone(), certificate.pem());
        Ok((Self { issuer: Issuer::new(params, key), root }, pem, key_pem))
    }
}

/// Where the development CA is kept unless told otherwise: the user's data folder (XDG Base Directory).
pub fn default_state() -> PathBuf {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share"));
    std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).or_else(home).unwrap_or_else(std::env::temp_dir).join("bailey")
}

/// Whether the development CA's name constraints let it sign for this host.
pub fn permits(host: &str) -> bool {
    PERMITTED.iter().any(|suffix| host == *suffix || host.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.')))
}

/// From yesterday, so that a clock that is a little behind accepts it too.
fn valid_for(params: &mut CertificateParams, span: Span) {
    let today = Zoned::now().date();
    let day = |date: jiff::civil::Date| {
        rcgen::date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    params.not_before = day(today.yesterday().unwrap_or(today));
    params.not_after = day(today.saturating_add(span));
}

/// RFC 7468 text.
fn pem(label: &str, der: &[u8]) -> String {
    use std::fmt::Write as _;
    let encoded = data_encoding::BASE64.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in encoded.as_bytes().chunks(64) {
        // Writing to a String cannot fail; Base64 is ASCII.
        let _ = writeln!(text, "{}", String::from_utf8_lossy(line));
    }
    let _ = writeln!(text, "-----END {label}-----");
    text
}

fn read(path: &Path) -> Result<String, AuthorityError> {
    fs::read_to_string(path).map_err(|source| file("read", path, source))
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), AuthorityError> {
    let mut options = fs::OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(mode);
    let written = options.open(path).and_then(|mut f| f.write_all(text.as_bytes()));
    written.map_err(|source| file("write", path, source))
}

fn file(action: &'static str, path: &Path, source: std::io::Error) -> AuthorityError {
    AuthorityError::File { action, path: path.to_owned(), source }
}

fn sign(name: &str, source: rcgen::Error) -> AuthorityError {
    AuthorityError::Sign { name: name.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_development_ca_is_kept_and_its_key_is_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let first = Authority::development(folder.path()).unwrap();
        let second = Authority::development(folder.path()).unwrap();
        assert_eq!(first.root(), second.root());
        let mode = fs::metadata(folder.path().join("ca.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_broken_kept_ca_says_what_to_delete() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.key"), "no key").unwrap();
        fs::write(folder.path().join(ROOT_FILE), "no certificate").unwrap();
        let error = Authority::development(folder.path()).err().unwrap().to_string();
        assert!(error.contains(&folder.path().display().to_string()) && error.contains("delete"), "{error}");
    }

    #[test]
    fn only_reserved_names_are_permitted() {
        assert!(permits("shop.localhost") && permits("localhost") && permits("a.b.test"));
        assert!(!permits("example.com") && !permits("notlocalhost") && !permits("localhost.example.com"));
    }
}
