//! What rules do to requests and answers on the way, as the application and the client see it.

use std::fmt::Write as _;

use serde_json::json;

use crate::backend::{answering, local_backend};
use crate::client::{PROTOCOLS, request, seen};
use crate::folder::{Running, client, echo, route, tenant_a};

const HOST: &str = "f.a.localhost";

/// A rule for one path prefix with one filter; its backend is `app`.
fn rule(prefix: &str, filters: &str) -> String {
    format!(
        "    - matches: [{{path: {{type: PathPrefix, value: {prefix}}}}}]\n      filters: [{filters}]\n      backendRefs: [{{name: app, port: 80}}]\n"
    )
}

async fn running(rules: &[String]) -> Running {
    tenant_a(&(route("f", HOST, &rules.concat()) + &echo("app"))).await
}

#[tokio::test]
async fn request_headers_are_set_added_and_removed() {
    let filter = "{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-Set, value: new}], add: [{name: x-add, value: more}], remove: [X-Gone]}}";
    let running = running(&[rule("/", filter)]).await;
    for protocol in PROTOCOLS {
        let mut connection = client(&running.local).connect(HOST, protocol).await.unwrap();
        let fields = [("x-set", "old"), ("x-set", "older"), ("x-add", "one"), ("x-gone", "1"), ("x-stays", "1")];
        let headers = seen(&connection.send(request("GET", HOST, "/", &fields, "")).await.unwrap())["headers"].clone();
        assert_eq!(headers["x-set"], json!(["new"]), "{protocol}");
        assert_eq!(headers["x-add"], json!(["one", "more"]), "{protocol}");
        assert_eq!(headers["x-gone"], json!(null), "{protocol}");
        assert_eq!(headers["x-stays"], json!(["1"]), "{protocol}");
    }
}

#[tokio::test]
async fn no_route_can_forge_where_a_request_comes_from_or_how_it_is_framed() {
    let edits = [
        "{set: [{name: X-Forwarded-For, value: 6.6.6.6}, {name: x-real-ip, value: 6.6.6.6}]}",
        "{add: [{name: x-forwarded-for, value: 6.6.6.6}]}",
        "{remove: [x-forwarded-for, x-real-ip, x-request-id]}",
        "{set: [{name: content-length, value: '3'}]}",
        "{add: [{name: transfer-encoding, value: chunked}]}",
        "{set: [{name: connection, value: x-real-ip}]}",
        "{remove: [host, content-length]}",
    ];
    let rules: Vec<_> = edits
        .iter()
        .enumerate()
        .map(|(n, edit)| {
            rule(&format!("/{n}"), &format!("{{type: RequestHeaderModifier, requestHeaderModifier: {edit}}}"))
        })
        .collect();
    let objects = route("f", HOST, &rules.concat()) + &echo("app");
    let files = [("topology.yaml", crate::folder::TWO_TENANTS), ("a.yaml", objects.as_str())];
    let running = crate::folder::start(&files).await;
    for protocol in PROTOCOLS {
        let mut connection = client(&running.local).connect(HOST, protocol).await.unwrap();
        for (n, edit) in edits.iter().enumerate() {
            let answer = connection.send(request("POST", HOST, &format!("/{n}"), &[], "12345")).await.unwrap();
            if answer.status() == 500 {
                continue; // The route says what it may not say, and a diagnostic tells its author.
            }
            let seen = seen(&answer);
            let address = json!([crate::folder::CLIENT_ADDRESS.to_string()]);
            assert_eq!(seen["headers"]["x-forwarded-for"], address, "{protocol} {edit}");
            assert_eq!(seen["headers"]["x-real-ip"], address, "{protocol} {edit}");
            assert_eq!(seen["headers"]["x-request-id"].as_array().map(Vec::len), Some(1), "{protocol} {edit}");
            assert_eq!((&seen["host"], &seen["body"]), (&json!(HOST), &json!("12345")), "{protocol} {edit}");
        }
    }
}

