//! What an authority may do wrong: the certificate before goes on serving, no limit is passed, the reason is said, and all is well again
//! when the authority is.

use std::time::Duration;

use bailey_acme::Time;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, SanType};
use serde_json::{Value, json};

use super::authority::{Ca, Evil, Placed, Step, date};
use super::bed::{Bed, By};

const HOST: &str = "a.example.com";
const DAY: Duration = Duration::from_hours(24);

const NO_FIELD: (&str, &str) = ("x-nothing", "");

fn nothing() -> String {
    String::new()
}

fn html() -> String {
    "<html>out of order</html>".to_owned()
}

fn huge() -> String {
    format!("{{\"status\": \"{}\"}}", "x".repeat(2 * 1024 * 1024))
}

fn limited() -> String {
    r#"{"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many certificates already issued"}"#.to_owned()
}

fn refused() -> String {
    r#"{"type": "urn:ietf:params:acme:error:rejectedIdentifier", "detail": "policy forbids this name", "status": 403}"#
        .to_owned()
}

fn no_account() -> String {
    r#"{"type": "urn:ietf:params:acme:error:accountDoesNotExist", "detail": "who are you?", "status": 400}"#.to_owned()
}

fn names(params: &mut CertificateParams, names: &[&str]) {
    params.subject_alt_names = names.iter().map(|name| SanType::DnsName((*name).try_into().unwrap())).collect();
}

/// What is wrong, and words of what is said about it.
const CASES: &[(&str, Evil, &str)] = &[
    ("another name", Evil::Leaf(|params, _| names(params, &["b.example.com"])), "b.example.com"),
    ("one name more", Evil::Leaf(|params, _| names(params, &[HOST, "b.example.com"])), "b.example.com"),
    ("no name", Evil::Leaf(|params, _| params.subject_alt_names.clear()), "was ordered"),
    (
        "an address",
        Evil::Leaf(|params, _| params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())]),
        "was ordered",
    ),
    ("another key", Evil::OtherKey, "not ours"),
    ("expired", Evil::Leaf(|params, now| params.not_after = date(now.before(DAY))), "does not cover"),
    ("not valid yet", Evil::Leaf(|params, now| params.not_before = date(now.after(DAY))), "does not cover"),
    (
        "valid for a moment",
        Evil::Leaf(|params, now| params.not_after = date(now.after(Duration::from_mins(5)))),
        "does not cover",
    ),
    (
        "not for servers",
        Evil::Leaf(|params, _| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]),
        "not one for servers",
    ),
    (
        "an authority itself",
        Evil::Leaf(|params, _| params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained)),
        "not one for servers",
    ),
    ("a chain of another", Evil::Chain(|leaf, _| leaf + &Ca::new("Other CA").pem), "not signed by the one after it"),
    ("a chain in the wrong order", Evil::Chain(|leaf, ca| ca.pem.clone() + &leaf), "was ordered"),
    ("a chain too long", Evil::Chain(|leaf, ca| leaf + &ca.pem.repeat(20)), "no chain of at most 8"),
    ("a chain too large", Evil::Chain(|leaf, _| leaf + &"x".repeat(2 * 1024 * 1024)), "length limit"),
    ("no certificate at all", Evil::Chain(|_, _| String::new()), "no chain"),
    ("a key in place of a certificate", Evil::Chain(|leaf, _| leaf.replace("CERTIFICATE", "PRIVATE KEY")), "no chain"),
    ("words in place of a certificate", Evil::Chain(|_, _| "soon".to_owned()), "no chain"),
    ("a directory that is none", Evil::Answer(Step::Directory, 200, NO_FIELD, html), "expected value"),
    ("an order that is none", Evil::Answer(Step::NewOrder, 201, ("location", "/order/1"), html), "expected value"),
    ("a huge answer", Evil::Answer(Step::NewOrder, 201, ("location", "/order/1"), huge), "length limit"),
    ("an error without words", Evil::Answer(Step::NewOrder, 500, NO_FIELD, nothing), "EOF"),
    ("a redirect", Evil::Answer(Step::NewOrder, 307, ("location", "https://127.0.0.1:1/"), nothing), "EOF"),
    ("asks to wait no time", Evil::Answer(Step::NewOrder, 429, ("retry-after", "0"), limited), "too many certificates"),
    (
        "asks to wait ten years",
        Evil::Answer(Step::NewOrder, 429, ("retry-after", "315360000"), limited),
        "too many certificates",
    ),
    (
        "asks to wait a time that is none",
        Evil::Answer(Step::NewOrder, 429, ("retry-after", "soon"), limited),
        "too many certificates",
    ),
    ("is being repaired", Evil::Answer(Step::Finalize, 503, NO_FIELD, html), "503"),
    ("refuses the name", Evil::Answer(Step::NewOrder, 403, NO_FIELD, refused), "policy forbids this name"),
    ("knows the account no more", Evil::Answer(Step::NewOrder, 400, NO_FIELD, no_account), "who are you?"),
    ("gives no nonces", Evil::Answer(Step::Nonce, 500, NO_FIELD, nothing), "newNonce"),
    ("cuts an order", Evil::Cut(Step::NewOrder), "no answer that can be read"),
    ("cuts a proof", Evil::Cut(Step::Challenge), "no answer that can be read"),
    ("cuts a request", Evil::Cut(Step::Finalize), "no answer that can be read"),
    ("cuts a certificate", Evil::Cut(Step::Certificate), "no answer that can be read"),
    (
        "asks for another name's proof",
        Evil::Object(Step::Authorization, |object| object["identifier"]["value"] = json!("b.example.com")),
        "proof of another name",
    ),
    (
        "asks for a wildcard's proof",
        Evil::Object(Step::Authorization, |object| object["wildcard"] = json!(true)),
        "proof of another name",
    ),
    (
        "offers no challenge of ours",
        Evil::Object(Step::Authorization, |object| object["challenges"] = json!([])),
        "does not offer the challenge http-01",
    ),
    (
        "makes a token that is a path",
        Evil::Object(Step::Authorization, |object| object["challenges"][0]["token"] = json!("../x")),
        "token",
    ),
    ("finds no proof", Evil::Object(Step::Order, |object| object["status"] = json!("invalid")), "invalid"),
    (
        "never comes to an end",
        Evil::Object(Step::Order, |object| object["status"] = json!("processing")),
        "key that is not known here",
    ),
    (
        "says where no certificate is",
        Evil::Object(Step::Order, |object| drop(object.as_object_mut().unwrap().remove("certificate"))),
        "no certificate URL",
    ),
    ("gives the certificate in plain text", Evil::Object(Step::Order, plain), "unsupported scheme http"),
];

