//! Every address of the page, asked as the admin server asks it, of boards with and without traces; and what strangers put
//! into requests.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bailey_kit::admin::Content;
use bailey_kit::telemetry::{Kind, Span, SpanId, Store, TraceId, Value};
use bailey_translate::{Object, Objects, Scope};

use super::*;
use crate::metrics::Metrics;
use crate::snapshot::{Current, Snapshot, build};
use crate::source::file::document;
use crate::tier::Role;

const TENANT: &str = include_str!("tests/tenant.yaml");

/// A board, its pages, and the tier on it, which stays as long as this.
struct Shown {
    site: Arc<Site>,
    board: Arc<Board>,
    member: Arc<Member>,
}

/// A board with a Gateway's tier on it.
fn board(local: bool, store: Option<Arc<Store>>) -> Shown {
    let documents: Vec<_> = TENANT.split("---\n").map(document::one).collect();
    let mut objects = Objects::default();
    for document in &documents {
        objects.insert_any(Object::from_value(document.value()).unwrap(), Some(document.location()));
    }
    let role = Role::Gateway { namespace: "a".to_owned(), name: "web".to_owned() };
    let scope = Scope::Gateway { namespace: "a".to_owned(), name: "web".to_owned() };
    let built = build(&objects, &scope, bailey_translate::Options { local: true }, &Snapshot::default());
    let member = Arc::new(Member {
        role,
        current: Arc::new(Current::from_pointee(built.snapshot.unwrap())),
        metrics: Metrics::new(),
        addresses: arc_swap::ArcSwap::default(),
        issuer: None,
        acme: None,
    });
    let board = if local { Board::local(store) } else { Board::new() };
    board.join(&member);
    board.tell(Told::live(objects, documents, built.diagnostics));
    Shown { site: Site::new(board.clone()), board, member }
}

fn ask(shown: &Shown, target: &str) -> (StatusCode, String) {
    let head = http::Request::get(target).body(()).unwrap().into_parts().0;
    let answer = shown.site.answer(&head);
    let Content::Whole(bytes) = answer.content else { panic!("{target} streams") };
    (answer.status, String::from_utf8(bytes.to_vec()).unwrap())
}

fn id(n: u8) -> TraceId {
    TraceId::new([n; 16]).unwrap()
}

fn span(trace: u8, own: u8, parent: Option<u8>, start_ms: u64, took_ms: u64, tier: &str) -> Span {
    Span {
        trace: id(trace),
        id: SpanId::new([own; 8]).unwrap(),
        parent: parent.and_then(|parent| SpanId::new([parent; 8])),
        remote_parent: false,
        links: Vec::new(),
        kind: if own % 2 == 1 { Kind::Server } else { Kind::Client },
        tier: tier.into(),
        tenant: None,
        name: "GET".to_owned(),
        start: SystemTime::UNIX_EPOCH + Duration::from_millis(1_000_000 + start_ms),
        duration: Duration::from_millis(took_ms),
        error: false,
        state: String::new(),
        attributes: vec![("http.request.method", "GET".into())],
    }
}

/// A request through two tiers.
fn two_tiers() -> Vec<Span> {
    let mut outer = span(1, 1, None, 0, 10, "outer");
    outer.attributes.extend([
        ("url.scheme", Value::from("https")),
        ("server.address", "shop.example".into()),
        ("server.port", 8443_u16.into()),
        ("url.path", "/api".into()),
        ("client.address", "203.0.113.9".into()),
        ("http.response.status_code", 200_u16.into()),
        ("bailey.route.name", "HostnameBinding edge/x".into()),
    ]);
    let mut inner = span(1, 3, Some(2), 2, 7, "inner");
    inner.attributes.push(("bailey.route.name", "HTTPRoute a/shop".into()));
    inner.tenant = Some("team-a".into());
    let mut last = span(1, 4, Some(3), 3, 5, "inner");
    last.attributes.extend([("server.address", Value::from("app.a")), ("server.port", 80_u16.into())]);
    outer.links.push((id(7), SpanId::new([7; 8]).unwrap()));
    // In the order in which they come in: the innermost is over first.
    vec![last, inner, span(1, 2, Some(1), 1, 9, "outer"), outer]
}

