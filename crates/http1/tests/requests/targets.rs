//! Methods, targets, hosts and paths.

use bailey_http1::{Refusal, check_path};

use super::{accept, get, refuse};

#[test]
fn h10_connect_and_trace_are_not_served() {
    for (line, refusal, status) in [
        ("CONNECT a:443 HTTP/1.1", Refusal::Connect, 501),
        ("CONNECT / HTTP/1.1", Refusal::Connect, 501),
        ("CONNECT http://a/ HTTP/1.1", Refusal::Connect, 501),
        ("TRACE / HTTP/1.1", Refusal::Trace, 405),
        ("TRACE * HTTP/1.1", Refusal::Trace, 405),
    ] {
        assert_eq!(refuse(format!("{line}\r\nHost: a\r\n\r\n")), refusal);
        assert_eq!(refusal.status(), status);
    }
}

#[test]
fn h10_methods_are_tokens_of_at_most_32_bytes() {
    for method in ["PROPFIND", "M-SEARCH", "QUERY", "X", "VERSION-CONTROL", &"M".repeat(32)] {
        assert_eq!(accept(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n")).method.as_str(), method);
    }
    for method in [
        "get",
        "Get",
        "gET",
        "post",
        "Connect",
        "trace",
        "patch",
        "G\u{e4}T",
        "GET(",
        "GET,POST",
        "GET;",
        "GE/T",
        "\"GET\"",
        "GET\u{0}",
        "GET\t",
        "GET:",
        "{GET}",
        &"M".repeat(33),
        &"M".repeat(5000),
    ] {
        let refusal = refuse(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!((refusal, refusal.status()), (Refusal::Method, 400), "{method}");
    }
}

#[test]
fn h11_host_comes_once_and_is_a_host() {
    assert_eq!(refuse("GET / HTTP/1.1\r\n\r\n"), Refusal::MissingHost);
    assert_eq!(refuse("GET / HTTP/1.0\r\n\r\n"), Refusal::MissingHost);
    assert_eq!(refuse("GET http://a/ HTTP/1.1\r\n\r\n"), Refusal::MissingHost);
    for lines in ["Host: a", "Host: b", "host:a", "X: y\r\nHOST: a", "Host:"] {
        assert_eq!(refuse(get(lines)), Refusal::RepeatedHost, "{lines}");
    }
    for host in [
        "",
        " ",
        "a@b",
        "a/b",
        "a b",
        "a,b",
        "a:80x",
        "a:",
        "a:0",
        "a:00080",
        "a:65536",
        "a:99999999999",
        "a:-1",
        "a:+80",
        "a:80:80",
        ":80",
        ":",
        ".",
        "..",
        ".a",
        "a..b",
        "a..",
        "a?b",
        "a#b",
        "a\\b",
        "a%2eb",
        "a%00",
        "http://a",
        "user:pw@a",
        "*",
        "*.a",
        "a;b",
        "a=b",
        "a\"b",
        "a'b",
        "a!b",
        "a$b",
        "a&b",
        "a(b",
        "a+b",
        "a~b",
        "a|b",
        "a^b",
        "a`b",
        "a{b",
        "<a>",
        "\u{e4}.example",
        "ａ.example",
        "a。b",
        "a\u{ad}b",
        "[",
        "[]",
        "[::1",
        "::1",
        "[::1]x",
        "[::1]:",
        "[::1]:x",
        "[::1%25eth0]",
        "[::g]",
        "[1.2.3.4]",
        "[v1.a]",
        "]",
        "a]",
        "[::1]:65536",
        "[::1].",
        "a:80.",
        "a .",
        "a\t.b",
        "a:８０",
    ] {
        let refusal = refuse(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!((refusal, refusal.status()), (Refusal::InvalidHost, 400), "{host}");
    }
    assert_eq!(refuse(format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", "a".repeat(254))), Refusal::InvalidHost);
    assert_eq!(refuse(b"GET / HTTP/1.1\r\nHost: a\xff\r\n\r\n"), Refusal::InvalidHost);
}

#[test]
fn h11_one_host_has_one_spelling() {
    for (sent, host, port) in [
        ("a", "a", None),
        ("A.Example", "a.example", None),
        ("A.EXAMPLE.", "a.example", None),
        ("a.example.:8443", "a.example", Some(8443)),
        ("a:80", "a", Some(80)),
        ("127.0.0.1:65535", "127.0.0.1", Some(65535)),
        ("[::1]", "[::1]", None),
        ("[2001:DB8::1]:443", "[2001:db8::1]", Some(443)),
        ("xn--nxasmq6b.example", "xn--nxasmq6b.example", None),
        ("a_b.example", "a_b.example", None),
        (" a \t", "a", None),
    ] {
        let head = accept(format!("GET / HTTP/1.1\r\nHost:{sent}\r\n\r\n"));
        assert_eq!((head.host(), head.port()), (host.as_bytes(), port), "{sent}");
        assert!(head.fields.is_empty());
    }
}

#[test]
fn h11_an_absolute_target_names_the_same_host() {
    for (target, host, path) in [
        ("http://a/", "a", "/"),
        ("http://a", "a", "/"),
        ("HTTP://A:80/x?y", "a", "/x?y"),
        ("http://a/x", "A.:80", "/x"),
        ("https://a:443?y", "a", "/?y"),
        ("https://a.:443/", "a", "/"),
        ("http://[::1]:81/z", "[::1]:81", "/z"),
    ] {
        let head = accept(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(head.target.as_bytes(), path.as_bytes(), "{target}");
        assert!(head.scheme.is_some());
    }
    for (target, host) in [
        ("http://b/", "a"),
        ("http://a:81/", "a"),
        ("http://a/", "a:81"),
        ("https://a/", "a:80"),
        ("http://a/", "a:443"),
        ("http://a.b/", "a"),
        ("http://xa/", "a"),
    ] {
        let raw = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(refuse(raw), Refusal::HostMismatch, "{target} {host}");
    }
    for target in ["http://u@a/", "http://u:p@a/", "http:///", "http://", "http://a:/", "http://a%2e/", "http://a:x/"] {
        assert_eq!(refuse(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")), Refusal::InvalidHost, "{target}");
    }
}

#[test]
fn h11_targets_have_one_of_two_forms() {
    for target in [
        "a",
        "a:80",
        "a/b",
        "*",
        "**",
        "?x",
        "ftp://a/",
        "ws://a/",
        "javascript:x",
        "http:/a",
        "http:a",
        "@a",
        "\\",
        "file:///etc",
        "%2f",
        "a.example:443",
    ] {
        let refusal = refuse(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!((refusal, refusal.status()), (Refusal::Target, 400), "{target}");
    }
    for target in ["/#", "/a#b", "/a?b#c", "/\\", "/a\\..\\b", "/<", "/a>b", "/\u{e4}", "/a?\u{e4}", "/a\u{a0}"] {
        assert_eq!(refuse(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")), Refusal::Target, "{target}");
    }
    assert!(accept("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").target.is_asterisk());
    assert!(accept("OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n").target.is_asterisk());
    for target in ["/", "/a%20b", "/?", "/?a=b&c={}|^`\"'", "/a;b=c,d", "/~user/!$&'()*+:@", "/a?//../%2f"] {
        assert_eq!(accept(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")).target.as_bytes(), target.as_bytes());
    }
}

#[test]
fn h14_ambiguous_paths_are_refused() {
    for path in [
        "/%2f",
        "/\\",
        "/a\\..\\b",
        "/\0",
        "/a%2Fb",
        "/%5c",
        "/a%5Cb",
        "/%00",
        "/a%00b",
        "/%2e",
        "/%2E%2e/",
        "/.%2e/",
        "/a/%2e./b",
        "//",
        "//a",
        "/a//b",
        "/a//",
        "/..",
        "/../",
        "/a/..",
        "/a/../b",
        "/.",
        "/./",
        "/a/./b",
        "/a/.",
        "/..;/",
        "/a/..;x=y/b",
        "/.;/a",
        "/%",
        "/%2",
        "/%zz",
        "/a%2",
        "/%%32%65",
        "/%u002e",
        "/a%g0",
        "a",
        "",
        "?",
    ] {
        assert_eq!(check_path(path.as_bytes()), Err(Refusal::AmbiguousPath), "{path}");
    }
    for path in [
        "/",
        "/a",
        "/a/",
        "/a/b",
        "/a.b",
        "/.well-known/x",
        "/..a",
        "/a..",
        "/...",
        "/.a/b",
        "/a%20b",
        "/%41",
        "/%252e",
        "/a;b",
        "/a;/b",
        "*",
        "/%C3%A4",
    ] {
        assert_eq!(check_path(path.as_bytes()), Ok(()), "{path}");
    }
}
