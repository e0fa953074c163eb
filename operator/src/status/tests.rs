//! What a status says of a topology whose parts are known.

use std::net::IpAddr;
use std::sync::Arc;

use bailey_kit::admin::served::Served;
use serde_json::json;

use super::*;
use crate::proxies::Proxy;
use crate::testing::valid;

const NOW: i64 = 1_800_000_000;

/// A topology of one tenant with two hostnames; `outer` is put over the outer tier.
fn topology(outer: &Value) -> (ValidTopology, Decision) {
    let mut value = json!({
        "apiVersion": "bailey.dev/v1alpha1", "kind": "IngressTopology",
        "metadata": {"name": "main", "uid": "u", "generation": 1},
        "spec": {
            "outer": {"namespace": "out", "listeners": [{"name": "https", "port": 443, "protocol": "HTTPS"}]},
            "tenants": [{"name": "a", "namespaces": {"names": ["team-a"]}, "hostnames": ["a.example.com", "b.example.com"]}],
        },
    });
    for (key, field) in outer.as_object().unwrap() {
        value["spec"]["outer"][key] = field.clone();
    }
    valid(value)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn outer_proxy(certificates: Vec<CertificateSeen>) -> Proxy {
    let served = Served { digest: Some("d1".to_owned()), ready: true, certificates, ..Served::default() };
    let address = Some(IpAddr::from([10, 0, 0, 1]));
    Proxy { topology: "main".to_owned(), tenant: None, address, told: Some(Ok(Arc::new(served))) }
}

fn certificate(name: &str, end: i64) -> CertificateSeen {
    let not_after = Some(Time(at(end)));
    CertificateSeen {
        names: vec![name.to_owned()],
        not_after,
        source: format!("Secret out/{name}"),
        ..Default::default()
    }
}

/// The status of a topology whose tiers are all there.
fn status_of(outer: &Value, proxies: &[Proxy]) -> TopologyStatus {
    let (topology, hostnames) = topology(outer);
    let ready = Workload { desired: 1, ready: 1, rolled: true, image: Some("r/proxy:1".to_owned()), stuck: None };
    let service: DynamicObject = serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "main-outer"}, "spec": {"type": "LoadBalancer"},
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}},
    }))
    .unwrap();
    let known = Known {
        topology: &topology,
        hostnames: &hostnames,
        problems: &[],
        applied: true,
        workloads: &[Some(ready.clone()), Some(ready)],
        service: Some(&service),
        link_until: Some(at(NOW + 86_400)),
        proxies: &Proxies::of("main", proxies.iter()),
    };
    status(&TopologyStatus::default(), &known, at(NOW))
}

fn condition(status: &TopologyStatus, type_: ConditionType) -> (&str, &str, &str) {
    let found = status.conditions.iter().find(|one| one.type_ == type_.as_str()).unwrap();
    (&found.status, &found.reason, &found.message)
}

#[test]
fn a_node_s_address_in_place_of_the_client_s_is_told_with_the_way_out() {
    let lossy = json!({"exposure": {"service": {"type": "LoadBalancer", "externalTrafficPolicy": "Cluster"}}});
    let told = status_of(&lossy, &[]);
    let (status, _, message) = condition(&told, ConditionType::Ready);
    assert_eq!(status, "True");
    assert!(message.contains("externalTrafficPolicy Cluster replaces the client's address by a node's"), "{message}");
    assert!(message.contains("use Local, or say in spec.outer.clientAddress"), "{message}");
    let told = status_of(&json!({}), &[]);
    assert_eq!(condition(&told, ConditionType::Ready), ("True", "Ready", "every tier serves"));
}

#[test]
fn what_the_proxies_serve_and_show_is_told() {
    let certificates = vec![certificate("b.example.com", NOW + 500), certificate("a.example.com", NOW + 900)];
    let status = status_of(&json!({}), &[outer_proxy(certificates)]);
    assert_eq!((status.tiers[0].digest.as_deref(), status.tiers[0].serving.as_deref()), (Some("d1"), None));
    assert_eq!(status.tiers[1].digest, None, "the inner tier has not been asked");
    let hosts: Vec<&str> = status.certificates.iter().map(|one| one.hosts[0].as_str()).collect();
    assert_eq!(hosts, ["b.example.com", "a.example.com"], "those that end first come first");
    assert_eq!(status.next_expiry, Some(Time(at(NOW + 500))));
    let (verdict, _, message) = condition(&status, ConditionType::CertificatesReady);
    assert!(verdict == "True" && message.ends_with("every hostname has a certificate"), "{message}");
}

