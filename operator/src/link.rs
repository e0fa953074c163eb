//! The certificates by which the tiers of a topology know each other. Decides what is signed, by which authority, and when
//! anew; does no I/O but for the random numbers of keys.
//!
//! Each topology has an authority of its own. A new one is made a year before the old one ends; it is believed by every
//! tier at once and signs only two days later, so that no tier ever meets a certificate it cannot check. All of this follows
//! from the dates in the certificates, so nothing else has to be remembered.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::GeneralName;

/// Life of an authority.
const AUTHORITY_LIFE: SignedDuration = SignedDuration::from_hours(24 * 365 * 10);
/// What an authority has left when the next one is made.
const AUTHORITY_LEFT: SignedDuration = SignedDuration::from_hours(24 * 365);
/// How long a new authority is believed before it signs.
const SETTLE: SignedDuration = SignedDuration::from_hours(48);
/// Life of a tier's certificate.
const LEAF_LIFE: SignedDuration = SignedDuration::from_hours(24 * 30);
/// What a tier's certificate has left when it is renewed.
const LEAF_LEFT: SignedDuration = SignedDuration::from_hours(24 * 20);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Why certificates cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Signing failed.
    #[error("cannot sign a certificate for {name}: {source}")]
    Sign {
        /// The name.
        name: String,
        /// What the signer found.
        source: rcgen::Error,
    },
    /// What is kept is not an authority (any more).
    #[error("the link authority that is kept cannot be used: {0}; delete its Secret and a new one is made")]
    Kept(&'static str),
}

/// The authorities of a topology, the oldest first; never none.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorities {
    all: Vec<Authority>,
}

#[derive(Clone, PartialEq, Eq)]
struct Authority {
    certificate: String,
    key: String,
    from: Timestamp,
    until: Timestamp,
}

/// A tier's certificate and key with the roots it believes, as PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct LeafPems {
    /// Certificates of the authorities.
    pub roots: String,
    /// The tier's certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorities").field("count", &self.all.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for LeafPems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LeafPems(..)")
    }
}

impl Authorities {
    /// The first authority of a topology.
    pub fn first(topology: &str, now: Timestamp) -> Result<Self, LinkError> {
        Ok(Self { all: vec![Authority::make(topology, now)?] })
    }

    /// What a Secret keeps: `0.crt`, `0.key`, `1.crt` and so on.
    pub fn read(data: &BTreeMap<String, ByteString>) -> Result<Self, LinkError> {
        let text = |name: String| data.get(&name).and_then(|bytes| String::from_utf8(bytes.0.clone()).ok());
        let mut all = Vec::new();
        while let Some(certificate) = text(format!("{}.crt", all.len())) {
            let key = text(format!("{}.key", all.len())).ok_or(LinkError::Kept("a key is missing"))?;
            KeyPair::from_pem(&key).map_err(|_| LinkError::Kept("a key is not PEM"))?;
            let (from, until) = validity(&certificate).ok_or(LinkError::Kept("a certificate is not PEM"))?;
            all.push(Authority { certificate, key, from, until });
        }
        if all.is_empty() { Err(LinkError::Kept("there is no certificate")) } else { Ok(Self { all }) }
    }

    /// What the Secret is to keep.
    pub fn data(&self) -> BTreeMap<String, ByteString> {
        let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
        let entries = self.all.iter().enumerate().flat_map(|(index, authority)| {
            [(format!("{index}.crt"), bytes(&authority.certificate)), (format!("{index}.key"), bytes(&authority.key))]
        });
        entries.collect()
    }

    /// The authorities that should be there now: without those that have ended, with a new one in time. `None`: they are
    /// as they should be.
    pub fn renewed(&self, topology: &str, now: Timestamp) -> Result<Option<Self>, LinkError> {
        let mut all: Vec<Authority> = self.all.iter().filter(|authority| authority.until > now).cloned().collect();
        if all.last().is_none_or(|newest| newest.until.duration_since(now) < AUTHORITY_LEFT) {
            all.push(Authority::make(topology, now)?);
        }
        Ok(Some(Self { all }).filter(|renewed| renewed != self))
    }

    /// Everything that tiers should believe.
    pub fn roots(&self) -> String {
        self.all.iter().map(|authority| authority.certificate.as_str()).collect()
    }

    /// The newest that every tier knows by now, or else the oldest.
    fn signing(&self, now: Timestamp) -> Option<&Authority> {
        let settled = |authority: &&Authority| now.duration_since(authority.from) >= SETTLE + DAY;
        self.all.iter().rev().find(settled).or_else(|| self.all.first())
    }

    /// A certificate for a tier.
    pub fn issue(&self, identity: &str, now: Timestamp) -> Result<LeafPems, LinkError> {
        let failed = |source| LinkError::Sign { name: identity.to_owned(), source };
        let signing = self.signing(now).ok_or(LinkError::Kept("there is no certificate"))?;
        let issuer_key = KeyPair::from_pem(&signing.key).map_err(failed)?;
        let issuer = Issuer::from_ca_cert_pem(&signing.certificate, issuer_key).map_err(failed)?;
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(identity.try_into().map_err(failed)?)];
        params.distinguished_name.push(DnType::CommonName, identity);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        // No longer than who signed it.
        let until = (now + LEAF_LIFE).min(signing.until);
        valid(&mut params, now, until);
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &issuer).map_err(failed)?;
        Ok(LeafPems { roots: self.roots(), certificate: certificate.pem(), key: key.serialize_pem() })
    }

    /// Whether a tier needs a new certificate: its own is for another identity, ends soon, or it does not believe all of
    /// these authorities, and no other.
    pub fn is_due(&self, leaf: &LeafPems, identity: &str, now: Timestamp) -> bool {
        let good = leaf.roots == self.roots()
            && uri_of(&leaf.certificate).as_deref() == Some(identity)
            && KeyPair::from_pem(&leaf.key).is_ok()
            && validity(&leaf.certificate).is_some_and(|(_, until)| until.duration_since(now) > LEAF_LEFT);
        !good
    }
}