#[test]
fn every_screen_answers_with_and_without_traces() {
    for (local, store) in [(true, Some(Store::new())), (false, None)] {
        let shown = board(local, store);
        for screen in Screen::ALL {
            let (status, text) = ask(&shown, screen.path());
            assert_eq!(status, StatusCode::OK, "{}", screen.path());
            for piece in ["<!DOCTYPE html>", "<html lang=\"en\"", "href=\"#content\"", "<h1", "aria-current=\"page\""] {
                assert!(text.contains(piece), "{piece} on {}", screen.path());
            }
            assert!(
                !text.contains(" style=") && !text.contains("<script>"),
                "inline style or script on {}",
                screen.path()
            );
        }
    }
}

#[test]
fn a_trace_is_shown_over_both_tiers_and_nests() {
    let store = Store::new();
    store.add(two_tiers());
    let shown = board(true, Some(store));
    let (_, list) = ask(&shown, "/requests");
    assert!(list.contains("https://shop.example:8443/api") && list.contains("HTTPRoute/a/shop"), "{list}");
    let (_, json) = ask(&shown, "/api/traces");
    let all: Vec<Waterfall> = serde_json::from_str(&json).unwrap();
    let rows: Vec<_> = all[0].rows.iter().map(|row| (row.depth, &*row.tier, &*row.kind, row.offset_us)).collect();
    let wanted = [
        (0, "outer", "server", 0),
        (1, "outer", "client", 1000),
        (2, "inner", "server", 2000),
        (3, "inner", "client", 3000),
    ];
    assert_eq!(rows, wanted);
    assert_eq!((all[0].duration_us, all[0].status, all[0].tenant.as_deref()), (10_000, Some(200), Some("team-a")));
    let (status, one) = ask(&shown, &format!("/requests/{}", all[0].trace));
    assert!(status == StatusCode::OK && one.contains("Waterfall") && one.contains("<rect"), "{one}");
    assert_eq!(
        serde_json::from_str::<Waterfall>(&ask(&shown, &format!("/api/traces/{}", all[0].trace)).1).unwrap(),
        all[0]
    );
    let (_, address) = ask(&shown, &format!("/address?trace={}", all[0].trace));
    assert!(address.contains("203.0.113.9"), "{address}");
}

#[test]
fn the_filter_holds_for_requests_and_for_the_api() {
    let store = Store::new();
    store.add(two_tiers());
    let shown = board(true, Some(store));
    let count = |query: &str| {
        serde_json::from_str::<Vec<Waterfall>>(&ask(&shown, &format!("/api/traces?{query}")).1).unwrap().len()
    };
    for (query, wanted) in [
        ("", 1),
        ("tenant=team-a", 1),
        ("tenant=team-b", 0),
        ("route=HTTPRoute/a/shop", 1),
        ("route=HTTPRoute/a/other", 0),
        ("backend=a/app:80", 1),
        ("backend=a/app:81", 0),
        ("limit=0", 0),
        ("context=01010101010101010101010101010101", 1),
        ("context=07070707070707070707070707070707", 1),
        ("context=08080808080808080808080808080808", 0),
    ] {
        assert_eq!(count(query), wanted, "{query}");
    }
}

