use std::collections::BTreeMap;

use bailey_crds::topology::Dns01;
use serde_json::{Value, json};

use super::*;
use crate::acme::{Material, SettingsError};
use server::{KEY, KEY_NAME, Server};

mod by_http;
pub(in crate::acme) mod server;

const NAME: &str = "_acme-challenge.a.example.com";
const CANARY: &str = "CANARY0123456789";

fn material(entries: &[(&str, &str)]) -> Material {
    let entries = entries.iter().map(|(key, value)| ((*key).to_owned(), Secret::new(value.as_bytes().to_vec())));
    Material { dns_credentials: entries.collect(), ..Material::default() }
}

fn settings(spec: Value, entries: &[(&str, &str)]) -> Result<Arc<Dns>, SettingsError> {
    let spec: Dns01 = serde_json::from_value(spec).unwrap();
    dns(&spec, &material(entries))
}

/// Updates to that server, which alone is asked whether they are there.
fn by_update(server: &Server, seconds: u16, key: &[u8]) -> Arc<Dns> {
    let address = server.address.to_string();
    let spec = json!({"provider": "rfc2136", "credentialsRef": {"name": "dns"},
        "propagation": {"nameservers": [address], "timeoutSeconds": seconds}});
    let key = data_encoding::BASE64.encode(key);
    settings(spec, &[("server", &address), ("keyName", KEY_NAME), ("key", &key)]).unwrap()
}

#[tokio::test]
async fn a_record_comes_by_update_beside_others_and_goes_alone() {
    let server = Server::start().await;
    let dns = by_update(&server, 20, KEY);
    dns.publish(NAME, "one").await.unwrap();
    dns.publish(NAME, "two").await.unwrap();
    dns.publish(NAME, "one").await.unwrap();
    let both = |one: &str, two: &str| vec![(NAME.to_owned(), one.to_owned()), (NAME.to_owned(), two.to_owned())];
    assert_eq!(server.texts(), both("one", "two"));
    dns.retract(NAME, "one").await.unwrap();
    assert_eq!(server.texts(), [(NAME.to_owned(), "two".to_owned())]);
    dns.retract(NAME, "never").await.unwrap();
    dns.retract(NAME, "two").await.unwrap();
    assert!(server.texts().is_empty());
    assert_eq!(server.zone().updates, 6);
}

#[tokio::test]
async fn the_authority_waits_until_the_servers_show_the_record() {
    let server = Server::start().await;
    let dns = by_update(&server, 20, KEY);
    server.zone().lag = 1;
    dns.publish(NAME, "one").await.unwrap();
    assert_eq!(server.zone().lag, 0);
    server.zone().lag = 1_000;
    let error = by_update(&server, 1, KEY).publish(NAME, "two").await.unwrap_err();
    assert!(error.contains("not to be seen within 1 s") && error.contains("does not have it"), "{error}");
}

#[tokio::test]
async fn answers_that_are_cut_or_lost_come_by_tcp() {
    let server = Server::start().await;
    let dns = by_update(&server, 20, KEY);
    server.zone().cut = true;
    dns.publish(NAME, "one").await.unwrap();
    (server.zone().cut, server.zone().by_tcp_only) = (false, true);
    assert!(shows(server.address, NAME, "one").await.unwrap());
}

#[tokio::test]
async fn a_record_is_written_where_its_alias_leads() {
    let server = Server::start().await;
    let dns = by_update(&server, 20, KEY);
    assert_eq!(dns.place(NAME).await.unwrap(), NAME);
    let alias = (NAME.to_owned(), "a.proofs.example.com".to_owned());
    server.zone().aliases.extend([alias, ("a.proofs.example.com".to_owned(), "b.proofs.example.com".to_owned())]);
    assert_eq!(dns.place(NAME).await.unwrap(), "b.proofs.example.com");
}

#[tokio::test]
async fn the_zone_and_its_servers_are_found() {
    let server = Server::start().await;
    let resolver = Resolver::Given(vec![server.address]);
    assert_eq!(resolver.zone(NAME).await.unwrap().to_string(), "example.com.");
    assert_eq!(resolver.zone("example.com").await.unwrap().to_string(), "example.com.");
    let error = resolver.zone("a.example.org").await.unwrap_err().to_string();
    assert!(error.contains(&server.address.to_string()) && error.contains("Refused"), "{error}");
}

#[tokio::test]
async fn a_refused_update_says_why_and_shows_no_key() {
    let server = Server::start().await;
    let dns = by_update(&server, 20, CANARY.as_bytes());
    let error = dns.publish(NAME, "one").await.unwrap_err();
    assert!(error.contains("does not add the record") && error.contains("does not know the key"), "{error}");
    let encoded = data_encoding::BASE64.encode(CANARY.as_bytes());
    let printed = format!("{error} {dns:?}");
    assert!(!printed.contains(CANARY) && !printed.contains(&encoded), "{printed}");
    let gone = server.address;
    drop(server);
    let error = shows(gone, NAME, "one").await.unwrap_err().to_string();
    assert!(error.contains(&gone.to_string()), "{error}");
}

