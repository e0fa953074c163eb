//! The `Location` of redirects.

use bailey_routing::ir::{Filter, HttpsRedirect, PathRewrite, Redirect, RedirectStatus, Scheme};
use bailey_routing::{Arrival, Plan, https_redirect, plan};

use crate::world::{get, matched, prefix, route, table, with};

const PLAIN: Redirect = Redirect { scheme: None, host: None, port: None, path: None, status: RedirectStatus::Found };

fn location(redirect: Redirect, scheme: Scheme, port: u16, target: &'static str) -> String {
    let table = table([route("r", "", [with([Filter::Redirect(redirect)], prefix("/old"))])]);
    let arrival = Arrival { scheme, host: b"example.com", port };
    let request = get(target);
    match plan(&table, matched(&table, "example.com", &request).unwrap(), &request, arrival, 0) {
        Plan::Respond(respond) => String::from_utf8(respond.headers[0].1.clone()).unwrap(),
        Plan::Forward(forward) => panic!("{forward:?}"),
    }
}

#[test]
fn the_port_follows_the_redirects_scheme_then_the_listener() {
    use Scheme::{Http, Https};
    for (scheme, port, arrived, listener, expected) in [
        (None, None, Http, 80, "http://example.com/old"),
        (None, None, Http, 8080, "http://example.com:8080/old"),
        (None, Some(80), Http, 8080, "http://example.com/old"),
        (None, Some(8080), Http, 80, "http://example.com:8080/old"),
        (Some(Https), None, Http, 8080, "https://example.com/old"),
        (Some(Https), Some(443), Http, 80, "https://example.com/old"),
        (Some(Https), Some(8443), Http, 80, "https://example.com:8443/old"),
        (Some(Http), None, Https, 443, "http://example.com/old"),
        (None, None, Https, 443, "https://example.com/old"),
        (None, Some(80), Https, 443, "https://example.com:80/old"),
    ] {
        let got = location(Redirect { scheme, port, ..PLAIN }, arrived, listener, "/old");
        assert_eq!(got, expected, "{scheme:?} {port:?} {listener}");
    }
}

#[test]
fn paths_are_replaced_and_the_query_is_kept() {
    let to = |path| Redirect { path: Some(path), host: Some("example.org".into()), ..PLAIN };
    let new = |redirect, target| location(redirect, Scheme::Http, 80, target);
    assert_eq!(new(to(PathRewrite::Prefix("/new".into())), "/old/lemon?a=b"), "http://example.org/new/lemon?a=b");
    assert_eq!(new(to(PathRewrite::Prefix("/new".into())), "/old"), "http://example.org/new");
    assert_eq!(new(to(PathRewrite::Prefix("".into())), "/old//evil.com"), "http://example.org//evil.com");
    assert_eq!(new(to(PathRewrite::Full("/full".into())), "/old/lemon?a=b"), "http://example.org/full?a=b");
}

#[test]
fn the_plain_port_redirects_with_308_what_is_not_get_or_head() {
    for (method, status) in [("GET", 301), ("HEAD", 301), ("POST", 308), ("OPTIONS", 308)] {
        let answer = https_redirect(HttpsRedirect { port: 8443 }, b"a.example.com", &get("/x?y").method(method));
        assert_eq!(answer.status, status);
        assert_eq!(answer.headers[0].1, b"https://a.example.com:8443/x?y");
    }
    let answer = https_redirect(HttpsRedirect { port: 443 }, b"a.example.com", &get("*").method("OPTIONS"));
    assert_eq!(answer.headers[0].1, b"https://a.example.com/");
}