fn plain(object: &mut Value) {
    if let Some(url) = object.get("certificate").and_then(Value::as_str) {
        object["certificate"] = json!(url.replace("https://", "http://"));
    }
}

/// No window of these lengths has more orders, or more certificates, than the authority allows (Let's Encrypt's figures).
fn within_limits(orders: &[Placed]) {
    let in_window = |from: Time, length: Duration, counts: &dyn Fn(&Placed) -> bool| {
        orders.iter().filter(|one| one.at >= from && one.at < from.after(length) && counts(one)).count()
    };
    for order in orders {
        assert!(in_window(order.at, Duration::from_hours(3), &|_| true) <= 300);
        assert!(in_window(order.at, 7 * DAY, &|one| one.issued()) <= 5, "certificates of one name in a week");
        assert!(in_window(order.at, Duration::from_hours(1), &|one| one.failed()) <= 5, "failed proofs in an hour");
    }
}

async fn outlives(what: &str, evil: Evil, said: &str) {
    let mut bed = Bed::new(&[HOST], By::Http, json!({})).await;
    bed.pass(Duration::from_mins(10)).await;
    let old = bed.served(HOST).unwrap_or_else(|| panic!("{what}: {:?}", bed.listed(HOST)));
    // It is renewed when two thirds of its 90 days are over, or by its name some days before.
    bed.pass(57 * DAY).await;
    assert_eq!(bed.served(HOST), Some(old.clone()), "{what}");
    bed.authority.state().evil = Some(evil);
    if matches!(evil, Evil::Answer(Step::Directory, ..)) {
        // It is read once in the life of a process.
        bed.restart().await;
    }
    let mut words = String::new();
    for _ in 0..6 {
        bed.pass(DAY).await;
        assert_eq!(bed.served(HOST), Some(old.clone()), "{what}: the certificate before is served throughout");
        words = words + "\n" + bed.listed(HOST).error.as_deref().unwrap_or_default();
    }
    assert!(words.contains(said), "{what}: {said:?} is not in:{words}");
    within_limits(&bed.authority.state().orders);
    bed.authority.state().evil = None;
    bed.pass(9 * DAY).await;
    assert_ne!(bed.served(HOST), Some(old), "{what}: renewed when the authority is well again: {:?}", bed.listed(HOST));
    within_limits(&bed.authority.state().orders);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_an_authority_does_wrong_takes_a_certificate_away() {
    let mut failed = 0;
    for chunk in CASES.chunks(8) {
        let all = chunk.iter().map(|(what, evil, said)| tokio::spawn(outlives(what, *evil, said)));
        for one in futures_util::future::join_all(all).await {
            failed += usize::from(one.is_err());
        }
    }
    assert_eq!(failed, 0, "each has said above what it is");
}

#[tokio::test]
async fn a_first_certificate_that_is_wrong_is_not_served_at_all() {
    let mut bed = Bed::new(&[HOST], By::Http, json!({})).await;
    bed.authority.state().evil = Some(Evil::OtherKey);
    bed.pass(DAY).await;
    assert!(bed.served(HOST).is_none());
    assert!(bed.listed(HOST).error.as_ref().unwrap().contains("not ours"));
}

#[tokio::test]
async fn a_silent_authority_is_given_up_after_the_deadline() {
    let mut bed = Bed::new(&[HOST], By::Http, json!({})).await;
    bed.authority.state().evil = Some(Evil::Silence(Step::NewOrder));
    bed.driver.settle().await;
    assert!(bed.listed(HOST).error.as_ref().unwrap().contains("no answer within"), "{:?}", bed.listed(HOST));
}
