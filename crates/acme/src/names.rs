//! Which certificates are wanted: from the hostnames that tenants own to one certificate each.
//!
//! One name has one certificate of its own, unless a wildcard of the same tenant covers it: a name that fails holds up no
//! other, a new name orders nothing but itself, and no certificate spans two tenants.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::Time;

#[cfg(test)]
mod tests;

/// How long the certificate of a name that is gone is kept, so that a name deleted by mistake comes back without an order.
pub const GRACE: Duration = Duration::from_hours(7 * 24);

/// Identifies a certificate in the store: equal for the same tenant and name, for ever.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CertificateId(Box<str>);

impl CertificateId {
    /// That of a tenant's name.
    pub fn of(tenant: &str, host: &str) -> Self {
        let digest = Sha256::new().chain_update(tenant).chain_update([0]).chain_update(host).finalize();
        Self(HEXLOWER.encode(&digest[..20]).into_boxed_str())
    }

    /// As it was written down; `None` when no identifier looks like this.
    pub fn parse(text: &str) -> Option<Self> {
        let good = text.len() == 40 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        good.then(|| Self(text.into()))
    }

    /// 40 hexadecimal digits: safe as a file's name and in an object's.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CertificateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How the authority is shown that a name is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// A file under `/.well-known/acme-challenge/` (RFC 8555 section 8.3).
    Http01,
    /// A certificate in the handshake (RFC 8737).
    TlsAlpn01,
    /// A record in DNS (RFC 8555 section 8.4); the only one that gives wildcards.
    Dns01,
}

impl Challenge {
    /// The authority's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::TlsAlpn01 => "tls-alpn-01",
            Self::Dns01 => "dns-01",
        }
    }
}

/// A hostname and who owns it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owned {
    /// Canonical: lower case, no last dot; a wildcard begins with `*.`.
    pub host: Arc<str>,
    /// The tenant.
    pub tenant: Arc<str>,
}

/// What holds for all certificates.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// The challenge that is used.
    pub challenge: Challenge,
    /// Names that certificates from elsewhere cover.
    pub covered: BTreeSet<Arc<str>>,
    /// The most certificates of a tenant; a tenant that is not named has no limit of its own.
    pub most: BTreeMap<Arc<str>, usize>,
}

/// A certificate that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Where it is kept.
    pub id: CertificateId,
    /// The name in it.
    pub host: Arc<str>,
    /// Whose it is.
    pub tenant: Arc<str>,
}

/// Why a name gets no certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotWanted {
    /// A certificate that was given covers it.
    Given,
    /// The tenant's own wildcard covers it.
    Wildcard,
    /// A wildcard, and the challenge is not dns-01.
    NeedsDns,
    /// No authority signs such a name.
    NotPublic,
    /// The tenant has as many as it may.
    TenantLimit,
}

impl NotWanted {
    /// For people: what it is, and what helps.
    pub fn text(self) -> &'static str {
        match self {
            Self::Given => "a Secret of certificates.secrets covers the name",
            Self::Wildcard => "a wildcard certificate of the same tenant covers the name",
            Self::NeedsDns => "wildcard certificates need the challenge dns01: set spec.outer.acme.challenge.dns01",
            Self::NotPublic => {
                "no authority signs this name: it needs two labels or more, each of letters, digits and inner hyphens"
            }
            Self::TenantLimit => "the tenant has as many certificates as limits.certificates allows: raise it",
        }
    }
}

/// What is wanted of the names that are owned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// The certificates, by identifier.
    pub certificates: BTreeMap<CertificateId, Wanted>,
    /// The names that get none, and why.
    pub without: BTreeMap<Arc<str>, NotWanted>,
}

impl fmt::Display for NotWanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// Decides on every name. `kept` says which certificates exist: within a tenant's limit they come first, so that a new
/// name never takes the place of one that serves.
pub fn wanted(owned: &BTreeSet<Owned>, terms: &Terms, kept: impl Fn(&CertificateId) -> bool) -> Wants {
    let mut wants = Wants::default();
    let mut candidates: BTreeMap<Arc<str>, Vec<Wanted>> = BTreeMap::new();
    for name in owned {
        match refused(name, owned, terms) {
            Some(why) => drop(wants.without.insert(name.host.clone(), why)),
            None => candidates.entry(name.tenant.clone()).or_default().push(Wanted {
                id: CertificateId::of(&name.tenant, &name.host),
                host: name.host.clone(),
                tenant: name.tenant.clone(),
            }),
        }
    }
    for (tenant, mut certificates) in candidates {
        certificates.sort_by_key(|certificate| (!kept(&certificate.id), certificate.host.clone()));
        let most = terms.most.get(&tenant).copied().unwrap_or(usize::MAX).min(certificates.len());
        for over in certificates.split_off(most) {
            wants.without.insert(over.host, NotWanted::TenantLimit);
        }
        wants.certificates.extend(certificates.into_iter().map(|one| (one.id.clone(), one)));
    }
    wants
}

fn refused(name: &Owned, owned: &BTreeSet<Owned>, terms: &Terms) -> Option<NotWanted> {
    let wildcard = name.host.starts_with("*.");
    if !public(name.host.strip_prefix("*.").unwrap_or(&name.host)) {
        return Some(NotWanted::NotPublic);
    }
    let parent = name.host.split_once('.').map(|(_, parent)| Arc::from(format!("*.{parent}")));
    if terms.covered.contains(&name.host) || (!wildcard && parent.as_ref().is_some_and(|p| terms.covered.contains(p))) {
        return Some(NotWanted::Given);
    }
    if wildcard {
        return (terms.challenge != Challenge::Dns01).then_some(NotWanted::NeedsDns);
    }
    let wildcards = terms.challenge == Challenge::Dns01;
    let covering = parent.map(|host| Owned { host, tenant: name.tenant.clone() }).filter(|_| wildcards);
    covering.is_some_and(|wildcard| owned.contains(&wildcard)).then_some(NotWanted::Wildcard)
}

/// Two labels or more of letters, digits and inner hyphens, at most 253 characters, and not an address (RFC 1123 2.1).
fn public(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    host.len() <= 253 && host.contains('.') && host.split('.').all(label) && !last.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a certificate that nobody has wanted since `unwanted` may be deleted.
pub fn retired(unwanted: Time, now: Time) -> bool {
    now.since(unwanted) >= GRACE
}

/// The domain that the authority counts a name by: the one that can be registered, by the public suffix list; the name
/// itself where the list knows none.
pub fn registered_domain(host: &str) -> &str {
    let host = host.strip_prefix("*.").unwrap_or(host);
    psl::domain_str(host).unwrap_or(host)
}
