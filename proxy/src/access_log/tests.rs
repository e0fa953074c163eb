//! Lines as they come out, and what must never be in them.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use bailey_http1::{Authority, Method, Target};
use bytes::Bytes;

use super::*;

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn head(target: &'static [u8], fields: &[(&[u8], &[u8])]) -> RequestHead {
    RequestHead {
        fields: fields.iter().copied().collect(),
        ..RequestHead::new(
            Method::Get,
            Target::from_bytes(Bytes::from_static(target)).unwrap(),
            Authority::parse(b"shop.example.com").unwrap(),
        )
    }
}

fn shop() -> RequestHead {
    head(b"/cart?item=1&token=hunter2", &[(b"user-agent", b"curl/8")])
}

fn entry() -> Entry<'static> {
    Entry {
        began: Instant::now(),
        tier: "outer",
        request_id: Some(b"0123"),
        trace_id: Some(b"4567"),
        client: Some([203, 0, 113, 9].into()),
        // Of one log each; that a test does not give it back does no harm.
        whose: Box::leak(Box::new(Whose::new("team-a".into(), "HTTPRoute/a/web".into()))),
        scheme: "https",
        status: 200,
        error: None,
        reason: None,
        bytes_in: 0,
        bytes_out: 12,
        duration: Duration::from_micros(1500),
        upstream: Some(Duration::from_micros(900)),
        inner_us: Some(700),
        application_us: Some(600),
        upstream_address: Some(([10, 0, 0, 1], 80).into()),
        attempts: 2,
    }
}

