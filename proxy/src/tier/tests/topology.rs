//! An outer and an inner tier with a real link between them.

use super::super::*;
use super::support::{self, *};
use bailey_kit::admin::served::Served;
use serde_json::json;
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread")]
async fn the_client_s_address_crosses_both_tiers_over_a_link() {
    let app = echo().await;
    let authority = Authority::new();
    let common =
        || [topology(), route("team-a", "main", "a.example", "/")].into_iter().chain(service("team-a", "app", 80, app));
    let role = Role::Inner { topology: "main".into(), tenant: "team-a".into() };
    let link = Some(authority.link("bailey://main/tenant/team-a"));
    let (inner, applied) = Tier::start(TierOptions { link, ..options(role) }, &objects(common())).await.unwrap();
    assert!(applied.diagnostics.is_empty(), "{:?}", applied.diagnostics);
    let at = inner.addresses()[0].address;
    let all = || objects(common().chain(link_service(at)));
    let link = Some(authority.link("bailey://main/outer"));
    let role = Role::Outer { topology: "main".into() };
    let (outer, applied) = Tier::start(TierOptions { link, ..options(role) }, &all()).await.unwrap();
    assert!(applied.diagnostics.is_empty(), "{:?}", applied.diagnostics);
    let to = outer.addresses()[0].address;

    let mut kept = TcpStream::connect(to).await.unwrap();
    let request =
        "GET /hello HTTP/1.1\r\nhost: a.example\r\nx-forwarded-for: 1.1.1.1, 203.0.113.9\r\nx-real-ip: 1.1.1.1\r\n\r\n";
    for _ in 0..3 {
        let answer = ask_on(&mut kept, request).await;
        assert!(answer.starts_with("http/1.1 200"), "{answer}");
        assert!(
            answer.contains("x-forwarded-for: 203.0.113.9\r\n") && answer.contains("x-real-ip: 203.0.113.9"),
            "{answer}"
        );
        assert!(!answer.contains("1.1.1.1"), "{answer}");
    }
    assert!(ask_on(&mut kept, &get("b.example", "/")).await.starts_with("http/1.1 404"));
    // An error of the inner tier names it.
    inner.apply(&objects([topology()]));
    let answer = ask_on(&mut kept, &get("a.example", "/")).await;
    assert!(answer.contains("proxy-status: bailey-inner; error=destination_not_found"), "{answer}");
    let strange = ask_on(&mut kept, "GET / HTTP/1.1\r\nhost: a.example\r\nx-forwarded-for: who\r\n\r\n").await;
    assert!(strange.starts_with("http/1.1 400"), "{strange}");
    assert!(outer.drain().await);
    assert!(inner.drain().await);
}