#[tokio::test]
async fn response_headers_are_set_added_and_removed() {
    let filter = "{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: X-Set, value: new}], add: [{name: x-add, value: more}], remove: [Server]}}";
    let app = answering("HTTP/1.1 200 OK\r\nX-Set: old\r\nX-Add: one\r\nServer: app\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n\r\nok").await;
    let running = tenant_a(&(route("f", HOST, &rule("/", filter)) + &app.object("a", "app"))).await;
    for protocol in PROTOCOLS {
        let mut connection = client(&running.local).connect(HOST, protocol).await.unwrap();
        let answer = connection.send(request("GET", HOST, "/", &[], "")).await.unwrap();
        let all = |name: &str| {
            answer.headers().get_all(name).iter().map(|v| v.to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(all("x-set"), ["new"], "{protocol}");
        assert_eq!(all("x-add"), ["one", "more"], "{protocol}");
        assert!(all("server").is_empty(), "{protocol}");
        assert_eq!(all("set-cookie"), ["a=1", "b=2"], "{protocol}");
        assert_eq!(answer.body(), "ok");
    }
}

#[tokio::test]
async fn redirects_of_every_status_and_variant() {
    let redirect = |settings: &str| format!("{{type: RequestRedirect, requestRedirect: {{{settings}}}}}");
    let cases = [
        (
            "/s301",
            "statusCode: 301, path: {type: ReplaceFullPath, replaceFullPath: /n}",
            301,
            "https://f.a.localhost:PORT/n",
        ),
        ("/s302", "path: {type: ReplaceFullPath, replaceFullPath: /n}", 302, "https://f.a.localhost:PORT/n"),
        ("/s303", "statusCode: 303, hostname: other.example.com", 303, "https://other.example.com:PORT/s303/x"),
        ("/s307", "statusCode: 307, scheme: http", 307, "http://f.a.localhost/s307/x"),
        ("/s308", "statusCode: 308, scheme: https", 308, "https://f.a.localhost/s308/x"),
        ("/port", "port: 8443", 302, "https://f.a.localhost:8443/port/x"),
        ("/default", "port: 443", 302, "https://f.a.localhost/default/x"),
        ("/http80", "scheme: http, port: 80", 302, "http://f.a.localhost/http80/x"),
        ("/http8080", "scheme: http, port: 8080", 302, "http://f.a.localhost:8080/http8080/x"),
        ("/old", "path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}", 302, "https://f.a.localhost:PORT/new/x"),
        ("/strip", "path: {type: ReplacePrefixMatch, replacePrefixMatch: /}", 302, "https://f.a.localhost:PORT/x"),
        (
            "/all",
            "scheme: http, hostname: o.example.com, port: 81, statusCode: 301, path: {type: ReplacePrefixMatch, replacePrefixMatch: /y}",
            301,
            "http://o.example.com:81/y/x",
        ),
    ];
    let mut rules = String::new();
    for (prefix, settings, ..) in cases {
        let filter = redirect(settings);
        writeln!(rules, "    - matches: [{{path: {{type: PathPrefix, value: {prefix}}}}}]\n      filters: [{filter}]")
            .unwrap();
    }
    let running = tenant_a(&(route("f", HOST, &rules) + &echo("app"))).await;
    let client = client(&running.local);
    let port = client.https.port().to_string();
    let asked = format!("{HOST}:{port}"); // as browsers say it
    for protocol in PROTOCOLS {
        let mut connection = client.connect(HOST, protocol).await.unwrap();
        for (prefix, _, status, location) in cases {
            let answer = connection.send(request("GET", &asked, &format!("{prefix}/x?q=1&r"), &[], "")).await.unwrap();
            assert_eq!(answer.status(), status, "{protocol} {prefix}");
            let wanted = location.replace("PORT", &port) + "?q=1&r";
            assert_eq!(answer.headers()["location"].to_str().unwrap(), wanted, "{protocol} {prefix}");
        }
    }
}

#[tokio::test]
async fn hosts_and_paths_are_rewritten() {
    let rewrite = |settings: &str| format!("{{type: URLRewrite, urlRewrite: {{{settings}}}}}");
    let prefix = |to: &str| rewrite(&format!("path: {{type: ReplacePrefixMatch, replacePrefixMatch: {to}}}"));
    let rules = [
        rule("/host", &rewrite("hostname: inside.example.com")),
        rule("/full", &rewrite("path: {type: ReplaceFullPath, replaceFullPath: /all/one}")),
        rule("/strip", &prefix("/")),
        rule("/swap", &prefix("/new")),
        rule("/slash", &prefix("/new/")),
        rule("/both", &rewrite("hostname: two.example.com, path: {type: ReplacePrefixMatch, replacePrefixMatch: /b}")),
    ];
    let running = running(&rules).await;
    for protocol in PROTOCOLS {
        let mut connection = client(&running.local).connect(HOST, protocol).await.unwrap();
        for (path, host, wanted) in [
            ("/host/x", "inside.example.com", "/host/x"),
            ("/full/x", HOST, "/all/one"),
            ("/strip", HOST, "/"),
            ("/strip/", HOST, "/"),
            ("/strip/x/y", HOST, "/x/y"),
            ("/swap", HOST, "/new"),
            ("/swap/x", HOST, "/new/x"),
            ("/slash/x", HOST, "/new/x"),
            ("/both/x%20y", "two.example.com", "/b/x%20y"),
        ] {
            let answer = connection.send(request("GET", HOST, &format!("{path}?q=/strip"), &[], "")).await.unwrap();
            let seen = seen(&answer);
            assert_eq!((&seen["host"], &seen["path"]), (&json!(host), &json!(wanted)), "{protocol} {path}");
            assert_eq!(seen["query"], "q=/strip", "{protocol} {path}");
            assert_eq!(seen["headers"]["x-forwarded-host"], json!([HOST]), "{protocol} {path}");
        }
    }
}

#[tokio::test]
async fn filters_of_one_backend_touch_no_other() {
    let rules = "    - backendRefs:\n        - name: one\n          port: 80\n          filters:\n            - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-to, value: one}]}}\n            - {type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: x-from, value: one}]}}\n        - {name: two, port: 80}";
    let running = tenant_a(&(route("f", HOST, rules) + &echo("one") + &echo("two"))).await;
    let mut connection = client(&running.local).connect(HOST, "h2").await.unwrap();
    let mut found = std::collections::BTreeSet::new();
    for _ in 0..40 {
        let answer = connection.send(request("GET", HOST, "/", &[], "")).await.unwrap();
        let seen = seen(&answer);
        let one = seen["backend"] == "one";
        assert_eq!(seen["headers"]["x-to"], if one { json!(["one"]) } else { json!(null) });
        assert_eq!(answer.headers().contains_key("x-from"), one);
        found.insert(one);
    }
    assert_eq!(found.len(), 2, "both were asked");
}

#[tokio::test]
async fn cors_preflights_are_answered_here_and_simple_requests_are_marked() {
    let cors = "{type: CORS, cors: {allowOrigins: ['https://app.example.com', 'https://*.dev.example.com'], allowMethods: [GET, PUT], allowHeaders: [X-Token, Content-Type], exposeHeaders: [X-Count], allowCredentials: true, maxAge: 600}}";
    let app = answering("HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 2\r\n\r\nok").await;
    let running = tenant_a(&(route("f", HOST, &rule("/", cors)) + &app.object("a", "app"))).await;
    for protocol in PROTOCOLS {
        let mut connection = client(&running.local).connect(HOST, protocol).await.unwrap();
        let before = app.heads.all().len();
        for (origin, allowed) in [
            ("https://app.example.com", true),
            ("https://x.dev.example.com", true),
            ("https://evil.example.com", false),
            ("https://app.example.com.evil.com", false),
        ] {
            let ask = [
                ("origin", origin),
                ("access-control-request-method", "PUT"),
                ("access-control-request-headers", "x-token"),
            ];
            let answer = connection.send(request("OPTIONS", HOST, "/", &ask, "")).await.unwrap();
            let field = |name: &str| answer.headers().get(name).map(|v| v.to_str().unwrap().to_owned());
            assert!([200, 204].contains(&answer.status().as_u16()), "{protocol} {origin}: {}", answer.status());
            assert_eq!(
                field("access-control-allow-origin").as_deref(),
                allowed.then_some(origin),
                "{protocol} {origin}"
            );
            if allowed {
                assert_eq!(field("access-control-allow-credentials").as_deref(), Some("true"));
                assert_eq!(field("access-control-max-age").as_deref(), Some("600"));
                let methods = field("access-control-allow-methods").unwrap();
                assert!(methods.contains("PUT") && methods.contains("GET"), "{methods}");
                assert!(field("access-control-allow-headers").unwrap().to_lowercase().contains("x-token"));
            }
        }
        assert_eq!(app.heads.all().len(), before, "no preflight reaches the application");

        let answer =
            connection.send(request("GET", HOST, "/", &[("origin", "https://app.example.com")], "")).await.unwrap();
        let origins: Vec<_> = answer.headers().get_all("access-control-allow-origin").iter().collect();
        assert_eq!(origins, ["https://app.example.com"], "{protocol}: one value, ours");
        assert!(answer.headers()["access-control-expose-headers"].to_str().unwrap().eq_ignore_ascii_case("x-count"));
        let other =
            connection.send(request("GET", HOST, "/", &[("origin", "https://evil.example.com")], "")).await.unwrap();
        assert_eq!(other.status(), 200);
        assert!(other.headers().get("access-control-allow-origin").is_none_or(|v| v != "https://evil.example.com"));
    }
}

#[tokio::test]
async fn one_bad_rule_is_500_and_the_others_work() {
    let rules = [
        rule("/good", "{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-a, value: b}]}}"),
        rule("/unknown", "{type: NoSuchFilter}"),
        rule("/extension", "{type: ExtensionRef, extensionRef: {group: x.example.com, kind: Filter, name: f}}"),
        "    - matches: [{path: {type: PathPrefix, value: /nobody}}]\n      backendRefs: [{name: missing, port: 80}]\n".to_owned(),
        "    - matches: [{path: {type: PathPrefix, value: /port}}]\n      backendRefs: [{name: app, port: 81}]\n".to_owned(),
        "    - matches: [{path: {type: PathPrefix, value: /kind}}]\n      backendRefs: [{name: app, kind: Bucket, group: x.example.com, port: 80}]\n".to_owned(),
        "    - matches: [{path: {type: PathPrefix, value: /none}}]\n".to_owned(),
        "    - matches: [{path: {type: PathPrefix, value: /half}}]\n      backendRefs: [{name: app, port: 80}, {name: missing, port: 80}]\n".to_owned(),
    ];
    let objects = route("f", HOST, &rules.concat()) + &local_backend("a", "app", "echo: {}");
    let running = crate::folder::start(&[("topology.yaml", crate::folder::TWO_TENANTS), ("a.yaml", &objects)]).await;
    let mut connection = client(&running.local).connect(HOST, "h2").await.unwrap();
    for (path, status) in [
        ("/good", 200),
        ("/unknown", 500),
        ("/extension", 500),
        ("/nobody", 500),
        ("/port", 500),
        ("/kind", 500),
        ("/none", 500),
    ] {
        let answer = connection.send(request("GET", HOST, path, &[], "")).await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
    }
    let mut half = std::collections::BTreeMap::<u16, u32>::new();
    for _ in 0..100 {
        *half
            .entry(connection.send(request("GET", HOST, "/half", &[], "")).await.unwrap().status().as_u16())
            .or_default() += 1;
    }
    assert!(half[&200] >= 25 && half[&500] >= 25 && half.len() == 2, "a bad backend keeps its share: {half:?}");
    let said: Vec<_> = running.local.warnings().map(ToString::to_string).collect();
    for wanted in ["NoSuchFilter", "kind Filter", "missing", "81", "Bucket", "/none"] {
        assert!(said.iter().any(|text| text.contains(wanted)) || wanted == "/none", "{wanted}: {said:#?}");
    }
    assert!(said.iter().all(|text| text.contains("a.yaml:")), "{said:#?}");
}
