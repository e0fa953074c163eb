use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, PublicKeyData,
};

use super::*;

const NOW: Time = Time(1_800_000_000);
const DAY: u64 = 86_400;

struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

fn ca(name: &str) -> Ca {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let pem = params.self_signed(&key).unwrap().pem();
    Ca { issuer: Issuer::new(params, key), pem }
}

fn at(time: Time) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp(time.0.cast_signed()).unwrap()
}

fn params(names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::new(names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>()).unwrap();
    params.not_before = at(NOW.before(Duration::from_hours(1)));
    params.not_after = at(Time(NOW.0 + 90 * DAY));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params
}

fn sign(params: &CertificateParams, key: &KeyPair, ca: &Ca) -> String {
    params.signed_by(key, &ca.issuer).unwrap().pem()
}

fn spki(key: &KeyPair) -> Vec<u8> {
    key.subject_public_key_info()
}

fn verdict(edit: impl FnOnce(&mut CertificateParams), names: &[&str]) -> Result<Facts, Unusable> {
    let (ca, key) = (ca("Good CA"), KeyPair::generate().unwrap());
    let mut params = params(names);
    edit(&mut params);
    let pem = sign(&params, &key, &ca) + &ca.pem;
    check(pem.as_bytes(), "a.example.com", &spki(&key), NOW)
}

#[test]
fn a_good_certificate_is_taken_with_its_facts() {
    let facts = verdict(|_| {}, &["a.example.com"]).unwrap();
    assert_eq!((facts.chain.len(), facts.issuer.as_str()), (2, "Good CA"));
    assert_eq!(facts.life.ends, Time(NOW.0 + 90 * DAY));
    assert_eq!(facts.renewal_id.as_ref().map(|id| id.split('.').count()), Some(2));
    assert!(!facts.serial.is_empty());
    assert_eq!(read_chain(&facts.chain), Ok(Facts { chain: Vec::new(), ..facts }));
}

#[test]
fn other_names_are_refused_and_so_are_more_names() {
    for names in [&["b.example.com"][..], &["a.example.com", "evil.example.com"], &["*.example.com"], &["192.0.2.1"]] {
        assert!(matches!(verdict(|_| {}, names), Err(Unusable::Names { .. })), "{names:?}");
    }
}

#[test]
fn dates_must_cover_the_next_hour() {
    let bad = |begins: u64, ends: u64| {
        let edit = |p: &mut CertificateParams| (p.not_before, p.not_after) = (at(Time(begins)), at(Time(ends)));
        assert!(matches!(verdict(edit, &["a.example.com"]), Err(Unusable::Dates(_))), "{begins} {ends}");
    };
    bad(NOW.0 - 90 * DAY, NOW.0 - 1);
    bad(NOW.0 - 90 * DAY, NOW.0 + 60);
    bad(NOW.0 + DAY, NOW.0 + 90 * DAY);
    let slightly_ahead = |p: &mut CertificateParams| p.not_before = at(Time(NOW.0 + 60));
    assert!(verdict(slightly_ahead, &["a.example.com"]).is_ok());
}

#[test]
fn a_certificate_for_something_else_is_refused() {
    let client = |p: &mut CertificateParams| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    assert_eq!(verdict(client, &["a.example.com"]), Err(Unusable::Purpose));
    let authority = |p: &mut CertificateParams| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    assert_eq!(verdict(authority, &["a.example.com"]), Err(Unusable::Purpose));
}

#[test]
fn the_key_must_be_ours() {
    let (ca, key) = (ca("CA"), KeyPair::generate().unwrap());
    let pem = sign(&params(&["a.example.com"]), &key, &ca);
    let other = KeyPair::generate().unwrap();
    assert_eq!(check(pem.as_bytes(), "a.example.com", &spki(&other), NOW), Err(Unusable::Key));
}

#[test]
fn each_certificate_is_signed_by_the_next() {
    let (good, evil, key) = (ca("CA"), ca("CA"), KeyPair::generate().unwrap());
    let leaf = sign(&params(&["a.example.com"]), &key, &good);
    let ask = |pem: String| check(pem.as_bytes(), "a.example.com", &spki(&key), NOW);
    assert!(ask(leaf.clone()).is_ok(), "a root that every client knows need not be sent");
    assert_eq!(ask(leaf.clone() + &evil.pem), Err(Unusable::Chain(0)), "the same name, another key");
    assert_eq!(ask(leaf.clone() + &leaf), Err(Unusable::Chain(0)));
    assert_eq!(ask(leaf.clone() + &good.pem + &evil.pem), Err(Unusable::Chain(1)));
}

#[test]
fn what_is_no_chain_is_refused() {
    let (ca, key) = (ca("CA"), KeyPair::generate().unwrap());
    let leaf = sign(&params(&["a.example.com"]), &key, &ca);
    let cut = &leaf[..leaf.len() / 2];
    let huge = leaf.clone() + &"x".repeat(70 * 1024);
    let long = leaf.repeat(9);
    let key_block = key.serialize_pem();
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for pem in ["", "{}", cut, &huge, &long, &key_block, broken] {
        assert_eq!(check(pem.as_bytes(), "a.example.com", &spki(&key), NOW), Err(Unusable::Malformed));
    }
}

#[test]
fn the_top_of_a_chain_says_who_signed_it() {
    let (root, below, key) = (ca("Root X"), ca("Below Y"), KeyPair::generate().unwrap());
    let leaf = sign(&params(&["a.example.com"]), &key, &below);
    assert_eq!(top_issuer(leaf.as_bytes()).as_deref(), Some("Below Y"));
    assert_eq!(top_issuer((leaf + &root.pem).as_bytes()).as_deref(), Some("Root X"));
    assert_eq!((top_issuer(b""), top_issuer(b"words")), (None, None));
}
