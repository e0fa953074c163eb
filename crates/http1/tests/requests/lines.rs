//! Lines, names, values, and how many of them.

use bailey_http1::{Limits, Method, Refusal, RequestParser};
use bytes::BytesMut;

use super::{accept, get, read, refuse};

#[test]
fn h4_line_breaks_are_carriage_return_and_line_feed() {
    for raw in [
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\rHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\rX: y\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\rX",
        "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\r\n",
        "GET /\nHost: a\r\n\r\n",
        "GET\n/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
        "GET / HTTP/1.1\r\nX:\nHost: a\r\n\r\n",
        "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nX\n: y\r\nHost: a\r\n\r\n",
    ] {
        assert_eq!(refuse(raw), Refusal::BareLineBreak, "{}", raw.escape_default());
    }
}

#[test]
fn h4_folded_lines_are_refused() {
    for lines in ["X: y\r\n z", "X: y\r\n\tz", " X: y", "\tX: y", "X: y\r\n ", "X: y\r\n \r\n", " ", "X:\r\n y"] {
        assert_eq!(refuse(get(lines)), Refusal::FoldedLine, "{}", lines.escape_default());
    }
    assert_eq!(refuse("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), Refusal::FoldedLine);
}

#[test]
fn h4_names_are_tokens_followed_by_a_colon() {
    for line in [
        "X : y",
        "X\t: y",
        ": y",
        ":",
        "X",
        "X y",
        "X y: z",
        "X(: y",
        "X): y",
        "X<: y",
        "X>: y",
        "X@: y",
        "X,: y",
        "X;: y",
        "X\\: y",
        "X\": y",
        "X/: y",
        "X[: y",
        "X]: y",
        "X?: y",
        "X=: y",
        "X{: y",
        "X}: y",
        "\u{e4}: y",
        "X\u{e4}: y",
        "X\u{a0}: y",
        "\u{feff}X: y",
        "GET / HTTP/1.1",
        "Content-Length : 5",
        "Host : b",
        "Ⅹ: y",
    ] {
        assert_eq!(refuse(get(line)), Refusal::FieldName, "{line}");
    }
}

#[test]
fn h4_control_characters_are_refused_everywhere() {
    for b in (0..0x20).chain([0x7f]).filter(|b| !matches!(b, b'\t' | b'\r' | b'\n')) {
        let c = char::from(b);
        for raw in [
            get(&format!("X: a{c}b")),
            get(&format!("X:{c}")),
            get(&format!("X: {c}y")),
            get(&format!("X: y{c}")),
            get(&format!("X{c}: y")),
            get(&format!("{c}X: y")),
            get(&format!("X: 0123456{c}")),
            get(&format!("X: 01234567{c}89abcdef")),
            get(&format!("X: \t\t\t\t{c}\t\t\t\t")),
            format!("GET /{c} HTTP/1.1\r\nHost: a\r\n\r\n"),
            format!("GET /a?{c} HTTP/1.1\r\nHost: a\r\n\r\n"),
        ] {
            assert_eq!(refuse(&raw), Refusal::ControlCharacter, "{}", raw.escape_default());
        }
    }
}

#[test]
fn h4_tabs_and_bytes_beyond_ascii_may_stand_in_values() {
    let head = accept(b"GET / HTTP/1.1\r\nHost: a\r\nX:\t a\tb \xc3\xa4\xff \t\r\nEmpty:\r\nBlank: \t \r\n\r\n");
    let fields: Vec<_> = head.fields.iter().collect();
    assert_eq!(fields, [(&b"x"[..], &b"a\tb \xc3\xa4\xff"[..]), (b"empty", b""), (b"blank", b"")]);
}

#[test]
fn h4_every_byte_is_judged_alike_at_every_place_of_a_long_value() {
    for place in 0..24 {
        for b in 0..=255_u8 {
            let mut raw = b"GET / HTTP/1.1\r\nHost: a\r\nX: ".to_vec();
            let mut value = [b'v'; 24];
            value[place] = b;
            raw.extend_from_slice(&value);
            raw.extend_from_slice(b"\r\n\r\n");
            let found = RequestParser::default().parse(&mut BytesMut::from(&raw[..]), &Limits::DEFAULT);
            let allowed = b == b'\t' || (b >= 0x20 && b != 0x7f);
            assert_eq!(found.is_ok(), allowed, "{b:#x} at {place}");
        }
    }
}

#[test]
fn h4_start_lines_have_three_parts_with_one_space_between() {
    for line in [
        "",
        " ",
        "GET",
        "GET ",
        "GET /",
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        "GET / HTTP/1.1 ",
        " GET / HTTP/1.1",
        "GET / HTTP/1.1 x",
        "GET / x HTTP/1.1",
        "GET HTTP/1.1",
        "GET / HTTP",
        "GET / HTTP/1",
        "GET / HTTP/1.",
        "GET / http/1.1",
        "GET / Http/1.1",
        "GET / HTTP/11",
        "GET / HTTP/1.10",
        "GET / HTTP/1.1.1",
        "GET / HTTP/01.1",
        "GET / HTTP /1.1",
        "GET / HTTP/ 1.1",
        "GET / HTTP/1,1",
        "GET / HTTPS/1.1",
        "GET / HTTP/x.y",
        "GET / HTTP/1.x",
        "GET / HTTP-1.1",
        "GET / XTTP/1.1",
        "GET / ICY/1.1",
        "GET / HTTP/1.1\t",
        "GET / HTTP/1.1;",
    ] {
        let refusal = refuse(format!("{line}\r\nHost: a\r\n\r\n"));
        assert_eq!((refusal, refusal.status()), (Refusal::StartLine, 400), "{line}");
    }
    for version in ["0.9", "1.2", "1.9", "2.0", "3.0", "0.0", "9.9"] {
        let refusal = refuse(format!("GET / HTTP/{version}\r\nHost: a\r\n\r\n"));
        assert_eq!((refusal, refusal.status()), (Refusal::Version, 505), "{version}");
    }
    assert_eq!(refuse("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), Refusal::StartLine);
    assert_eq!(refuse("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Refusal::Target);
}

#[test]
fn h15_names_with_underscores_are_refused_unless_switched_off() {
    for name in ["X_Forwarded_For", "x_y", "_x", "x_", "X-Forwarded_For", "Content_Length", "HOST_"] {
        let refusal = refuse(get(&format!("{name}: 1")));
        assert_eq!((refusal, refusal.status()), (Refusal::Underscore, 400), "{name}");
        let limits = Limits { refuse_underscore: false, ..Limits::DEFAULT };
        let mut input = BytesMut::from(get(&format!("{name}: 1")).as_str());
        assert!(RequestParser::default().parse(&mut input, &limits).unwrap().is_some());
    }
}

#[test]
fn h17_too_many_fields_too_long_targets_and_heads_are_refused() {
    let lines = |n: usize| vec!["X: y"; n].join("\r\n");
    assert_eq!(accept(get(&lines(99))).fields.len(), 99);
    let refusal = refuse(get(&lines(100)));
    assert_eq!((refusal, refusal.status()), (Refusal::TooManyFields, 431));
    // Dropped fields count.
    assert_eq!(refuse(get(&vec!["Keep-Alive: x"; 100].join("\r\n"))), Refusal::TooManyFields);

    let with_target = |n: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "p".repeat(n - 1));
    assert_eq!(accept(with_target(8192)).path().len(), 8192);
    for n in [8193, 9000, 40_000] {
        let refusal = refuse(with_target(n));
        assert_eq!((refusal, refusal.status()), (Refusal::TargetTooLong, 414));
    }

    let with_size = |n: usize| get(&format!("X: {}", "v".repeat(n - get("X: ").len())));
    assert_eq!(accept(with_size(32_768 - 1)).fields.len(), 1);
    for raw in [with_size(32_769), with_size(100_000), get(&format!("{}: y", "n".repeat(40_000)))] {
        let refusal = refuse(raw);
        assert_eq!((refusal, refusal.status()), (Refusal::HeadTooLarge, 431));
    }
}

#[test]
fn an_incomplete_head_waits() {
    let raw = b"DELETE /a?b HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
    for len in 0..raw.len() {
        assert!(matches!(read(&raw[..len]), Ok(None)), "{len}");
    }
    assert_eq!(accept(raw).method, Method::Delete);
}

#[test]
fn raised_limits_do_not_make_names_longer_than_their_ranges() {
    let limits = Limits { head_bytes: 200_000, ..Limits::DEFAULT };
    for (n, expected) in [(65_535, Ok(1)), (65_536, Err(Refusal::FieldName)), (65_540, Err(Refusal::FieldName))] {
        let raw = get(&format!("{}host: b", "n".repeat(n - 4)));
        let found = RequestParser::default().parse(&mut BytesMut::from(raw.as_str()), &limits);
        assert_eq!(found.map(|head| head.map_or(0, |head| head.fields.len())), expected, "{n}");
    }
}