/// Two tenants with a host each, TLS at the outer tier, one inner tier for the first.
fn two_tenants() -> serde_json::Value {
    json!({"apiVersion": "bailey.dev/v1alpha1", "kind": "IngressTopology", "metadata": {"name": "main"},
    "spec": {
        "outer": {"namespace": "edge",
                  "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"},
                                {"name": "https", "port": 443, "protocol": "HTTPS"}],
                  "certificates": {"store": {"secrets": {}}, "secrets": ["cert-a", "cert-b"]}},
        "tenants": [
            {"name": "team-a", "namespaces": {"names": ["team-a"]}, "hostnames": ["a.example", "also-a.example"],
             "limits": {"requestsPerSecond": 20}},
            {"name": "team-b", "namespaces": {"names": ["team-b"]}, "hostnames": ["b.example"], "suspended": true},
        ],
    }})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_serves_the_tenant_of_its_server_name_and_no_other() {
    let (secret_a, cert_a) = tls_secret("edge", "cert-a", &["a.example", "also-a.example"]);
    let (secret_b, cert_b) = tls_secret("edge", "cert-b", &["b.example"]);
    let roots = [cert_a, cert_b];
    let authority = Authority::new();
    let link = Some(authority.link("bailey://main/outer"));
    let role = Role::Outer { topology: "main".into() };
    let all = objects([two_tenants(), secret_a, secret_b]);
    let (outer, _) = Tier::start(TierOptions { link, ..options(role) }, &all).await.unwrap();
    let at = |https: bool| outer.addresses().into_iter().find(|address| address.https == https).unwrap().address;

    let mut client = TlsClient::connect(at(true), "a.example", &roots).await.unwrap();
    let mut ask = async |host: &str| client.ask(&get(host, "/")).await.lines().next().unwrap().to_owned();
    // No inner tier runs, which is what the owner's hosts say; the first and later requests of a connection are the same.
    for _ in 0..2 {
        assert_eq!(ask("b.example").await, "http/1.1 421 misdirected request");
        assert_eq!(ask("nobody.example").await, "http/1.1 404 not found");
        assert_eq!(ask("a.example").await, "http/1.1 503 service unavailable");
        assert_eq!(ask("also-a.example").await, "http/1.1 503 service unavailable");
    }
    for unknown in ["nobody.example", "example"] {
        assert!(TlsClient::connect(at(true), unknown, &roots).await.is_err(), "{unknown}");
    }

    let port = at(true).port();
    for (method, status) in [("GET", 301), ("HEAD", 301), ("POST", 308)] {
        let answer = ask_head(
            at(false),
            &format!("{method} /p/a?q=1 HTTP/1.1\r\nhost: A.example:80\r\ncontent-length: 0\r\n\r\n"),
        )
        .await;
        assert!(answer.starts_with(&format!("http/1.1 {status} ")), "{answer}");
        assert!(answer.contains(&format!("location: https://a.example:{port}/p/a?q=1\r\n")), "{answer}");
    }
    assert!(ask_head(at(false), &get("nobody.example", "/")).await.starts_with("http/1.1 404"));

    let served = support::ask(outer.admin_address().unwrap(), &get("admin", "/served")).await;
    let served: Served = serde_json::from_str(served.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!((served.topology.as_deref(), served.tenant, served.counts.hosts), (Some("main"), None, 6));
    let [one, other] = &served.certificates[..] else { panic!("{:?}", served.certificates) };
    let sources = [one, other].map(|seen| (seen.names.len(), seen.source.as_str()));
    assert!(
        sources.contains(&(2, "Secret edge/cert-a")) && sources.contains(&(1, "Secret edge/cert-b")),
        "{sources:?}"
    );
    assert!(one.not_before < one.not_after && !one.issuer.is_empty(), "{one:?}");

    let mut suspended = TlsClient::connect(at(true), "b.example", &roots).await.unwrap();
    let answer = suspended.ask(&get("b.example", "/")).await;
    assert!(answer.starts_with("http/1.1 503") && answer.contains("retry-after: 3600\r\n"), "{answer}");
    assert!(
        answer.contains("proxy-status: bailey-outer; error=http_request_denied; details=\"this site is suspended\""),
        "{answer}"
    );
    let mut client = TlsClient::connect(at(true), "a.example", &roots).await.unwrap();
    let mut statuses = Vec::new();
    for _ in 0..60 {
        statuses.push(client.ask(&get("a.example", "/")).await[9..12].to_owned());
    }
    assert!(statuses.contains(&"503".to_owned()) && statuses.contains(&"429".to_owned()), "{statuses:?}");
    drop(client);
    drop(suspended);
    assert!(outer.drain().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inner_tier_lets_in_only_the_outer_tier_of_its_own_topology() {
    let app = echo().await;
    let (own, foreign) = (Authority::new(), Authority::new());
    let common =
        || [topology(), route("team-a", "main", "a.example", "/")].into_iter().chain(service("team-a", "app", 80, app));
    let role = Role::Inner { topology: "main".into(), tenant: "team-a".into() };
    let link = Some(own.link("bailey://main/tenant/team-a"));
    let (inner, _) = Tier::start(TierOptions { link, ..options(role) }, &objects(common())).await.unwrap();
    let at = inner.addresses()[0].address;
    let all = objects(common().chain(link_service(at)));
    let outer_with = async |credentials: LinkCredentials| {
        let role = Role::Outer { topology: "main".into() };
        let (outer, _) = Tier::start(TierOptions { link: Some(credentials), ..options(role) }, &all).await.unwrap();
        let answer = ask(
            outer.addresses()[0].address,
            "GET / HTTP/1.1\r\nhost: a.example\r\nx-forwarded-for: 203.0.113.9\r\n\r\n",
        )
        .await;
        assert!(outer.drain().await);
        answer
    };
    assert!(outer_with(own.link("bailey://main/outer")).await.starts_with("http/1.1 200"));
    let answer = outer_with(foreign.link("bailey://main/outer")).await;
    assert!(answer.starts_with("http/1.1 50") && answer.contains("proxy-status: bailey-outer"), "{answer}");
    // Something that speaks plain HTTP to the link's port gets nothing.
    let mut plain = TcpStream::connect(at).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut plain, get("a.example", "/").as_bytes()).await.unwrap();
    let mut got = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut plain, &mut got).await;
    assert!(!String::from_utf8_lossy(&got).contains("HTTP"), "{got:?}");
    assert!(inner.drain().await);
}
