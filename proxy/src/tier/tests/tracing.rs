//! Traces of whole tiers: who is whose parent, what is kept, what applications and collectors are told.

mod attempts;
mod collector;

use super::super::*;
use super::support::*;
use bailey_kit::telemetry::{Kind, Span, Store, Trace, TraceId, Value as Attribute};
use serde_json::{Value, json};
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::telemetry::{Everything, TracingOptions};

/// A trace whose last 56 bits are the largest there are: every ratio but 0 keeps it. And one that only 100 % keeps.
const KEPT: &str = "0af7651916cd43ddffffffffffffffff";
const UNKEPT: &str = "0af7651916cd43dd8000000000000001";
const PARENT: &str = "b7ad6b7169203331";

/// Nobody listens there, and nobody needs to: the spans are looked at in the store.
const NOWHERE: &str = "http://127.0.0.1:9";

fn traced(fields: &Value) -> Value {
    let mut tracing = json!({"endpoint": NOWHERE, "sampling": 100});
    for (name, value) in fields.as_object().unwrap() {
        tracing[name] = value.clone();
    }
    let mut value = topology();
    value["spec"]["outer"].as_object_mut().unwrap().remove("clientAddress");
    value["spec"]["tracing"] = tracing;
    value
}

/// Both tiers, and the spans they make.
struct Pair {
    inner: TierHandle,
    outer: TierHandle,
    store: Arc<Store>,
    app: SocketAddr,
}

impl Pair {
    async fn start(topology: Value, app: SocketAddr) -> Self {
        Self::with(topology, app, TracingOptions::default(), &[]).await
    }

    async fn with(topology: Value, app: SocketAddr, said: TracingOptions, more: &[Value]) -> Self {
        let (authority, store) = (Authority::new(), Store::new());
        let tracing = TracingOptions { store: Some(store.clone()), ..said };
        let role = Role::Inner { topology: "main".into(), tenant: "team-a".into() };
        let link = Some(authority.link("bailey://main/tenant/team-a"));
        let own = TierOptions { link, workers: 1, tracing: tracing.clone(), ..options(role) };
        let (inner, applied) = Tier::start(own, &common(&topology, app, more)).await.unwrap();
        assert!(applied.diagnostics.is_empty(), "{:?}", applied.diagnostics);
        let mut all = common(&topology, app, more);
        for value in link_service(inner.addresses()[0].address) {
            all.insert_any(bailey_translate::Object::from_value(value).unwrap(), None);
        }
        let link = Some(authority.link("bailey://main/outer"));
        let own = TierOptions { link, workers: 1, tracing, ..options(Role::Outer { topology: "main".into() }) };
        let (outer, _) = Tier::start(own, &all).await.unwrap();
        Self { inner, outer, store, app }
    }

    fn at(&self) -> SocketAddr {
        self.outer.addresses()[0].address
    }

    /// Asks with these lines in the head; what comes back has the head that the application saw.
    async fn ask(&self, path: &str, lines: &str) -> String {
        ask(self.at(), &format!("GET {path} HTTP/1.1\r\nhost: a.example\r\n{lines}\r\n")).await
    }

