//! Which rule a request meets: every kind of match, and who wins.

use crate::client::{PROTOCOLS, request, seen};
use crate::folder::{Running, client, echo, route, tenant_a};

async fn backend(running: &Running, method: &str, host: &str, path: &str, fields: &[(&str, &str)]) -> String {
    let mut found = Vec::new();
    for protocol in PROTOCOLS {
        let mut connection = client(&running.local).connect(host, protocol).await.unwrap();
        let answer = connection.send(request(method, host, path, fields, "")).await.unwrap();
        found.push(match answer.status().as_u16() {
            200 => seen(&answer)["backend"].as_str().unwrap().to_owned(),
            other => other.to_string(),
        });
    }
    assert_eq!(found[0], found[1], "both protocols agree on {method} {host}{path}");
    found.pop().unwrap()
}

fn rule(matches: &str, to: &str) -> String {
    format!("    - matches: [{matches}]\n      backendRefs: [{{name: {to}, port: 80}}]\n")
}

#[tokio::test]
async fn paths_match_whole_segments_exact_before_longest_prefix() {
    let rules = [
        rule("{path: {type: PathPrefix, value: /}}", "root"),
        rule("{path: {type: PathPrefix, value: /foo}}", "foo"),
        rule("{path: {type: PathPrefix, value: /foo/bar/}}", "foobar"),
        rule("{path: {type: Exact, value: /foo/bar}}", "exact"),
        rule("{path: {type: RegularExpression, value: '/v[0-9]+/items'}}", "regex"),
    ];
    let backends: String = ["root", "foo", "foobar", "exact", "regex"].map(echo).concat();
    let running = tenant_a(&(route("r", "m.a.localhost", &rules.concat()) + &backends)).await;
    for (path, wanted) in [
        ("/", "root"),
        ("/foobar", "root"),
        ("/foo", "foo"),
        ("/foo/", "foo"),
        ("/foo?x=/foo/bar", "foo"),
        ("/foo/bar", "exact"),
        ("/foo/bar/", "foobar"),
        ("/foo/bar/x", "foobar"),
        ("/foo/barx", "foo"),
        ("/FOO", "root"),
        ("/v2/items", "regex"),
        ("/v2/itemss", "root"),
        ("/x/v2/items", "root"),
    ] {
        assert_eq!(backend(&running, "GET", "m.a.localhost", path, &[]).await, wanted, "{path}");
    }
}

#[tokio::test]
async fn method_then_headers_then_query_decide_between_equal_paths() {
    let rules = [
        rule("{queryParams: [{name: q, value: '1'}]}", "query"),
        rule(
            "{queryParams: [{name: q, value: '1'}, {name: r, type: RegularExpression, value: '[a-z]+'}]}",
            "two-queries",
        ),
        rule("{headers: [{name: X-Version, value: two}]}", "header"),
        rule(
            "{headers: [{name: x-version, value: two}, {name: x-other, type: RegularExpression, value: 'a.c'}]}",
            "two-headers",
        ),
        rule("{method: POST}", "post"),
        rule("{path: {type: PathPrefix, value: /longer}}", "longer"),
    ];
    let names = ["query", "two-queries", "header", "two-headers", "post", "longer"];
    let running = tenant_a(&(route("r", "m.a.localhost", &rules.concat()) + &names.map(echo).concat())).await;
    let (two, other) = (("x-version", "two"), ("x-other", "abc"));
    for (method, path, fields, wanted) in [
        ("GET", "/", vec![], "404"),
        ("GET", "/?q=1", vec![], "query"),
        ("GET", "/?q=2&q=1", vec![], "404"),
        ("GET", "/?q=1&r=abc", vec![], "two-queries"),
        ("GET", "/?q=1&r=12", vec![], "query"),
        ("GET", "/?q=1&r=abc", vec![two], "header"),
        ("GET", "/", vec![("X-VERSION", "two")], "header"),
        ("GET", "/", vec![("x-version", "Two")], "404"),
        ("GET", "/", vec![("x-version", "twofold")], "404"),
        ("GET", "/", vec![two, other], "two-headers"),
        ("GET", "/", vec![two, ("x-other", "xabcx")], "header"),
        ("POST", "/?q=1", vec![two, other], "post"),
        ("POST", "/longer/x?q=1", vec![two, other], "longer"),
    ] {
        let found = backend(&running, method, "m.a.localhost", path, &fields).await;
        assert_eq!(found, wanted, "{method} {path} {fields:?}");
    }
}