#[test]
fn a_wrong_word_or_entry_is_named_with_its_field_and_never_shown() {
    let rfc2136 = json!({"provider": "rfc2136", "credentialsRef": {"name": "dns"}});
    let hook = |url: &str| json!({"webhook": {"url": url}, "credentialsRef": {"name": "dns"}});
    let key: &[(&str, &str)] = &[("server", "127.0.0.1"), ("keyName", "k")];
    let with = |more: &[(&'static str, &'static str)]| [key, more].concat();
    type Case<'a> = (Value, Vec<(&'a str, &'a str)>, &'a [&'a str]);
    let cases: Vec<Case<'_>> = vec![
        (
            json!({"provider": "alidn", "credentialsRef": {"name": "dns"}}),
            vec![],
            &["dns01.provider", "alidn is not known", "did you mean alidns?", "rfc2136"],
        ),
        (
            json!({"provider": "alidns", "credentialsRef": {"name": "dns"}}),
            vec![("accessKeyId", CANARY)],
            &["dns01.credentialsRef", "the Secret dns", "no entry accessKeySecret", "accessKeyId"],
        ),
        (
            json!({"provider": "ovh", "credentialsRef": {"name": "dns"}}),
            vec![("endpoint", "x"), ("applicationKey", CANARY), ("applicationSecret", CANARY), ("consumerKey", CANARY)],
            &["credentialsRef", "does not do for ovh"],
        ),
        (rfc2136.clone(), vec![], &["credentialsRef", "no entry server"]),
        (rfc2136.clone(), with(&[]), &["credentialsRef", "no entry key"]),
        (rfc2136.clone(), with(&[("key", "CANARY0123456789!")]), &["credentialsRef", "no base64 in key"]),
        (rfc2136.clone(), with(&[("key", "")]), &["credentialsRef", "nothing in key"]),
        (rfc2136, with(&[("key", "AAAA"), ("algorithm", "hmac-md5")]), &["credentialsRef", "algorithm", "hmac-sha256"]),
        (hook("http://hook.test/x"), vec![("token", CANARY)], &["webhook.url", "https://"]),
        (hook("https:///x"), vec![], &["webhook.url"]),
        (
            json!({"webhook": {"url": "https://x.test"}, "propagation": {"nameservers": ["ns.test"]}}),
            vec![],
            &["propagation.nameservers", "ns.test is no address"],
        ),
    ];
    for (spec, entries, said) in cases {
        let error = settings(spec.clone(), &entries).unwrap_err().to_string();
        for word in said {
            assert!(error.contains(word), "{word:?} in: {error}");
        }
        assert!(!error.contains(CANARY), "{error}");
    }
}

#[test]
fn every_provider_of_the_table_is_made_of_the_entries_that_it_needs() {
    let pem = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).map(|key| key.serialize_pem());
    let pem = pem.unwrap_or_else(|_| rcgen::KeyPair::generate().unwrap().serialize_pem());
    for known in providers::ALL {
        let value = |key: &str| match key {
            "endpoint" => "ovh-eu".to_owned(),
            "url" => "http://127.0.0.1:1".to_owned(),
            "region" => "eu-central-1".to_owned(),
            "privateKey" => pem.clone(),
            _ => CANARY.to_owned(),
        };
        let entries: BTreeMap<String, Secret> = known
            .needs
            .iter()
            .chain(known.takes)
            .map(|key| ((*key).to_owned(), Secret::new(value(key).into_bytes())))
            .collect();
        let spec: Dns01 =
            serde_json::from_value(json!({"provider": known.name, "credentialsRef": {"name": "dns"}})).unwrap();
        let made = dns(&spec, &Material { dns_credentials: entries.clone(), ..Material::default() }).unwrap();
        let printed = format!("{made:?}");
        assert!(printed.contains(known.name) && !printed.contains(CANARY), "{printed}");
        for missing in known.needs {
            let mut less = entries.clone();
            less.remove(*missing);
            let error = dns(&spec, &Material { dns_credentials: less, ..Material::default() }).unwrap_err().to_string();
            assert!(error.contains(&format!("no entry {missing}")), "{}: {error}", known.name);
        }
    }
}

#[test]
fn the_page_lists_every_provider_with_its_entries() {
    let page = include_str!("../../../../docs/dns-01.md");
    for known in providers::ALL {
        let needs = known.needs.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
        let mut row = format!("| `{}` | {needs} |", known.name);
        if !known.takes.is_empty() {
            let takes = known.takes.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
            row = format!("| `{}` | {needs}; may have {takes} |", known.name);
        }
        assert!(page.contains(&row), "docs/dns-01.md lacks this row:\n{row}");
    }
}