#[test]
fn what_strangers_send_is_shown_and_not_obeyed() {
    const HOSTILE: [&str; 4] =
        ["/<script>alert(1)</script>", "/\"><img src=x onerror=alert(1)>", "/\u{202e}gnp.exe", "/'--><svg onload=x>"];
    let store = Store::new();
    for (n, path) in (1..).zip(HOSTILE) {
        let mut hostile = span(n, 1, None, 0, 1, "<b>outer</b>");
        hostile.name = format!("GET {path}");
        hostile.attributes.extend([
            ("url.path", Value::from(path.to_owned())),
            ("server.address", path.into()),
            ("url.scheme", Value::Str(Cow::Borrowed("javascript"))),
            ("user_agent.original", path.into()),
            ("http.request.header.authorization", "Bearer hush".into()),
        ]);
        store.add([hostile]);
    }
    let shown = board(true, Some(store));
    let mut pages = vec![ask(&shown, "/requests").1];
    // What turns text around is shown as what it is; only a form gives back what was typed into it.
    assert!(pages[0].contains("\\u{202e}") && !pages[0].contains('\u{202e}'), "{}", pages[0]);
    for n in 1..=4 {
        pages.push(ask(&shown, &format!("/requests/{}", id(n))).1);
    }
    for path in HOSTILE {
        let encoded = query::encode(path);
        for screen in ["/", "/explain", "/routes", "/requests", "/address"] {
            for name in ["url", "tenant", "route", "backend", "method", "header", "from", "sni", "trace"] {
                pages.push(ask(&shown, &format!("{screen}?{name}={encoded}&x=http%3A%2F%2Fa%2F")).1);
            }
        }
        pages.push(
            ask(
                &shown,
                &format!("/explain?url={}&header={encoded}", query::encode(&format!("http://web.example{path}"))),
            )
            .1,
        );
    }
    for page in pages {
        for bad in ["<script>alert", "<img", "<b>", "<svg onload", "hush", "href=\"javascript"] {
            assert!(!page.contains(bad), "{bad} in {page}");
        }
    }
}

#[test]
fn routes_tell_what_is_rejected_and_why() {
    let shown = board(true, None);
    let lines: serde_json::Value = serde_json::from_str(&ask(&shown, "/api/routes").1).unwrap();
    let standing = |name: &str| {
        let line = lines.as_array().unwrap().iter().find(|line| line["route"] == name);
        line.map(|line| line["standing"].as_str().unwrap().to_owned())
    };
    assert_eq!(standing("HTTPRoute/a/good").as_deref(), Some("accepted"));
    assert_eq!(standing("HTTPRoute/a/broken").as_deref(), Some("problems"));
    assert_eq!(standing("HTTPRoute/a/hidden").as_deref(), Some("shadowed"));
    assert_eq!(standing("HTTPRoute/a/lost").as_deref(), Some("rejected"));
    let (_, page) = ask(&shown, "/routes");
    assert!(page.contains("rejected") && page.contains("BLY") && page.contains("test.yaml:"), "{page}");
}

#[test]
fn the_topology_is_data_too_and_can_be_filtered() {
    let shown = board(true, None);
    let whole: serde_json::Value = serde_json::from_str(&ask(&shown, "/api/topology").1).unwrap();
    let ranks = |data: &serde_json::Value, rank: &str| {
        data["nodes"].as_array().unwrap().iter().filter(|n| n["rank"] == rank).count()
    };
    assert_eq!((ranks(&whole, "front"), ranks(&whole, "route")), (1, 3));
    let one: serde_json::Value = serde_json::from_str(&ask(&shown, "/api/topology?route=HTTPRoute/a/good").1).unwrap();
    assert_eq!(ranks(&one, "route"), 1);
}

#[test]
fn the_configuration_shows_lines_defaults_and_no_secret() {
    let shown = board(true, None);
    let (_, page) = ask(&shown, "/configuration");
    assert!(page.contains("test.yaml:") && page.contains("default") && !page.contains("aHVzaA"), "{page}");
    shown.board.refuse(&[crate::source::file::Problem {
        file: "a.yaml".into(),
        line: 3,
        column: 1,
        message: "not valid YAML".to_owned(),
    }]);
    let (_, page) = ask(&shown, "/routes");
    assert!(page.contains("The last edit was refused"), "every screen says so");
    assert!(ask(&shown, "/configuration").1.contains("a.yaml:3:1: not valid YAML"));
}