#[test]
fn with_given_certificates_a_host_without_one_is_named_and_an_ended_one_is_a_failure() {
    let told = status_of(&json!({}), &[outer_proxy(vec![certificate("a.example.com", NOW + 900)])]);
    let (verdict, _, message) = condition(&told, ConditionType::CertificatesReady);
    assert!(verdict == "True" && message.contains("is for b.example.com, so clients cannot"), "{message}");
    let told = status_of(&json!({}), &[outer_proxy(vec![certificate("a.example.com", NOW)])]);
    let (verdict, reason, message) = condition(&told, ConditionType::CertificatesReady);
    assert_eq!((verdict, reason), ("False", "CertificatesFailed"));
    assert_eq!(message, "the certificate for a.example.com (Secret out/a.example.com) has ended; renew it");
    assert_eq!(condition(&told, ConditionType::Ready).0, "False");
}

#[test]
fn with_acme_every_hostname_has_to_have_a_certificate_first() {
    let acme = json!({
        "acme": {"directory": "letsencrypt-staging", "challenge": {"http01": {}}},
        "certificates": {"store": {"secrets": {}}},
        "listeners": [{"name": "https", "port": 443, "protocol": "HTTPS"}, {"name": "http", "port": 80, "protocol": "HTTP"}],
    });
    let told = status_of(&acme, &[]);
    let (verdict, reason, message) = condition(&told, ConditionType::CertificatesReady);
    assert_eq!((verdict, reason), ("False", "CertificatesPending"));
    assert!(message.contains("no proxy of the outer tier has said yet"), "{message}");
    let ordered = CertificateSeen {
        names: vec!["b.example.com".to_owned()],
        next_step: Some("an order at 12:00".to_owned()),
        ..CertificateSeen::default()
    };
    let told = status_of(&acme, &[outer_proxy(vec![certificate("a.example.com", NOW + 9), ordered.clone()])]);
    let (_, reason, message) = condition(&told, ConditionType::CertificatesReady);
    assert_eq!(
        (reason, message),
        ("CertificatesPending", "there is no certificate yet for b.example.com: an order at 12:00")
    );
    let failed = CertificateSeen { last_error: Some("the authority says 429".to_owned()), ..ordered };
    let told = status_of(&acme, &[outer_proxy(vec![certificate("a.example.com", NOW + 9), failed])]);
    let (_, reason, message) = condition(&told, ConditionType::CertificatesReady);
    assert_eq!(
        (reason, message),
        ("CertificatesFailed", "there is no certificate yet for b.example.com: the authority says 429")
    );
    let told = status_of(&acme, &[outer_proxy(vec![certificate("a.example.com", NOW + 9)])]);
    let (_, reason, message) = condition(&told, ConditionType::CertificatesReady);
    assert_eq!(reason, "CertificatesPending");
    assert!(message.ends_with("for b.example.com; the proxies have not begun to order it yet"), "{message}");
    let both = vec![certificate("a.example.com", NOW + 9), certificate("b.example.com", NOW + 9)];
    assert_eq!(condition(&status_of(&acme, &[outer_proxy(both.clone())]), ConditionType::CertificatesReady).0, "True");
    // Whatever keeps the proxies from ordering is said, also while all names still have what they need.
    let hindered = |certificates| {
        let mut proxy = outer_proxy(certificates);
        let told = Served { orders_trouble: Some("the volume is read-only".to_owned()), ..told_by(&proxy) };
        proxy.told = Some(Ok(Arc::new(told)));
        status_of(&acme, &[proxy])
    };
    let told = hindered(vec![certificate("a.example.com", NOW + 9)]);
    let (_, reason, message) = condition(&told, ConditionType::CertificatesReady);
    assert!(reason == "CertificatesFailed" && message.ends_with("b.example.com: the volume is read-only"), "{message}");
    let told = hindered(both);
    let (verdict, _, message) = condition(&told, ConditionType::CertificatesReady);
    assert!(
        verdict == "True" && message.ends_with("none can be ordered or renewed: the volume is read-only"),
        "{message}"
    );
}

fn told_by(proxy: &Proxy) -> Served {
    proxy.told.clone().unwrap().unwrap().as_ref().clone()
}

#[test]
fn while_no_outer_proxy_can_say_what_it_shows_what_was_said_before_stands() {
    let proxy = outer_proxy(vec![certificate("a.example.com", NOW + 900)]);
    let before = status_of(&json!({}), std::slice::from_ref(&proxy));
    let starting = Proxy { told: Some(Ok(Arc::new(Served { ready: false, ..told_by(&proxy) }))), ..proxy };
    for proxies in [&[][..], &[starting]] {
        let (topology, hostnames) = topology(&json!({}));
        let known = Known {
            topology: &topology,
            hostnames: &hostnames,
            problems: &[],
            applied: true,
            workloads: &[None, None],
            service: None,
            link_until: Some(at(NOW + 86_400)),
            proxies: &Proxies::of("main", proxies.iter()),
        };
        let now = status(&before, &known, at(NOW));
        assert_eq!((&now.certificates, &now.next_expiry), (&before.certificates, &before.next_expiry));
        assert_eq!(now.certificates.len(), 1);
    }
}
