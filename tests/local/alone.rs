//! A tier alone with certificates of Secrets, and whole paths behind a proxy that tells who the client is.

use std::fs;

use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::client::{Client, PROTOCOLS, request, seen};
use crate::folder::{CLIENT_ADDRESS, TWO_TENANTS, app, client, start};

/// A Secret with a new certificate for this host, and the certificate.
pub fn secret(name: &str, host: &str) -> (String, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(vec![host.to_owned()]).unwrap();
    let encode = |pem: String| data_encoding::BASE64.encode(pem.as_bytes());
    let (certificate, key) = (encode(made.cert.pem()), encode(made.signing_key.serialize_pem()));
    let text = format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: a}}\ntype: kubernetes.io/tls\ndata: {{tls.crt: {certificate}, tls.key: {key}}}\n"
    );
    (text, made.cert.der().clone())
}

/// A Gateway with two listeners, each with a Secret of its name.
pub const GATEWAY: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: g, namespace: a}
spec:
  gatewayClassName: bailey
  listeners:
    - {name: one, port: 443, protocol: HTTPS, hostname: one.localhost, tls: {certificateRefs: [{name: one}]}}
    - {name: two, port: 443, protocol: HTTPS, hostname: two.localhost, tls: {certificateRefs: [{name: two}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: a}
spec:
  parentRefs: [{name: g}]
  rules: [{backendRefs: [{name: app, port: 80}]}]
";

#[tokio::test]
async fn listeners_serve_their_secrets_certificates_keep_to_their_names_and_take_new_ones_without_a_cut() {
    let (one, root) = secret("one", "one.localhost");
    let (two, _) = secret("two", "two.localhost");
    let backend = crate::backend::local_backend("a", "app", "echo: {}");
    let files = [("g.yaml", GATEWAY), ("app.yaml", &*backend), ("one.yaml", &*one), ("two.yaml", &*two)];
    let mut running = start(&files).await;
    let https = running.local.https().unwrap();
    let client = Client { https, http: https, root, from: CLIENT_ADDRESS };
    let mut kept = Vec::new();
    for protocol in PROTOCOLS {
        let mut connection = client.connect("one.localhost", protocol).await.unwrap();
        for (host, status) in [("one.localhost", 200), ("two.localhost", 421), ("one.localhost", 200)] {
            let answer = connection.send(request("GET", host, "/", &[], "")).await.unwrap();
            assert_eq!(answer.status(), status, "{protocol} {host}");
        }
        kept.push(connection);
    }
    assert!(client.tls("two.localhost", "h2").await.is_err(), "the other listener has another certificate");
    assert!(client.tls("three.localhost", "h2").await.is_err());

    let (renewed, new_root) = secret("one", "one.localhost");
    fs::write(running.folder.join("one.yaml"), renewed).unwrap();
    running.local.reload().await.unwrap();
    for connection in &mut kept {
        let answer = connection.send(request("GET", "one.localhost", "/", &[], "")).await.unwrap();
        assert_eq!(answer.status(), 200, "a connection outlives its certificate's change");
    }
    assert!(client.tls("one.localhost", "h2").await.is_err(), "the old certificate is not served any more");
    let renewed = Client { root: new_root, ..client };
    assert_eq!(renewed.get("one.localhost", "/", &[]).await.status(), 200);
}

fn behind(client_address: &str) -> String {
    TWO_TENANTS.replace("    listeners:", &format!("    clientAddress: {client_address}\n    listeners:"))
}

#[tokio::test]
async fn a_listed_balancer_tells_the_client_by_proxy_protocol() {
    let topology = behind("{proxyProtocol: {from: ['127.9.8.0/24']}}");
    let running = start(&[("topology.yaml", &topology), ("a.yaml", &app("a"))]).await;
    let listed = client(&running.local);
    let mut v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    v2.extend([203, 0, 113, 9, 192, 0, 2, 1, 0x30, 0x39, 0x01, 0xbb]);
    for header in [b"PROXY TCP4 203.0.113.9 192.0.2.1 12345 443\r\n".to_vec(), v2] {
        let mut tls = listed.tls_after(&header, "a.localhost", "http/1.1").await.unwrap();
        tls.write_all(b"GET / HTTP/1.1\r\nHost: a.localhost\r\nX-Forwarded-For: 6.6.6.6\r\nConnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut answer = String::new();
        let _ = tls.read_to_string(&mut answer).await;
        assert!(answer.contains("\"client_address\": \"203.0.113.9\"") && !answer.contains("6.6.6.6"), "{answer}");
    }
    let stranger = Client { from: "127.1.2.3".parse().unwrap(), ..listed };
    let claimed =
        stranger.tls_after(b"PROXY TCP4 203.0.113.9 192.0.2.1 12345 443\r\n", "a.localhost", "http/1.1").await;
    assert!(claimed.is_err(), "nobody else may say so");
}

#[tokio::test]
async fn a_listed_proxy_tells_the_client_by_x_forwarded_for_and_nobody_else() {
    let topology = behind("{forwardedFor: {from: ['127.9.8.0/24'], hops: 1}}");
    let running = start(&[("topology.yaml", &topology), ("a.yaml", &app("a"))]).await;
    let listed = client(&running.local);
    let stranger = Client { from: "127.1.2.3".parse().unwrap(), ..listed.clone() };
    let claim = [("x-forwarded-for", "6.6.6.6, 203.0.113.9")];
    assert_eq!(seen(&listed.get("a.localhost", "/", &claim).await)["client_address"], "203.0.113.9");
    assert_eq!(seen(&stranger.get("a.localhost", "/", &claim).await)["client_address"], "127.1.2.3");
}
