//! A host belongs to one tenant, on every request of every connection.

use http::StatusCode;

use crate::client::{PROTOCOLS, request, seen};
use crate::folder::{client, two_tenants};

#[tokio::test]
async fn a_host_of_one_tenant_asked_under_the_name_of_another_is_misdirected() {
    let running = two_tenants().await;
    let client = client(&running.local);
    for protocol in PROTOCOLS {
        let mut connection = client.connect("b.localhost", protocol).await.unwrap();
        for (host, status) in [("a.localhost", 421), ("b.localhost", 200), ("a.localhost", 421), ("x.a.localhost", 421)]
        {
            let sent = connection.send(request("GET", host, "/", &[], "")).await;
            let answer = sent.unwrap_or_else(|e| panic!("{protocol} {host}: {e}"));
            assert_eq!(answer.status().as_u16(), status, "{protocol} {host}");
            assert!(
                status == 200 || !String::from_utf8_lossy(answer.body()).contains("app-"),
                "an application answered"
            );
        }
    }
}

#[tokio::test]
async fn hosts_of_the_same_tenant_may_share_a_connection() {
    let running = two_tenants().await;
    for protocol in PROTOCOLS {
        let mut connection = client(&running.local).connect("a.localhost", protocol).await.unwrap();
        let answer = connection.send(request("GET", "x.a.localhost", "/", &[], "")).await.unwrap();
        assert_eq!(seen(&answer)["backend"], "app-a", "{protocol}");
    }
}

#[tokio::test]
async fn an_unknown_host_is_404_and_never_another_tenants_answer() {
    let running = two_tenants().await;
    let client = client(&running.local);
    for protocol in PROTOCOLS {
        let mut connection = client.connect("a.localhost", protocol).await.unwrap();
        for host in ["nobody.localhost", "b.localhost.", "example.com", "localhost"] {
            let answer = connection.send(request("GET", host, "/", &[], "")).await.unwrap();
            let expected = if host.starts_with("b.") { StatusCode::MISDIRECTED_REQUEST } else { StatusCode::NOT_FOUND };
            assert_eq!(answer.status(), expected, "{protocol} {host}");
        }
    }
    assert_eq!(client.plain("GET", "nobody.localhost", "/").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_unknown_name_gets_no_certificate() {
    let running = two_tenants().await;
    for name in ["nobody.localhost", "example.com"] {
        let refused = client(&running.local).tls(name, "h2").await.unwrap_err().to_string();
        assert!(refused.contains("UnrecognisedName") || refused.contains("unrecognised"), "{name}: {refused}");
    }
}

#[tokio::test]
async fn each_tenant_is_answered_by_its_own_application() {
    let running = two_tenants().await;
    for (host, backend) in [("a.localhost", "app-a"), ("b.localhost", "app-b"), ("deep.er.a.localhost", "app-a")] {
        assert_eq!(seen(&client(&running.local).get(host, "/", &[]).await)["backend"], backend, "{host}");
    }
}
