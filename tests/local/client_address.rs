//! The application sees the real client address, whatever the client claims.

use crate::client::{PROTOCOLS, request, seen};
use crate::folder::{CLIENT_ADDRESS, client, two_tenants};

/// Claims that have fooled proxies.
const FORGED: [(&str, &str); 12] = [
    ("x-forwarded-for", "6.6.6.6"),
    ("x-forwarded-for", "7.7.7.7, 8.8.8.8"),
    ("forwarded", "for=6.6.6.6;proto=http;host=evil"),
    ("x-real-ip", "6.6.6.6"),
    ("x-forwarded-proto", "gopher"),
    ("x-forwarded-host", "evil.example.com"),
    ("x-forwarded-port", "1"),
    ("true-client-ip", "6.6.6.6"),
    ("cf-connecting-ip", "6.6.6.6"),
    ("x-client-ip", "6.6.6.6"),
    ("x-cluster-client-ip", "6.6.6.6"),
    ("x-original-url", "/admin"),
];

#[tokio::test]
async fn forged_forwarding_fields_do_not_get_through_on_either_protocol() {
    let running = two_tenants().await;
    let client = client(&running.local);
    for protocol in PROTOCOLS {
        let mut connection = client.connect("a.localhost", protocol).await.unwrap();
        let answer = connection.send(request("GET", "a.localhost", "/x?y=1", &FORGED, "")).await.unwrap();
        assert_eq!(answer.status(), 200, "{protocol}");
        let seen = seen(&answer);
        let one = |name: &str| seen["headers"][name].clone();
        let address = serde_json::json!([CLIENT_ADDRESS.to_string()]);
        assert_eq!(one("x-forwarded-for"), address, "{protocol}");
        assert_eq!(one("x-real-ip"), address, "{protocol}");
        assert_eq!(one("x-forwarded-proto"), serde_json::json!(["https"]), "{protocol}");
        assert_eq!(one("x-forwarded-host"), serde_json::json!(["a.localhost"]), "{protocol}");
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        for forged in ["6.6.6.6", "7.7.7.7", "8.8.8.8", "gopher", "evil", "/admin"] {
            assert!(!text.contains(forged), "{protocol}: {forged} got through: {text}");
        }
    }
}

#[tokio::test]
async fn connection_cannot_name_a_forwarding_field_away() {
    let running = two_tenants().await;
    for names in ["x-forwarded-for", "close, X-Real-IP", "X-Forwarded-Proto , keep-alive", "forwarded, x-request-id"] {
        let fields = [
            ("connection", names),
            ("x-forwarded-for", "6.6.6.6"),
            ("forwarded", "for=6.6.6.6"),
            ("x-real-ip", "6.6.6.6"),
        ];
        let answer = client(&running.local).get("a.localhost", "/", &fields).await;
        let address = serde_json::json!([CLIENT_ADDRESS.to_string()]);
        for ours in ["x-forwarded-for", "x-real-ip"] {
            assert_eq!(seen(&answer)["headers"][ours], address, "{names}");
        }
        for ours in ["x-forwarded-proto", "x-forwarded-host", "x-request-id"] {
            assert_eq!(seen(&answer)["headers"][ours].as_array().map(Vec::len), Some(1), "{names}: {ours}");
        }
        assert!(!String::from_utf8_lossy(answer.body()).contains("6.6.6.6"), "{names}");
    }
}

#[tokio::test]
async fn connection_cannot_name_any_other_field_of_the_request() {
    let running = two_tenants().await;
    for names in ["authorization", "close, cookie", "content-length", "host", "x-anything"] {
        let answer = client(&running.local).get("a.localhost", "/", &[("connection", names)]).await;
        assert_eq!(answer.status(), 400, "{names}");
    }
}

#[tokio::test]
async fn underscore_twins_of_forwarding_fields_are_refused() {
    let running = two_tenants().await;
    let answer = client(&running.local).get("a.localhost", "/", &[("x_forwarded_for", "6.6.6.6")]).await;
    assert_eq!(answer.status(), 400);
}
