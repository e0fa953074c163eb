use serde_json::{Value, json};

use super::*;
use crate::acme::Reference;

const CANARY: &str = "CANARY0123456789";

fn acme(mut with: Value) -> Acme {
    let all = with.as_object_mut().unwrap();
    all.entry("directory").or_insert(json!("https://ca.example.com/dir"));
    all.entry("challenge").or_insert(json!({"http01": {}}));
    serde_json::from_value(with).unwrap()
}

type Objects<'a> = &'a [(&'a str, &'a [(&'a str, &'a str)])];

/// Settings from objects that are there: kind and name, entries.
fn settings(with: Value, objects: Objects<'_>) -> Result<Settings, SettingsError> {
    let acme = acme(with);
    let material = Material::of(&acme, "ingress-main", |wanted| {
        let (_, entries) = objects.iter().find(|(name, _)| wanted.to_string().ends_with(name))?;
        Some(entries.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec())).collect())
    })?;
    Settings::of(&acme, &material)
}

fn certificate() -> String {
    rcgen::generate_simple_self_signed(["ca.example.com".to_owned()]).unwrap().cert.pem()
}

#[test]
fn settings_are_what_the_topology_says() {
    let staging = settings(
        json!({"directory": "letsencrypt-staging", "challenge": {"tlsAlpn01": {}}, "profile": "shortlived",
        "renewal": {"askAuthority": false, "remainingPercent": 40}, "untilIssued": "SelfSigned"}),
        &[],
    )
    .unwrap();
    assert_eq!(staging.directory, "https://acme-staging-v02.api.letsencrypt.org/directory");
    assert_eq!((staging.challenge, staging.self_signed, staging.ask_authority), (Challenge::TlsAlpn01, true, false));
    assert_eq!((staging.profile.as_deref(), staging.policy.remaining_percent), (Some("shortlived"), Some(40)));
    let plain = settings(json!({}), &[]).unwrap();
    assert_eq!(plain.directory, "https://ca.example.com/dir");
    assert_eq!((plain.challenge, plain.self_signed, plain.ask_authority), (Challenge::Http01, false, true));
    assert!(plain.roots.is_none() && plain.external_account.is_none());
}

#[test]
fn references_lead_to_roots_and_to_the_key_of_an_account() {
    let with = json!({
        "caBundleRef": {"name": "bundle", "key": "ca.crt"},
        "externalAccount": {"keyId": "kid-1", "secretRef": {"name": "account", "key": "mac"}}});
    let all = Material::references(&acme(with.clone()));
    assert_eq!(all, [Reference::ConfigMap("bundle".to_owned()), Reference::Secret("account".to_owned())]);
    let pem = certificate() + &certificate();
    // Authorities write the key with and without padding, and people add a line's end.
    for mac in ["c2VjcmV0LTEyMzQ", "c2VjcmV0LTEyMzQ=\n"] {
        let objects: Objects<'_> = &[("bundle", &[("ca.crt", &pem)]), ("account", &[("mac", mac)])];
        let settings = settings(with.clone(), objects).unwrap();
        assert_eq!(settings.roots.unwrap().len(), 2);
        let account = settings.external_account.unwrap();
        assert_eq!((account.key_id.as_str(), account.mac.expose()), ("kid-1", b"secret-1234".as_slice()));
    }
}

#[test]
fn what_is_missing_or_wrong_is_named_with_its_field_and_a_remedy() {
    let bundle = json!({"caBundleRef": {"name": "bundle", "key": "ca.crt"}});
    let account = json!({"externalAccount": {"keyId": "kid-1", "secretRef": {"name": "account", "key": "mac"}}});
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let cases: [(&Value, Objects<'_>, &[&str]); 9] = [
        (&bundle, &[], &["spec.outer.acme.caBundleRef", "the ConfigMap bundle", "namespace ingress-main", "create it"]),
        (
            &bundle,
            &[("bundle", &[("x", "")])],
            &["caBundleRef", "the ConfigMap bundle", "no entry ca.crt", "it has: x"],
        ),
        (&bundle, &[("bundle", &[("ca.crt", "")])], &["caBundleRef", "no certificate in it", "PEM"]),
        (&bundle, &[("bundle", &[("ca.crt", "words")])], &["caBundleRef", "no certificate in it", "PEM"]),
        (&bundle, &[("bundle", &[("ca.crt", broken)])], &["caBundleRef", "entry ca.crt", "PEM"]),
        (&account, &[], &["externalAccount.secretRef", "the Secret account", "create it"]),
        (&account, &[("account", &[("key", "x")])], &["externalAccount.secretRef", "no entry mac", "it has: key"]),
        (&account, &[("account", &[("mac", "")])], &["externalAccount.secretRef", "base64url"]),
        (&account, &[("account", &[("mac", "CANARY0123456789+/")])], &["externalAccount.secretRef", "base64url"]),
    ];
    for (with, objects, said) in cases {
        let error = settings(with.clone(), objects).unwrap_err().to_string();
        for word in said {
            assert!(error.contains(word), "{word:?} in: {error}");
        }
        assert!(!error.contains(CANARY), "{error}");
    }
}

/// The samples' objects lead to settings; a `ConfigMap` that the reader makes is made here.
#[test]
fn every_sample_gives_settings() {
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/../samples/certificates");
    let mut directories = Vec::new();
    for entry in std::fs::read_dir(samples).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let documents: Vec<Value> = serde_saphyr::from_multiple(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let topology = documents.iter().find(|one| one["kind"] == "IngressTopology").unwrap();
        let acme: Acme = serde_json::from_value(topology["spec"]["outer"]["acme"].clone()).unwrap();
        let material = Material::of(&acme, "ingress-main", |reference| {
            let Reference::Secret(name) = reference else {
                return Some(BTreeMap::from([("ca.crt".to_owned(), certificate().into_bytes())]));
            };
            let secret = documents.iter().find(|one| one["kind"] == "Secret" && one["metadata"]["name"] == **name)?;
            let entries = secret["stringData"].as_object()?.iter();
            Some(entries.map(|(key, value)| (key.clone(), value.as_str().unwrap().as_bytes().to_vec())).collect())
        });
        let settings = material.and_then(|material| Settings::of(&acme, &material));
        directories.push(settings.unwrap_or_else(|error| panic!("{}: {error}", path.display())).directory);
    }
    assert_eq!(directories.len(), 6);
}

#[test]
fn nothing_prints_what_references_lead_to() {
    let account = json!({"externalAccount": {"keyId": "kid-1", "secretRef": {"name": "account", "key": "mac"}}});
    let acme = acme(account);
    let read = |_: &Reference| Some(BTreeMap::from([("mac".to_owned(), CANARY.as_bytes().to_vec())]));
    let material = Material::of(&acme, "ingress-main", read).unwrap();
    let settings = Settings::of(&acme, &material).unwrap();
    let raw = BASE64URL_NOPAD.decode(CANARY.as_bytes()).unwrap();
    let printed = format!("{material:?} {settings:?}");
    assert!(!printed.contains(CANARY) && !printed.contains(&format!("{raw:?}")), "{printed}");
}
