use std::time::{Duration, SystemTime};

use super::*;
use crate::telemetry::{Kind, SpanId, Value};

fn trace_id(n: usize) -> TraceId {
    TraceId::new((n as u128 + 1).to_be_bytes()).unwrap()
}

fn span(trace: usize, id: u64, parent: Option<u64>, at: u64) -> Span {
    let span_id = |id: u64| SpanId::new(id.to_be_bytes()).unwrap();
    Span {
        trace: trace_id(trace),
        id: span_id(id),
        parent: parent.map(span_id),
        remote_parent: false,
        links: Vec::new(),
        kind: Kind::Server,
        tier: "outer".into(),
        tenant: None,
        name: "GET".to_owned(),
        start: SystemTime::UNIX_EPOCH + Duration::from_millis(at),
        duration: Duration::from_millis(1),
        error: false,
        state: String::new(),
        attributes: Vec::new(),
    }
}

#[test]
fn spans_of_one_trace_come_together_whatever_their_order() {
    let store = Store::new();
    store.add([span(1, 3, Some(2), 20)]);
    store.add([span(2, 9, None, 0), span(1, 2, Some(1), 10), span(1, 1, None, 5)]);
    let trace = store.get(trace_id(1)).unwrap();
    let ids: Vec<String> = trace.spans.iter().map(|span| span.id.to_string()[15..].to_owned()).collect();
    assert_eq!(ids, ["1", "2", "3"]);
    assert_eq!(trace.root().unwrap().parent, None);
    let recent: Vec<TraceId> = store.recent(10).iter().map(|trace| trace.id).collect();
    assert_eq!(recent, [trace_id(2), trace_id(1)], "latest first");
    assert_eq!(store.recent(1).len(), 1);
}

#[test]
fn the_root_may_have_a_parent_that_is_elsewhere() {
    let store = Store::new();
    store.add([span(1, 2, Some(77), 0), span(1, 3, Some(2), 0)]);
    assert_eq!(store.get(trace_id(1)).unwrap().root().unwrap().parent.unwrap().to_string(), "000000000000004d");
}

#[test]
fn the_oldest_makes_room() {
    let store = Store::new();
    store.add((0..TRACES + 20).map(|n| span(n, 1, None, n as u64)));
    assert_eq!(store.recent(usize::MAX).len(), TRACES);
    assert!(store.get(trace_id(19)).is_none() && store.get(trace_id(20)).is_some());
}

#[test]
fn spans_of_a_trace_and_bytes_are_bounded() {
    let store = Store::new();
    store.add((1..=SPANS as u64 + 5).map(|n| span(1, n, None, n)));
    let trace = store.get(trace_id(1)).unwrap();
    assert_eq!((trace.spans.len(), trace.left_out), (SPANS, 5));
    let large = |n| {
        let mut span = span(n, 1, None, 0);
        span.attributes.push(("url.path", Value::from("x".repeat(BYTES / 4))));
        span
    };
    store.add((10..20).map(large));
    let kept = store.recent(usize::MAX);
    assert!(kept.len() < 5, "{} traces of a quarter of the room each", kept.len());
    assert_eq!(kept[0].id, trace_id(19));
    let bytes: usize = kept.iter().flat_map(|trace| &trace.spans).map(|span| span.size()).sum();
    assert_eq!(store.kept().bytes, bytes);
}

#[test]
fn who_subscribes_is_told_of_traces_that_change() {
    let store = Store::new();
    let mut news = store.subscribe();
    store.add([span(1, 1, None, 0), span(1, 2, None, 0), span(2, 1, None, 0)]);
    assert_eq!(news.try_recv().unwrap(), trace_id(1));
    assert_eq!(news.try_recv().unwrap(), trace_id(2));
    assert!(news.try_recv().is_err());
}
