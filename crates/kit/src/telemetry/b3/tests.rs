use super::*;

const TRACE: &str = "80f198ee56343ba864fe8b2a57d3eff7";
const SPAN: &str = "e457b5a2e4d86bd1";

fn multi(trace: Option<&str>, span: Option<&str>, sampled: Option<&str>, flags: Option<&str>) -> Option<Remote> {
    parse_multi(trace.map(str::as_bytes), span.map(str::as_bytes), sampled.map(str::as_bytes), flags.map(str::as_bytes))
}

fn ids() -> (TraceId, SpanId) {
    (TRACE.parse().unwrap(), SPAN.parse().unwrap())
}

#[test]
fn the_single_field_in_all_its_forms() {
    let with = |tail: &str| parse_single(format!("{TRACE}-{SPAN}{tail}").as_bytes());
    let read = |sampled| Some(Remote { ids: Some(ids()), sampled, ..Remote::default() });
    assert_eq!(with(""), read(None));
    assert_eq!(with("-1"), read(Some(true)));
    assert_eq!(with("-d"), read(Some(true)));
    assert_eq!(with("-0"), read(Some(false)));
    assert_eq!(with("-1-05e3ac9a4f6e3b90"), read(Some(true)));
    assert_eq!(parse_single(b"0"), Some(Remote { sampled: Some(false), ..Remote::default() }));
    for wrong in ["-2", "-", "-1-", "-1-zz", "-1-05e3ac9a4f6e3b90-1"] {
        assert_eq!(with(wrong), None, "{wrong}");
    }
    for wrong in ["", "x", "80f198ee-e457b5a2e4d86bd1-1", "0000000000000000-e457b5a2e4d86bd1-1"] {
        assert_eq!(parse_single(wrong.as_bytes()), None, "{wrong}");
    }
}

#[test]
fn short_trace_ids_get_zeros_before_them() {
    let read = parse_single(b"64fe8b2a57d3eff7-e457b5a2e4d86bd1-1").unwrap();
    assert_eq!(read.ids.unwrap().0.to_string(), "000000000000000064fe8b2a57d3eff7");
}

#[test]
fn the_several_fields() {
    let read = |sampled| Some(Remote { ids: Some(ids()), sampled, ..Remote::default() });
    assert_eq!(multi(Some(TRACE), Some(SPAN), Some("1"), None), read(Some(true)));
    assert_eq!(multi(Some(TRACE), Some(SPAN), Some("false"), None), read(Some(false)));
    assert_eq!(multi(Some(TRACE), Some(SPAN), None, None), read(None));
    assert_eq!(multi(Some(TRACE), Some(SPAN), Some("0"), Some("1")), read(Some(true)), "debug wins");
    assert_eq!(multi(None, None, Some("0"), None), Some(Remote { sampled: Some(false), ..Remote::default() }));
    assert_eq!(multi(None, None, None, None), None);
    assert_eq!(multi(Some(TRACE), None, Some("1"), None), None);
    assert_eq!(multi(Some(TRACE), Some(SPAN), Some("maybe"), None), None);
}

#[test]
fn what_is_written_reads_back() {
    let (trace, span) = ids();
    for sampled in [true, false] {
        let read = parse_single(&single(trace, span, sampled)).unwrap();
        assert_eq!(read, Remote { ids: Some(ids()), sampled: Some(sampled), ..Remote::default() });
    }
}