fn logged(options: Options, lines: &[(Option<&RequestHead>, Entry<'_>)]) -> String {
    let out = Shared::default();
    let (writer, sink) = Writer::start(out.clone()).unwrap();
    let log = AccessLog::new(options, sink, Rc::default());
    for (head, entry) in lines {
        log.write(head.map(|head| log.draft(head)).unwrap_or_default(), entry);
    }
    drop(log);
    writer.finish();
    String::from_utf8(out.0.lock().unwrap().clone()).unwrap()
}

fn json(options: Options, head: &RequestHead, entry: &Entry<'_>) -> serde_json::Value {
    let text = logged(options, &[(Some(head), *entry)]);
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The line that has every field.
fn full() -> serde_json::Value {
    let head = head(b"/cart?item=1", &[(b"user-agent", b"curl/8"), (b"referer", b"https://a/")]);
    let entry = Entry { error: Some("connection_refused"), reason: Some("connect_failed"), ..entry() };
    json(Options::default(), &head, &entry)
}

#[test]
fn every_field_is_there_with_its_value_and_in_its_order() {
    let line = full();
    let time = line["time"].as_str().unwrap();
    assert!(time.parse::<jiff::Timestamp>().is_ok() && time.len() == 24 && time.ends_with('Z'), "{time}");
    let expected = serde_json::json!({
        "tier": "outer", "request_id": "0123", "trace_id": "4567", "client": "203.0.113.9", "tenant": "team-a",
        "route": "HTTPRoute/a/web", "scheme": "https", "method": "GET", "host": "shop.example.com",
        "target": "/cart?item=1", "protocol": "HTTP/1.1", "user_agent": "curl/8", "referer": "https://a/",
        "status": 200, "error": "connection_refused", "reason": "connect_failed", "bytes_in": 0, "bytes_out": 12,
        "duration_us": 1500, "upstream_us": 900, "inner_us": 700, "application_us": 600,
        "upstream_address": "10.0.0.1:80", "attempts": 2, "time": time,
    });
    assert_eq!(line, expected);
    assert_eq!(line.as_object().unwrap().len(), Field::ALL.len());
    let text = logged(Options::default(), &[(Some(&shop()), entry())]);
    let places = Field::ALL.iter().filter_map(|field| text.find(&format!("\"{}\":", field.as_str())));
    assert!(places.collect::<Vec<_>>().is_sorted(), "{text}");
}

#[test]
fn every_field_can_be_dropped_and_redacted() {
    for field in Field::ALL {
        let head = head(b"/cart?item=1", &[(b"user-agent", b"curl/8"), (b"referer", b"https://a/")]);
        let entry = || Entry { error: Some("connection_refused"), reason: Some("connect_failed"), ..entry() };
        let drop = Options { drop: FieldSet::from_iter([*field]), ..Options::default() };
        let line = json(drop, &head, &entry());
        assert!(line.get(field.as_str()).is_none() && line.as_object().unwrap().len() == Field::ALL.len() - 1);
        let redact = Options { redact: FieldSet::from_iter([*field]), ..Options::default() };
        let line = json(redact, &head, &entry());
        assert_eq!(line[field.as_str()], "***", "{line}");
        assert_eq!(line.as_object().unwrap().values().filter(|value| *value == "***").count(), 1);
    }
}

#[test]
fn what_is_not_known_is_not_in_the_line() {
    let nobody = Whose::default();
    let unknown = Entry {
        request_id: None,
        trace_id: None,
        client: None,
        whose: &nobody,
        upstream: None,
        inner_us: None,
        application_us: None,
        upstream_address: None,
        attempts: 0,
        ..entry()
    };
    let text = logged(Options::default(), &[(None, unknown)]);
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    let names: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["bytes_in", "bytes_out", "duration_us", "scheme", "status", "tier", "time"]);
    let clf = logged(Options { format: Format::Clf, ..Options::default() }, &[(None, unknown)]);
    assert!(clf.starts_with("- - - [") && clf.ends_with("] \"-\" 200 12 \"-\" \"-\"\n"), "{clf}");
}

#[test]
fn values_of_secret_parameters_are_blanked() {
    for format in [Format::Json, Format::Clf] {
        let target = b"/cart?item=1&token=hunter2&access%5Ftoken=hunter2";
        let head = head(target, &[(b"referer", b"https://x/?Password=hunter2&a=b")]);
        let text = logged(Options { format, ..Options::default() }, &[(Some(&head), entry())]);
        assert!(!text.contains("hunter2") && text.contains("token=***") && text.contains("item=1"), "{text}");
    }
}

#[test]
fn the_token_of_a_challenge_is_blanked() {
    for format in [Format::Json, Format::Clf] {
        let head = head(b"/.well-known/acme-challenge/hunter2?hunter2", &[]);
        let text = logged(Options { format, ..Options::default() }, &[(Some(&head), entry())]);
        assert!(!text.contains("hunter2") && text.contains("/.well-known/acme-challenge/***"), "{text}");
    }
}

#[test]
fn keeping_only_some_fields_is_dropping_the_complement() {
    let keep = FieldSet::from_iter([Field::Status]);
    let text = logged(Options { drop: keep.complement(), ..Options::default() }, &[(Some(&shop()), entry())]);
    assert_eq!(text, "{\"status\":200}\n");
    let nothing = Options { drop: FieldSet::default().complement(), ..Options::default() };
    assert_eq!(logged(nothing, &[(Some(&shop()), entry())]), "{}\n");
}

#[test]
fn a_combined_log_line_has_its_fixed_shape() {
    let clf = |options| logged(Options { format: Format::Clf, ..options }, &[(Some(&shop()), entry())]);
    let text = clf(Options::default());
    let (before, after) = (text.find('[').unwrap(), text.find(']').unwrap());
    assert_eq!(&text[..before], "203.0.113.9 - - ");
    assert_eq!(text[before..=after].len(), "[21/Nov/2026:13:00:00 +0000]".len());
    assert_eq!(&text[after + 1..], " \"GET /cart?item=1&token=*** HTTP/1.1\" 200 12 \"-\" \"curl/8\"\n");
    let (drop, redact) = (FieldSet::from_iter([Field::UserAgent]), FieldSet::from_iter([Field::Client, Field::Target]));
    let text = clf(Options { drop, redact, ..Options::default() });
    assert!(text.starts_with("*** - - [") && text.ends_with("\"GET *** HTTP/1.1\" 200 12 \"-\" \"-\"\n"), "{text}");
}

#[test]
fn bytes_of_a_client_cannot_end_a_line_or_a_quote() {
    let evil = head(b"/", &[(b"user-agent", b"x\"\t\xff\\\xe2\x80\xa8")]);
    let line = json(Options::default(), &evil, &entry());
    assert_eq!(line["user_agent"], "x\"\t\u{ff}\\\u{2028}");
    let clf = logged(Options { format: Format::Clf, ..Options::default() }, &[(Some(&evil), entry())]);
    assert!(clf.lines().count() == 1 && clf.contains("\\x09") && clf.contains("\\xff"), "{clf}");
}

#[test]
fn a_writer_that_cannot_write_costs_lines_and_counts_them() {
    struct Broken;
    impl std::io::Write for Broken {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("disk full"))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let (writer, sink) = Writer::start(Broken).unwrap();
    let log = AccessLog::new(Options::default(), sink, Rc::default());
    log.write(log.draft(&shop()), &entry());
    drop(log);
    let counts = writer.counts().clone();
    writer.finish();
    assert_eq!((counts.dropped.load(Ordering::Relaxed), counts.written.load(Ordering::Relaxed)), (1, 0));
}

#[test]
fn every_field_is_found_by_its_name() {
    for field in Field::ALL {
        assert_eq!(Field::named(field.as_str()), Some(*field));
    }
    assert_eq!(Field::named("cookie"), None);
}

#[test]
fn the_names_are_those_that_the_api_documents() {
    let names: Vec<_> = Field::ALL.iter().map(|field| field.as_str()).collect();
    assert_eq!(names, bailey_crds::ACCESS_LOG_FIELDS);
}

#[test]
fn fields_of_the_request_are_added_by_name_and_credentials_never_shown() {
    let head = head(b"/", &[(b"x-shop", b"blue\""), (b"cookie", b"sid=1"), (b"x-token", b"hunter2")]);
    let headers = [("X-Shop", false), ("Cookie", false), ("x-token", true), ("x-absent", false)];
    let headers = headers.map(|(name, redact)| LoggedHeader::new(name, redact)).into();
    let line = json(Options { headers, ..Options::default() }, &head, &entry());
    assert_eq!((&line["header.x-shop"], &line["header.cookie"]), (&"blue\"".into(), &"***".into()));
    assert_eq!((&line["header.x-token"], line.get("header.x-absent")), (&"***".into(), None));
}

#[test]
fn the_worker_is_told_once_that_lines_wait() {
    use std::future::Future;
    let (_writer, sink) = Writer::start(Shared::default()).unwrap();
    let waits = Rc::<Notify>::default();
    let log = AccessLog::new(Options::default(), sink, waits.clone());
    let told = || {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        std::pin::pin!(waits.notified()).poll(&mut cx).is_ready()
    };
    assert!(!told());
    log.write(log.draft(&shop()), &entry());
    log.write(log.draft(&shop()), &entry());
    assert!(told() && !told());
    log.flush();
    log.write(log.draft(&shop()), &entry());
    assert!(told());
}