#[tokio::test]
async fn the_most_specific_host_wins_and_of_equal_rules_the_older_route_then_the_first_name() {
    let all = |to: &str| rule("{path: {type: PathPrefix, value: /}}", to);
    let old = route("z-old", "same.a.localhost", &all("old"))
        .replace("name: z-old", "name: z-old, creationTimestamp: '2020-01-01T00:00:00Z'");
    let new = |name: &str, to: &str| {
        route(name, "same.a.localhost", &all(to))
            .replace("metadata: {", "metadata: {creationTimestamp: '2024-01-01T00:00:00Z', ")
    };
    let objects = [
        route("exact", "x.a.localhost", &rule("{path: {type: PathPrefix, value: /only}}", "exact")),
        route("wild", "'*.a.localhost'", &all("wild")),
        route("named", "named.a.localhost", &all("named")),
        new("a-new", "new"),
        old,
        route("p-b", "tie.a.localhost", &all("second")),
        route("p-a", "tie.a.localhost", &all("first")),
        ["exact", "wild", "named", "new", "old", "second", "first"].map(echo).concat(),
    ];
    let running = tenant_a(&objects.concat()).await;
    for (host, path, wanted) in [
        ("x.a.localhost", "/only", "exact"),
        ("y.a.localhost", "/", "wild"),
        ("deep.y.a.localhost", "/", "wild"),
        ("named.a.localhost", "/", "named"),
        ("same.a.localhost", "/", "old"),
        ("tie.a.localhost", "/", "first"),
    ] {
        assert_eq!(backend(&running, "GET", host, path, &[]).await, wanted, "{host}{path}");
    }
}

#[tokio::test]
async fn weights_share_out_and_zero_gets_nothing() {
    let rules = "    - backendRefs:\n        - {name: three, port: 80, weight: 3}\n        - {name: one, port: 80, weight: 1}\n        - {name: none, port: 80, weight: 0}";
    let running = tenant_a(&(route("r", "w.a.localhost", rules) + &["three", "one", "none"].map(echo).concat())).await;
    let mut connection = client(&running.local).connect("w.a.localhost", "h2").await.unwrap();
    let mut count = std::collections::BTreeMap::<String, u32>::new();
    for _ in 0..400 {
        let answer = connection.send(request("GET", "w.a.localhost", "/", &[], "")).await.unwrap();
        *count.entry(seen(&answer)["backend"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert!(!count.contains_key("none"), "{count:?}");
    assert!((240..=360).contains(&count["three"]), "{count:?}");
}

#[tokio::test]
async fn grpc_methods_and_headers_match() {
    let grpc = r"---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: g, namespace: a}
spec:
  parentRefs: [{name: main}]
  hostnames: [g.a.localhost]
  rules:
    - matches: [{method: {service: shop.Orders, method: Get}}]
      backendRefs: [{name: get, port: 80}]
    - matches: [{method: {service: shop.Orders}}]
      backendRefs: [{name: orders, port: 80}]
    - matches: [{method: {type: RegularExpression, service: 'shop\.[A-Z][a-z]+', method: 'Li.*'}}]
      backendRefs: [{name: regex, port: 80}]
    - matches: [{headers: [{name: x-beta, value: 'yes'}]}]
      backendRefs: [{name: beta, port: 80}]
";
    let backend_object = |name| crate::backend::local_backend("a", name, "echo: {}, appProtocol: kubernetes.io/h2c");
    let running = tenant_a(&(grpc.to_owned() + &["get", "orders", "regex", "beta"].map(backend_object).concat())).await;
    for (path, fields, wanted) in [
        ("/shop.Orders/Get", vec![], "get"),
        ("/shop.Orders/Gets", vec![], "orders"),
        ("/shop.Stock/List", vec![], "regex"),
        ("/other.X/Y", vec![("x-beta", "yes")], "beta"),
    ] {
        let mut connection = client(&running.local).connect("g.a.localhost", "h2").await.unwrap();
        let fields: Vec<_> =
            fields.into_iter().chain([("content-type", "application/grpc"), ("te", "trailers")]).collect();
        let answer = connection.send(request("POST", "g.a.localhost", path, &fields, "")).await.unwrap();
        assert_eq!(seen(&answer)["backend"], wanted, "{path}");
        assert_eq!(seen(&answer)["protocol"], "HTTP/2.0", "{path}");
    }
    let mut connection = client(&running.local).connect("g.a.localhost", "h2").await.unwrap();
    let fields = [("content-type", "application/grpc")];
    let answer = connection.send(request("POST", "g.a.localhost", "/no.Such/Method", &fields, "")).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["grpc-status"].to_str().unwrap()), (200, "12"));
}