impl LeafPems {
    /// What a tier's Secret holds.
    pub fn read(data: &BTreeMap<String, ByteString>) -> Option<Self> {
        let text = |name: &str| String::from_utf8(data.get(name)?.0.clone()).ok();
        Some(Self { roots: text("ca.crt")?, certificate: text("tls.crt")?, key: text("tls.key")? })
    }

    /// What a tier's Secret is to hold.
    pub fn data(&self) -> BTreeMap<String, ByteString> {
        let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
        BTreeMap::from([
            ("ca.crt".to_owned(), bytes(&self.roots)),
            ("tls.crt".to_owned(), bytes(&self.certificate)),
            ("tls.key".to_owned(), bytes(&self.key)),
        ])
    }

    /// When the certificate ends.
    pub fn until(&self) -> Option<Timestamp> {
        validity(&self.certificate).map(|(_, until)| until)
    }
}

impl Authority {
    fn make(topology: &str, now: Timestamp) -> Result<Self, LinkError> {
        let failed = |source| LinkError::Sign { name: format!("the link authority of {topology}"), source };
        let mut params = CertificateParams::default();
        // The moment is part of the name, so that two authorities of a topology are told apart.
        params.distinguished_name.push(DnType::CommonName, format!("Bailey link of {topology}, {now:.0}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        valid(&mut params, now, now + AUTHORITY_LIFE);
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.self_signed(&key).map_err(failed)?.pem();
        let (from, until) = validity(&certificate).ok_or(LinkError::Kept("a certificate is not PEM"))?;
        Ok(Self { certificate, key: key.serialize_pem(), from, until })
    }
}

/// From a day before, so that a clock that is a little behind accepts it too.
fn valid(params: &mut CertificateParams, from: Timestamp, until: Timestamp) {
    let day = |at: Timestamp| {
        let date = at.to_zoned(jiff::tz::TimeZone::UTC).date();
        rcgen::date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    params.not_before = day(from - DAY);
    params.not_after = day(until);
}

fn validity(pem: &str) -> Option<(Timestamp, Timestamp)> {
    let (_, parsed) = parse_x509_pem(pem.as_bytes()).ok()?;
    let certificate = parsed.parse_x509().ok()?;
    let at = |time: x509_parser::time::ASN1Time| Timestamp::from_second(time.timestamp()).ok();
    Some((at(certificate.validity().not_before)?, at(certificate.validity().not_after)?))
}

fn uri_of(pem: &str) -> Option<String> {
    let (_, parsed) = parse_x509_pem(pem.as_bytes()).ok()?;
    let certificate = parsed.parse_x509().ok()?;
    let names = certificate.subject_alternative_name().ok()??;
    match names.value.general_names.as_slice() {
        [GeneralName::URI(uri)] => Some((*uri).to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTER: &str = "bailey://main/outer";

    fn at(days: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap() + SignedDuration::from_hours(24 * days)
    }

    #[test]
    fn a_certificate_is_renewed_with_twenty_days_left() {
        let authorities = Authorities::first("main", at(0)).unwrap();
        let leaf = authorities.issue(OUTER, at(0)).unwrap();
        assert!(!authorities.is_due(&leaf, OUTER, at(0)) && !authorities.is_due(&leaf, OUTER, at(9)));
        assert!(authorities.is_due(&leaf, OUTER, at(10)));
    }

    #[test]
    fn a_certificate_for_another_tier_or_of_another_authority_is_due() {
        let (mine, other) = (Authorities::first("main", at(0)).unwrap(), Authorities::first("main", at(0)).unwrap());
        let leaf = mine.issue(OUTER, at(0)).unwrap();
        assert!(mine.is_due(&leaf, "bailey://main/tenant/a", at(0)) && other.is_due(&leaf, OUTER, at(0)));
    }

    #[test]
    fn what_is_kept_reads_back() {
        let authorities = Authorities::first("main", at(0)).unwrap();
        assert!(Authorities::read(&authorities.data()).unwrap() == authorities);
        let leaf = authorities.issue(OUTER, at(0)).unwrap();
        assert!(LeafPems::read(&leaf.data()).unwrap() == leaf);
        assert!(Authorities::read(&BTreeMap::new()).is_err());
    }

    #[test]
    fn a_new_authority_is_believed_before_it_signs_and_the_old_one_until_it_ends() {
        let first = Authorities::first("main", at(0)).unwrap();
        assert!(first.renewed("main", at(365 * 9 - 1)).unwrap().is_none());
        let day = 365 * 9 + 1;
        let both = first.renewed("main", at(day)).unwrap().unwrap();
        assert_eq!(both.all.len(), 2);
        let old = both.issue(OUTER, at(day)).unwrap();
        assert!(
            both.signing(at(day + 1)).unwrap() == &both.all[0] && both.signing(at(day + 3)).unwrap() == &both.all[1]
        );
        assert!(old.roots.contains(&both.all[0].certificate) && old.roots.contains(&both.all[1].certificate));
        let later = both.renewed("main", at(365 * 10 + 1)).unwrap().unwrap();
        assert!(later.all == both.all[1..]);
    }

    #[test]
    fn keys_are_not_printed() {
        let authorities = Authorities::first("main", at(0)).unwrap();
        let leaf = authorities.issue(OUTER, at(0)).unwrap();
        assert!(!format!("{authorities:?} {leaf:?}").contains("PRIVATE"));
    }
}