    /// Waits for the only trace, with so many spans.
    async fn trace(&self, spans: usize) -> Trace {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let traces = self.store.recent(10);
            if let [trace] = traces.as_slice()
                && trace.spans.len() >= spans
            {
                assert_eq!(trace.spans.len(), spans, "{trace:#?}");
                return trace.clone();
            }
            assert!(Instant::now() < until, "{traces:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What is in the store once everything has been handed over.
    async fn end(self) -> Vec<Trace> {
        self.outer.drain().await;
        self.inner.drain().await;
        self.store.recent(1000)
    }
}

fn common(topology: &Value, app: SocketAddr, more: &[Value]) -> Objects {
    let route = route("team-a", "main", "a.example", "/");
    objects([topology.clone(), route].into_iter().chain(service("team-a", "app", 80, app)).chain(more.iter().cloned()))
}

fn text(span: &Span, name: &str) -> String {
    span.attribute(name).map(ToString::to_string).unwrap_or_default()
}

fn field(seen: &str, name: &str) -> Option<String> {
    let found: Vec<&str> = seen.lines().filter_map(|line| line.strip_prefix(&format!("{name}: "))).collect();
    assert!(found.len() < 2, "{name} is there twice: {seen}");
    found.first().map(|value| (*value).to_owned())
}

fn spans_of<'t>(trace: &'t Trace, tier: &str, kind: Kind) -> Vec<&'t Arc<Span>> {
    trace.spans.iter().filter(|span| *span.tier == *tier && span.kind == kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_leads_through_both_tiers_to_the_application() {
    let pair = Pair::start(traced(&json!({})), echo().await).await;
    let seen = pair.ask("/x?a=1&token=hush", "user-agent: me/1\r\n").await;
    let trace = pair.trace(4).await;
    let [outer_server] = spans_of(&trace, "outer", Kind::Server)[..] else { panic!("{trace:#?}") };
    let [outer_client] = spans_of(&trace, "outer", Kind::Client)[..] else { panic!("{trace:#?}") };
    let [inner_server] = spans_of(&trace, "inner", Kind::Server)[..] else { panic!("{trace:#?}") };
    let [inner_client] = spans_of(&trace, "inner", Kind::Client)[..] else { panic!("{trace:#?}") };
    assert_eq!(outer_server.parent, None);
    assert_eq!(outer_client.parent, Some(outer_server.id));
    assert_eq!((inner_server.parent, inner_server.remote_parent), (Some(outer_client.id), true));
    assert_eq!((inner_client.parent, inner_client.remote_parent), (Some(inner_server.id), false));
    let told = format!("00-{}-{}-01", trace.id, inner_client.id);
    assert_eq!(field(&seen, "traceparent"), Some(told));
    assert_eq!(field(&seen, "tracestate"), None);

    for server in [outer_server, inner_server] {
        assert_eq!(server.name, "GET /");
        assert_eq!(server.attribute("http.response.status_code"), Some(&Attribute::Int(200)));
        for (name, value) in [
            ("http.request.method", "GET"),
            ("url.path", "/x"),
            ("url.query", "a=1&token=REDACTED"),
            ("url.scheme", "http"),
            ("http.route", "/"),
            ("client.address", "127.0.0.1"),
            ("server.address", "a.example"),
            ("network.protocol.version", "1.1"),
            ("user_agent.original", "me/1"),
            ("bailey.topology", "main"),
            ("bailey.tenant", "team-a"),
            ("bailey.tier", &server.tier),
        ] {
            assert_eq!(text(server, name), value, "{name}: {server:#?}");
        }
        assert!(!server.error && server.attribute("error.type").is_none());
    }
    assert_eq!(text(inner_server, "bailey.route.name"), "HTTPRoute team-a/web");
    assert_eq!(text(outer_server, "network.peer.address"), "127.0.0.1");
    assert_eq!(text(outer_server, "bailey.request.id"), text(inner_server, "bailey.request.id"));
    assert_eq!(field(&seen, "x-request-id").unwrap(), text(inner_server, "bailey.request.id"));

    assert_eq!(inner_client.attribute("network.peer.port"), Some(&Attribute::Int(pair.app.port().into())));
    assert_eq!(text(inner_client, "url.full"), "http://app.team-a:80/x?a=1&token=REDACTED");
    assert_eq!(
        (text(inner_client, "server.address"), text(inner_client, "server.port")),
        ("app.team-a".into(), "80".into())
    );
    assert_eq!(inner_client.attribute("http.response.status_code"), Some(&Attribute::Int(200)));
    assert_eq!(inner_client.attribute("http.request.resend_count"), None);
    assert_eq!(
        (text(outer_client, "network.protocol.name"), text(outer_client, "server.address")),
        ("bailey".into(), "team-a".into())
    );
    // Each is within the one it is a part of.
    for (child, parent) in [(outer_client, outer_server), (inner_client, inner_server)] {
        assert!(child.start >= parent.start && child.start + child.duration <= parent.start + parent.duration);
    }
    pair.end().await;
}

#[tokio::test]
async fn the_token_of_a_challenge_is_in_no_span() {
    let pair = Pair::start(traced(&json!({})), echo().await).await;
    pair.ask("/.well-known/acme-challenge/hunter2", "").await;
    let trace = pair.trace(4).await;
    assert!(!format!("{trace:?}").contains("hunter2"), "{trace:#?}");
    let [server] = spans_of(&trace, "outer", Kind::Server)[..] else { panic!("{trace:#?}") };
    assert_eq!(server.attribute("url.path"), Some(&Attribute::from("/.well-known/acme-challenge/REDACTED")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_from_outside_is_a_link_unless_it_is_accepted() {
    let lines = format!("traceparent: 00-{KEPT}-{PARENT}-01\r\ntracestate: a=1\r\nbaggage: user=7\r\n");
    let pair = Pair::start(traced(&json!({})), echo().await).await;
    let seen = pair.ask("/", &lines).await;
    let trace = pair.trace(4).await;
    assert_ne!(trace.id.to_string(), KEPT);
    let [server] = spans_of(&trace, "outer", Kind::Server)[..] else { panic!() };
    let links: Vec<_> = server.links.iter().map(|(trace, span)| (trace.to_string(), span.to_string())).collect();
    assert_eq!(links, [(KEPT.to_owned(), PARENT.to_owned())]);
    assert!(trace.spans.iter().filter(|span| span.kind == Kind::Client).all(|span| span.links.is_empty()));
    assert_eq!((field(&seen, "tracestate"), field(&seen, "baggage")), (None, None));
    pair.end().await;

    let pair = Pair::start(traced(&json!({"acceptParent": true})), echo().await).await;
    let seen = pair.ask("/", &lines).await;
    let trace = pair.trace(4).await;
    assert_eq!(trace.id.to_string(), KEPT);
    let [server] = spans_of(&trace, "outer", Kind::Server)[..] else { panic!() };
    assert_eq!((server.parent.unwrap().to_string(), server.links.len()), (PARENT.to_owned(), 0));
    assert_eq!(field(&seen, "tracestate").unwrap(), "a=1");
    assert_eq!(field(&seen, "baggage").unwrap(), "user=7");
    assert!(trace.spans.iter().all(|span| span.state == "a=1"));
    pair.end().await;

    // Who is listed as standing in front is believed without that, by fields only: over PROXY protocol they are the client's.
    for (how, believed) in [("forwardedFor", true), ("proxyProtocol", false)] {
        let mut topology = traced(&json!({}));
        topology["spec"]["outer"]["clientAddress"] = json!({how: {"from": ["127.0.0.0/8"]}});
        let pair = Pair::start(topology, echo().await).await;
        let head = format!("GET / HTTP/1.1\r\nhost: a.example\r\n{lines}\r\n");
        let head = if believed { head } else { format!("PROXY TCP4 192.0.2.7 198.51.100.1 1 80\r\n{head}") };
        assert!(ask(pair.at(), &head).await.starts_with("http/1.1 200"));
        assert_eq!(pair.trace(4).await.id.to_string() == KEPT, believed, "{how}");
        pair.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_share_is_decided_by_the_trace_id_and_kept_by_both_tiers() {
    let parent = |trace: &str| format!("b3: {trace}-{PARENT}\r\n");
    let said = traced(&json!({"sampling": 0.1, "acceptParent": true, "propagation": ["b3", "w3c"]}));
    let pair = Pair::start(said, echo().await).await;
    // b3 without a decision leaves it to us.
    let seen = pair.ask("/", &parent(UNKEPT)).await;
    assert!(field(&seen, "b3").unwrap().ends_with("-0"), "{seen}");
    assert!(
        field(&seen, "traceparent").unwrap().starts_with(&format!("00-{UNKEPT}-")),
        "the context goes on all the same"
    );
    assert!(field(&seen, "traceparent").unwrap().ends_with("-00"));
    let seen = pair.ask("/", &parent(KEPT)).await;
    assert!(field(&seen, "b3").unwrap().ends_with("-1"), "{seen}");
    // A decision is followed, whatever the share says.
    let seen = pair.ask("/", &format!("b3: {UNKEPT}-{PARENT}-1\r\n")).await;
    assert!(field(&seen, "traceparent").unwrap().ends_with("-01"), "{seen}");
    pair.ask("/", &format!("b3: {KEPT}-{PARENT}-0\r\n")).await;
    pair.ask("/", "b3: 0\r\n").await;
    let traces = pair.end().await;
    let counts: Vec<_> = traces.iter().map(|trace| (trace.id.to_string(), trace.spans.len())).collect();
    assert_eq!(counts, [(UNKEPT.to_owned(), 4), (KEPT.to_owned(), 4)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_the_share_is_live_at_once() {
    let none = traced(&json!({"sampling": 0}));
    let pair = Pair::start(none, echo().await).await;
    pair.ask("/", "").await;
    let mut all = common(&traced(&json!({"sampling": 100})), pair.app, &[]);
    assert!(pair.inner.apply(&all).changed);
    for value in link_service(pair.inner.addresses()[0].address) {
        all.insert_any(bailey_translate::Object::from_value(value).unwrap(), None);
    }
    assert!(pair.outer.apply(&all).changed);
    pair.ask("/", "").await;
    pair.trace(4).await;
    let silent = common(&topology(), pair.app, &[]);
    assert!(pair.inner.apply(&silent).changed);
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_has_a_share_of_its_own() {
    for (share, spans) in [(100, 4), (0, 0)] {
        let mut said = traced(&json!({"sampling": 100 - share}));
        said["spec"]["tenants"][0]["tracing"] = json!({"sampling": share});
        let pair = Pair::start(said, echo().await).await;
        pair.ask("/", "").await;
        // Nobody's host has no tenant: the topology's share counts.
        let other = ask(pair.at(), &get("b.example", "/")).await;
        assert!(other.starts_with("http/1.1 404"), "{other}");
        let traces = pair.end().await;
        let tenants = traces.iter().flat_map(|trace| &trace.spans).filter(|span| span.tenant.is_some()).count();
        let nobodys: Vec<_> =
            traces.iter().flat_map(|trace| &trace.spans).filter(|span| span.tenant.is_none()).collect();
        assert_eq!((tenants, nobodys.len()), (spans, usize::from(share == 0)), "{share}: {traces:#?}");
        for span in nobodys {
            assert_eq!(span.attribute("http.response.status_code"), Some(&Attribute::Int(404)));
            assert!(!span.error && span.name == "GET", "{span:#?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_and_slow_requests_are_traced_whatever_the_share_says() {
    let app = application(|mut socket, head| async move {
        let status = if head.contains("/fails") { "500 Oops" } else { "200 OK" };
        if head.contains("/slow") {
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let _ = socket.write_all(answer.as_bytes()).await;
    })
    .await;
    for (always, paths) in [
        (json!({"errors": true}), vec!["/fails"]),
        (json!({"slowerThanMs": 200}), vec!["/slow"]),
        (json!({"errors": true, "slowerThanMs": 200}), vec!["/fails", "/slow"]),
        (json!({}), vec![]),
    ] {
        let pair = Pair::start(traced(&json!({"sampling": 0, "always": always})), app).await;
        for path in ["/fine", "/fails", "/slow"] {
            pair.ask(path, "").await;
        }
        let traces = pair.end().await;
        let mut found: Vec<_> = traces.iter().map(|trace| text(&trace.spans[0], "url.path")).collect();
        found.sort_unstable();
        assert_eq!(found, paths, "{always}");
        for trace in traces {
            assert_eq!(trace.spans.len(), 4, "both tiers saw the reason: {trace:#?}");
            for span in &trace.spans {
                let fails = text(span, "url.path") == "/fails" || text(span, "url.full").ends_with("/fails");
                assert_eq!((span.error, text(span, "error.type") == "500"), (fails, fails), "{span:#?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn applications_get_the_forms_that_the_topology_names() {
    for (forms, names) in [
        (json!(["w3c"]), &["traceparent"][..]),
        (json!(["b3"]), &["b3"]),
        (json!(["b3multi", "w3c"]), &["x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "traceparent"]),
    ] {
        let pair = Pair::start(traced(&json!({"propagation": forms})), echo().await).await;
        let forged = format!("b3: {KEPT}-{PARENT}-1\r\nx-b3-traceid: {KEPT}\r\ntraceparent: x\r\n");
        let seen = pair.ask("/", &forged).await;
        let trace = pair.trace(4).await;
        assert!(!seen.contains(KEPT), "{seen}");
        for name in ["traceparent", "b3", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled"] {
            assert_eq!(field(&seen, name).is_some(), names.contains(&name), "{name}: {seen}");
        }
        let [client] = spans_of(&trace, "inner", Kind::Client)[..] else { panic!() };
        if let Some(b3) = field(&seen, "b3") {
            assert_eq!(b3, format!("{}-{}-1", trace.id, client.id));
        }
        if let Some(id) = field(&seen, "x-b3-traceid") {
            assert_eq!((id, field(&seen, "x-b3-sampled").unwrap()), (trace.id.to_string(), "1".to_owned()));
        }
        pair.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tracing_nothing_is_made_and_strangers_are_not_heard() {
    let pair = Pair::start(
        {
            let mut silent = traced(&json!({}));
            silent["spec"].as_object_mut().unwrap().remove("tracing");
            silent
        },
        echo().await,
    )
    .await;
    let seen = pair.ask("/", &format!("traceparent: 00-{KEPT}-{PARENT}-01\r\nbaggage: a=1\r\n")).await;
    assert_eq!((field(&seen, "traceparent"), field(&seen, "baggage")), (None, None));
    assert!(pair.end().await.is_empty());
}
