//! Everything that a process says, by whatever way, is searched for what nobody may learn: account key, certificate keys, tokens and what
//! is made of them.

use std::net::TcpStream;
use std::time::Duration;

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER};

use super::client::ask;
use super::collector::Collector;
use super::pebble::{Pebble, Ways, free_ports};
use super::site::{Running, Site, within};

/// What the admin port shows.
const PAGES: [&str; 10] = [
    "/metrics",
    "/served",
    "/",
    "/requests",
    "/certificates",
    "/configuration",
    "/api/topology",
    "/api/configuration",
    "/api/traces",
    "/api/explain?url=https://www.team-a.test/",
];

/// The ways in which some bytes may be written down.
fn forms(bytes: &[u8]) -> Vec<Vec<u8>> {
    let texts =
        [BASE64_NOPAD.encode(bytes), BASE64URL_NOPAD.encode(bytes), HEXLOWER.encode(bytes), format!("{bytes:?}")];
    texts.into_iter().map(String::into_bytes).chain([bytes.to_vec()]).collect()
}

/// A key that is written down in base64: all of it, and its secret number (RFC 5915, in PKCS#8 of P-256).
fn forms_of_key(kept: &str) -> Vec<Vec<u8>> {
    let der = BASE64.decode(kept.trim_matches('"').as_bytes()).expect("base64");
    let at = der.windows(5).position(|window| window == [2, 1, 1, 4, 32]).expect("a key of P-256") + 5;
    [forms(&der), forms(&der[at..at + 32])].concat()
}

fn contains(said: &[u8], secret: &[u8]) -> bool {
    said.windows(secret.len()).any(|window| window == secret)
}

/// What the running process shows and sends.
fn all_that_is_said(running: &Running, collector: &Collector) -> Vec<(String, Vec<u8>)> {
    let page = |path: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", running.admin)).unwrap();
        let answer = ask(&mut stream, &format!("127.0.0.1:{}", running.admin), path);
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        (path.to_owned(), answer.into_bytes())
    };
    let mut said: Vec<_> = PAGES.iter().map(|path| page(path)).collect();
    said.push(("the log".to_owned(), running.log().into_bytes()));
    said.push(("the telemetry".to_owned(), collector.taken()));
    said
}

fn nothing_secret_is_said(challenge: &str) {
    let ports = free_ports(3);
    let pebble = Pebble::start(&ports, Ways { refused_nonces: 30, ..Ways::default() });
    let root = pebble.root();
    let (right, wrong) = ("www.team-a.test", "www.team-b.test");
    let site = Site::new(challenge, &[("team-a", right), ("team-b", wrong)]);
    let collector = Collector::start();
    let environment = [("BAILEY_LOG", "trace"), ("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.endpoint())];
    let running = site.up_with(&pebble, &ports, &["--access-log"], &environment);
    for host in site.hosts() {
        running.waits_for(&root, &host);
        assert_eq!(running.get(&root, &host), 200);
    }
    within(Duration::from_secs(30), &|| "spans".to_owned(), || contains(&collector.taken(), right.as_bytes()));
    let said = all_that_is_said(&running, &collector);
    let log = running.log();
    // What is searched is there.
    for part in ["a certificate is live", "TRACE", r#""host":"www.team-a.test""#, "store has no effect on one machine"]
    {
        assert!(log.contains(part), "{part} is not in the log:\n{log}");
    }
    assert!(!log.contains("acme has no effect"), "what is heeded has an effect: {log}");

    let keys = site.keys();
    assert_eq!(keys.len(), 3, "two certificates and an account");
    let tokens = pebble.tokens();
    // Pebble tells the tokens that it asks for by HTTP.
    assert_eq!(tokens.is_empty(), challenge != "http01", "{}", pebble.log());
    let secrets = keys.iter().flat_map(|key| forms_of_key(key)).chain(tokens.into_iter().map(String::into_bytes));
    for secret in secrets {
        for (place, text) in &said {
            if contains(text, &secret) {
                let text = String::from_utf8_lossy(text);
                let line = text.lines().find(|line| contains(line.as_bytes(), &secret)).unwrap_or_default();
                panic!("a secret is in {place}: {line}");
            }
        }
    }
    running.kill();
}

#[test]
#[ignore = "needs Pebble: make acme"]
fn nothing_secret_is_said_with_tls_alpn_01() {
    nothing_secret_is_said("tlsAlpn01");
}
