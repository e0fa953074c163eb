//! Proofs by DNS, which wildcards need: set by signed updates, seen at the name server, and taken away again.

use std::time::Duration;

use super::pebble::{Pebble, UPDATE_KEY, Ways, free_ports};
use super::site::{Site, within};

/// A name, another, and the wildcard below that one: the last two are proven by texts at the same name at the same time.
const NAMES: [(&str, &str); 3] =
    [("team-a", "www.team-a.test"), ("team-b", "wild.team-b.test"), ("team-b", "*.wild.team-b.test")];

/// Each name gets its certificate by one order, and no text is left.
#[test]
#[ignore = "needs Pebble: make acme"]
fn by_dns_01_with_signed_updates() {
    let ports = free_ports(3);
    let pebble = Pebble::start(&ports, Ways { refused_nonces: 30, ..Ways::default() });
    let root = pebble.root();
    let settings = format!(
        "challenge: {{dns01: {{provider: rfc2136, credentialsRef: {{name: updates}}, propagation: {{nameservers: [\"{}\"]}}}}}}",
        pebble.names()
    );
    let secret = format!(
        "---
apiVersion: v1
kind: Secret
metadata: {{name: updates, namespace: ingress-main}}
stringData: {{server: \"{}\", keyName: {}, key: {}}}
",
        pebble.names(),
        UPDATE_KEY.0,
        UPDATE_KEY.1
    );
    let names = NAMES.map(|(tenant, host)| (tenant.to_owned(), host.to_owned())).to_vec();
    let site = Site::with(&settings, names, &secret);
    let running = site.up_with(&pebble, &ports, &[], &[("BAILEY_LOG", "trace")]);
    for host in site.hosts() {
        running.waits_for(&root, &host.replace('*', "any"));
    }
    assert_eq!((pebble.orders(), pebble.issued()), (3, 3), "{}", pebble.log());
    within(Duration::from_secs(30), &|| format!("the texts are gone\n{}", pebble.log()), || pebble.texts() == (3, 3));
    assert!(!running.log().contains(UPDATE_KEY.1), "the key of updates is in the log");
    running.kill();
}
