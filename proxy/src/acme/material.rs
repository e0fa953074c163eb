//! What the references of `spec.outer.acme` lead to: roots, the key of an external account, credentials for DNS. Read from a cluster or
//! from a folder by others; decides what is read, and says what is missing.

use std::collections::BTreeMap;
use std::fmt;

use bailey_acme::Secret;
use bailey_crds::topology::Acme;

use super::SettingsError;

/// The field that everything here is below.
const ACME: &str = "spec.outer.acme";

/// An object of the outer namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reference {
    /// A `ConfigMap` of this name.
    ConfigMap(String),
    /// A Secret of this name.
    Secret(String),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConfigMap(name) => write!(f, "the ConfigMap {name}"),
            Self::Secret(name) => write!(f, "the Secret {name}"),
        }
    }
}

/// Certificates in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pem {
    /// Where they are from, for people.
    pub from: String,
    /// As they were read.
    pub text: Vec<u8>,
}

/// What the references of a topology's `acme` lead to. Prints no secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Material {
    /// What is trusted for the directory (`caBundleRef`).
    pub roots: Option<Pem>,
    /// The MAC key of `externalAccount`, as it was written: base64url.
    pub external_account: Option<Secret>,
    /// The entries of `challenge.dns01.credentialsRef`.
    pub dns_credentials: BTreeMap<String, Secret>,
    /// What is trusted for `challenge.dns01.webhook`.
    pub dns_roots: Option<Pem>,
}

impl Material {
    /// The objects that are to be read.
    pub fn references(acme: &Acme) -> Vec<Reference> {
        let mut all = Vec::new();
        all.extend(acme.ca_bundle_ref.iter().map(|one| Reference::ConfigMap(one.name.clone())));
        all.extend(acme.external_account.iter().map(|one| Reference::Secret(one.secret_ref.name.clone())));
        if let Some(dns) = &acme.challenge.dns01 {
            all.extend(dns.credentials_ref.iter().map(|one| Reference::Secret(one.name.clone())));
            let roots = dns.webhook.as_ref().and_then(|webhook| webhook.ca_bundle_ref.as_ref());
            all.extend(roots.map(|one| Reference::ConfigMap(one.name.clone())));
        }
        all.sort();
        all.dedup();
        all
    }

    /// Takes what is needed out of the objects of `namespace`; `read` gives the entries of one, or `None` where it is not there.
    pub fn of(
        acme: &Acme,
        namespace: &str,
        read: impl Fn(&Reference) -> Option<BTreeMap<String, Vec<u8>>>,
    ) -> Result<Self, SettingsError> {
        let object = |field: &str, reference: &Reference| {
            let absent = || SettingsError::Absent {
                field: format!("{ACME}.{field}"),
                object: reference.to_string(),
                namespace: namespace.to_owned(),
            };
            read(reference).ok_or_else(absent)
        };
        let entry = |field: &str, reference: &Reference, key: &str| {
            let mut entries = object(field, reference)?;
            entries.remove(key).ok_or_else(|| SettingsError::NoEntry {
                field: format!("{ACME}.{field}"),
                object: format!("{reference} of namespace {namespace}"),
                key: key.to_owned(),
                entries: entries.into_keys().collect::<Vec<_>>().join(", "),
            })
        };
        let pem = |field: &str, name: &str, key: &str| {
            let reference = Reference::ConfigMap(name.to_owned());
            let text = entry(field, &reference, key)?;
            Ok(Pem { from: format!("{ACME}.{field}: {reference} of namespace {namespace}, entry {key}"), text })
        };
        let roots = acme.ca_bundle_ref.as_ref().map(|one| pem("caBundleRef", &one.name, &one.key)).transpose()?;
        let mac = acme.external_account.as_ref().map(|one| {
            entry("externalAccount.secretRef", &Reference::Secret(one.secret_ref.name.clone()), &one.secret_ref.key)
        });
        let dns = acme.challenge.dns01.as_ref();
        let credentials = dns.and_then(|dns| dns.credentials_ref.as_ref());
        let credentials = credentials
            .map(|one| object("challenge.dns01.credentialsRef", &Reference::Secret(one.name.clone())))
            .transpose()?;
        let dns_roots = dns.and_then(|dns| dns.webhook.as_ref()?.ca_bundle_ref.as_ref());
        let dns_roots = dns_roots.map(|one| pem("challenge.dns01.webhook.caBundleRef", &one.name, &one.key));
        Ok(Self {
            roots,
            external_account: mac.transpose()?.map(Secret::new),
            dns_credentials: credentials
                .unwrap_or_default()
                .into_iter()
                .map(|(key, value)| (key, Secret::new(value)))
                .collect(),
            dns_roots: dns_roots.transpose()?,
        })
    }
}
