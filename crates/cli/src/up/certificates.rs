//! Certificates by ACME in local mode: one driver for each outer tier, its store in the state folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bailey_crds::IngressTopology;
use bailey_crds::topology::{Acme, Challenge, EmptySettings, UntilIssued};
use bailey_proxy::acme::store::{Disk, Store, Volume};
use bailey_proxy::acme::{Asked, Hold, Material, Ordering, OrderingError, Pem, Reference, SettingsError};
use bailey_translate::Objects;
use k8s_openapi::api::core::v1::Secret;

/// An authority that certificates are ordered from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalAuthority {
    /// Its directory.
    pub directory: String,
    /// The roots to trust for it, PEM; `None`: what the machine trusts.
    pub roots: Option<PathBuf>,
}

/// Why certificates cannot be ordered.
#[derive(Debug, thiserror::Error)]
pub enum CertificatesError {
    /// The topology or the roots ask for something that cannot be done.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The directory is not one.
    #[error("--acme {0}: an ACME directory is a URL that begins with https://")]
    Directory(String),
    /// The roots cannot be read.
    #[error("--acme-ca {file}: {source}; give a file with one or more certificates in PEM")]
    Roots {
        /// The file.
        file: String,
        /// What the system answered.
        source: std::io::Error,
    },
    /// The folder of the store cannot be used.
    #[error("cannot keep certificates in {folder}: {source}; name another folder with --state")]
    Folder {
        /// The folder.
        folder: String,
        /// What the system answered.
        source: std::io::Error,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Ordering(#[from] OrderingError),
}

/// Orders for one outer tier, into a store of its own.
pub(super) struct LocalOrdering {
    /// What the tier answers with.
    pub(super) hold: Arc<Hold>,
    ordering: Ordering,
    store: Arc<dyn Store>,
}

impl LocalOrdering {
    /// Opens the store of a topology. Nothing is ordered yet.
    pub(super) fn open(topology: &str, state: &Path) -> Result<Self, CertificatesError> {
        let folder = state.join("acme").join(topology);
        let failed = |source| CertificatesError::Folder { folder: folder.display().to_string(), source };
        let store = Arc::new(Volume::open(Disk::at(&folder).map_err(failed)?));
        let hold = Arc::<Hold>::default();
        Ok(Self { ordering: Ordering::new(hold.clone()), hold, store })
    }

    /// Orders as asked from now on.
    pub(super) async fn follow(&mut self, asked: Asked) -> Result<(), CertificatesError> {
        Ok(self.ordering.follow(asked, self.store.clone()).await?)
    }
}

/// What the `spec.outer.acme` of a topology asks, of this authority in place of the one named there.
pub(super) fn asked(from: &LocalAuthority, objects: &Objects, topology: &str) -> Result<Asked, CertificatesError> {
    if !from.directory.starts_with("https://") {
        return Err(CertificatesError::Directory(from.directory.clone()));
    }
    let spec = objects.get::<IngressTopology>("", topology).map(|entry| &entry.object.spec);
    let acme = spec.and_then(|spec| spec.outer.acme.clone());
    // The bundle is for the authority that the topology names.
    let acme = Acme { directory: from.directory.clone(), ca_bundle_ref: None, ..acme.unwrap_or_else(by_http) };
    let namespace = spec.map(|spec| spec.outer.namespace.as_str()).unwrap_or_default();
    let material = Material::of(&acme, namespace, |reference| entries(objects, namespace, reference))?;
    let roots = from.roots.as_deref().map(pem).transpose()?;
    let most = most(spec.map(|spec| spec.tenants.as_slice()).unwrap_or_default());
    // The ports of this machine are not those that an authority asks.
    let asked = Asked { acme, most, material: Material { roots, ..material }, looks_first: false };
    // What cannot be used is said before anything is changed.
    asked.settings()?;
    Ok(asked)
}

fn pem(file: &Path) -> Result<Pem, CertificatesError> {
    let from = file.display().to_string();
    match std::fs::read(file) {
        Ok(text) => Ok(Pem { from, text }),
        Err(source) => Err(CertificatesError::Roots { file: from, source }),
    }
}

/// The entries of a Secret of the folder. `ConfigMap`s are not read there.
fn entries(objects: &Objects, namespace: &str, reference: &Reference) -> Option<BTreeMap<String, Vec<u8>>> {
    let Reference::Secret(name) = reference else { return None };
    let secret = &objects.get::<Secret>(namespace, name)?.object;
    let written = secret.string_data.iter().flatten().map(|(key, text)| (key.clone(), text.clone().into_bytes()));
    let encoded = secret.data.iter().flatten().map(|(key, value)| (key.clone(), value.0.clone()));
    Some(encoded.chain(written).collect())
}

fn most(tenants: &[bailey_crds::topology::Tenant]) -> BTreeMap<Arc<str>, usize> {
    let limit = |tenant: &bailey_crds::topology::Tenant| {
        let most = tenant.limits.as_ref()?.certificates?;
        Some((Arc::from(tenant.name.as_str()), most as usize))
    };
    tenants.iter().filter_map(limit).collect()
}

/// What holds where the topology says nothing of ACME.
fn by_http() -> Acme {
    Acme {
        directory: String::new(),
        email: None,
        challenge: Challenge { http01: Some(EmptySettings {}), tls_alpn01: None, dns01: None },
        external_account: None,
        profile: None,
        preferred_chain: None,
        ca_bundle_ref: None,
        renewal: None,
        until_issued: UntilIssued::Refuse,
    }
}
