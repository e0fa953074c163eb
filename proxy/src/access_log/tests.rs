//! Lines as they come out, and what must never be in them.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

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

fn none() -> &'static Fields {
    static NONE: std::sync::OnceLock<Fields> = std::sync::OnceLock::new();
    NONE.get_or_init(Fields::new)
}

fn entry() -> Entry<'static> {
    Entry {
        time: SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_266_000_123),
        tier: "outer",
        request_id: "0123",
        client: [203, 0, 113, 9].into(),
        tenant: Some("team-a"),
        route: Some("HTTPRoute/a/web"),
        method: b"GET",
        scheme: "https",
        host: b"shop.example.com",
        target: b"/cart?item=1&token=hunter2",
        protocol: "HTTP/1.1",
        status: 200,
        bytes_in: 0,
        bytes_out: 12,
        duration: Duration::from_micros(1500),
        upstream: Some(Duration::from_micros(900)),
        upstream_address: Some("10.0.0.1:80"),
        error: None,
        user_agent: Some(b"curl/8"),
        referer: None,
        headers: none(),
    }
}

fn logged(options: Options, entries: &[Entry<'_>]) -> String {
    let out = Shared::default();
    let (writer, sink) = Writer::start(out.clone()).unwrap();
    let log = AccessLog::new(options, sink, Rc::default());
    for entry in entries {
        log.write(entry);
    }
    drop(log);
    writer.finish();
    String::from_utf8(out.0.lock().unwrap().clone()).unwrap()
}

#[test]
fn a_json_line_has_every_field_that_has_a_value() {
    let line: serde_json::Value = serde_json::from_str(&logged(Options::default(), &[entry()])).unwrap();
    assert_eq!(line["time"], "2026-11-21T13:00:00.123Z");
    assert_eq!(line["client"], "203.0.113.9");
    assert_eq!((line["status"].as_u64(), line["duration_us"].as_u64()), (Some(200), Some(1500)));
    assert!(line.get("error").is_none() && line.get("referer").is_none());
}

#[test]
fn values_of_secret_parameters_are_blanked() {
    for format in [Format::Json, Format::Clf] {
        let mut one = entry();
        one.referer = Some(b"https://x/?Password=hunter2&a=b");
        let text = logged(Options { format, ..Options::default() }, &[one]);
        assert!(!text.contains("hunter2") && text.contains("token=***") && text.contains("item=1"), "{text}");
    }
}

#[test]
fn fields_can_be_dropped_and_redacted() {
    let options = Options {
        drop: FieldSet::from_iter([Field::UserAgent]),
        redact: FieldSet::from_iter([Field::Client]),
        ..Options::default()
    };
    let line: serde_json::Value = serde_json::from_str(&logged(options, &[entry()])).unwrap();
    assert!(line.get("user_agent").is_none());
    assert_eq!(line["client"], "***");
}

#[test]
fn keeping_only_some_fields_is_dropping_the_complement() {
    let keep = FieldSet::from_iter([Field::Status]);
    let text = logged(Options { drop: keep.complement(), ..Options::default() }, &[entry()]);
    assert_eq!(text, "{\"status\":200}\n");
}

#[test]
fn a_combined_log_line_has_its_fixed_shape() {
    let text = logged(Options { format: Format::Clf, ..Options::default() }, &[entry()]);
    assert_eq!(
        text,
        "203.0.113.9 - - [21/Nov/2026:13:00:00 +0000] \"GET /cart?item=1&token=*** HTTP/1.1\" 200 12 \"-\" \"curl/8\"\n"
    );
}

#[test]
fn bytes_of_a_client_cannot_end_a_line_or_a_quote() {
    let mut evil = entry();
    evil.user_agent = Some(b"x\"\n\x1b[31m\xff\\");
    let json = logged(Options::default(), &[evil]);
    assert_eq!(json.lines().count(), 1);
    let line: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(line["user_agent"], "x\"\n\u{1b}[31m\u{ff}\\");
    let clf = logged(Options { format: Format::Clf, ..Options::default() }, &[evil]);
    assert!(clf.lines().count() == 1 && clf.contains("\\x0a") && clf.contains("\\xff"), "{clf}");
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
    log.write(&entry());
    drop(log);
    let counts = writer.counts().clone();
    writer.finish();
    assert_eq!((counts.dropped.load(Ordering::Relaxed), counts.written.load(Ordering::Relaxed)), (1, 0));
}

#[test]
fn every_field_is_found_by_its_name() {
    for field in Field::ALL {
        assert_eq!(Field::named(field.as_str()), Some(field));
    }
    assert_eq!(Field::named("cookie"), None);
}

#[test]
fn the_names_are_those_that_the_api_documents() {
    assert_eq!(Field::ALL.map(Field::as_str), bailey_crds::ACCESS_LOG_FIELDS);
}

#[test]
fn fields_of_the_request_are_added_by_name_and_credentials_never_shown() {
    let fields: Fields =
        [(&b"x-shop"[..], &b"blue\""[..]), (b"cookie", b"sid=1"), (b"x-token", b"hunter2")].into_iter().collect();
    let headers = [("X-Shop", false), ("Cookie", false), ("x-token", true), ("x-absent", false)];
    let headers = headers.map(|(name, redact)| LoggedHeader::new(name, redact)).into();
    let one = Entry { headers: &fields, ..entry() };
    let line: serde_json::Value =
        serde_json::from_str(&logged(Options { headers, ..Options::default() }, &[one])).unwrap();
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
    log.write(&entry());
    log.write(&entry());
    assert!(told() && !told());
    log.flush();
    log.write(&entry());
    assert!(told());
}