#[test]
fn mistakes_in_addresses_are_told() {
    let shown = board(false, None);
    for (target, status, words) in [
        ("/nothing", 404, "no such page"),
        ("/assets/../secret", 404, "no such page"),
        ("/requests/zz", 404, "No trace"),
        ("/api/nothing", 404, "/api/topology"),
        ("/api/explain", 400, "url="),
        ("/api/explain?url=shop", 400, "scheme"),
        ("/api/explain?url=https://a/&proxied=me", 400, "not an address"),
        ("/api/explain?route=web", 404, "/api/routes"),
        ("/api/explain?route=HTTPRoute/a/gone", 404, "/api/routes"),
        ("/api/traces", 404, "keeps no traces"),
        ("/events", 404, "screen=topology"),
        ("/events?screen=requests", 404, "keeps no traces"),
    ] {
        let (got, text) = ask(&shown, target);
        assert!(got.as_u16() == status && text.contains(words), "{target}: {got} {text}");
    }
    assert!(ask(&shown, "/explain?url=shop").1.contains("role=\"alert\""));
}

#[test]
fn a_route_tells_what_reaches_it_and_what_comes_first() {
    let shown = board(true, None);
    let list = ask(&shown, "/routes").1;
    assert!(list.contains("href=\"/explain?route=HTTPRoute%2Fa%2Fhidden\""), "a click leads there: {list}");
    let page = ask(&shown, "/explain?route=HTTPRoute%2Fa%2Fhidden").1;
    for words in ["no request reaches it", "all of it", "HTTPRoute a/good", "listener <code>http</code>"] {
        assert!(page.contains(words), "{words} in {page}");
    }
    let good = ask(&shown, "/explain?route=HTTPRoute%2Fa%2Fgood").1;
    assert!(
        good.contains("is served on web.example") && good.contains("href=\"/explain?url=http%3A%2F%2Fweb.example%2F\""),
        "{good}"
    );
    let lost = ask(&shown, "/explain?route=HTTPRoute%2Fa%2Flost").1;
    assert!(lost.contains("is not served") && lost.contains("BLY"), "{lost}");
    assert!(ask(&shown, "/explain?route=HTTPRoute%2Fa%2Fgone").1.contains("There is no route HTTPRoute/a/gone"));
    let told: serde_json::Value =
        serde_json::from_str(&ask(&shown, "/api/explain?route=HTTPRoute/a/hidden").1).unwrap();
    assert_eq!(told["rules"][0]["matches"][0]["shadows"][0]["by"]["route"], "HTTPRoute a/good");
}

#[tokio::test]
async fn a_request_is_news_at_once() {
    let store = Store::new();
    let shown = board(true, Some(store.clone()));
    let head = http::Request::get("/events?screen=requests&tenant=team-a").body(()).unwrap().into_parts().0;
    let Content::Events(mut events) = shown.site.answer(&head).content else { panic!("it streams") };
    tokio::task::yield_now().await;
    store.add([span(9, 1, None, 0, 1, "outer")]);
    store.add(two_tiers());
    let event = events.recv().await.unwrap();
    let text = std::str::from_utf8(&event).unwrap();
    assert!(text.starts_with("event: request\ndata: {") && text.contains("shop.example"), "{text}");
}

#[tokio::test]
async fn a_tier_that_ended_leaves_the_board() {
    let shown = board(true, None);
    assert!(ask(&shown, "/").1.contains("a/web"));
    let Shown { site, board: _, member } = shown;
    drop(member);
    let head = http::Request::get("/").body(()).unwrap().into_parts().0;
    let Content::Whole(page) = site.answer(&head).content else { panic!("it streams") };
    assert!(!String::from_utf8_lossy(&page).contains("a/web"));
}

#[test]
fn what_a_tier_serves_from_is_data_too_and_holds_no_key() {
    let shown = board(false, None);
    let (status, text) = ask(&shown, "/api/configuration");
    assert_eq!(status, StatusCode::OK);
    let told: Vec<effective::Effective> = serde_json::from_str(&text).unwrap();
    assert_eq!(told, [effective::Effective::of(&shown.member.role, &shown.member.current.load())]);
    assert!(told[0].routes.iter().any(|one| one.route == "HTTPRoute a/good" && one.host == "web.example"), "{text}");
    assert_eq!(told[0].listeners[0].port, 80);
    assert!(!text.contains("PRIVATE KEY"));
}
