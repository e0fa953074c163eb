use std::sync::Mutex;
use std::time::SystemTime;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Sent;
use opentelemetry_proto::tonic::trace::v1::Span as SentSpan;
use prost::Message as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::telemetry::{Kind, SpanId, TraceId, Value};

fn span(n: u64) -> Span {
    Span {
        trace: TraceId::new([7; 16]).unwrap(),
        id: SpanId::new((n + 1).to_be_bytes()).unwrap(),
        parent: SpanId::new([9; 8]),
        remote_parent: true,
        links: vec![(TraceId::new([5; 16]).unwrap(), SpanId::new([6; 8]).unwrap())],
        kind: Kind::Server,
        tier: "outer".into(),
        tenant: None,
        name: "GET /x".to_owned(),
        start: SystemTime::UNIX_EPOCH + Duration::from_secs(100),
        duration: Duration::from_millis(5),
        error: true,
        state: "a=1".to_owned(),
        attributes: vec![
            ("http.response.status_code", Value::Int(500)),
            ("url.path", Value::from("/x")),
            ("bailey.mirror", Value::Bool(true)),
        ],
    }
}

/// What a collector does with one request.
#[derive(Clone, Copy)]
enum Does {
    Answers(&'static str),
    Hangs,
}

/// A collector on loopback: it does these things one after another, and the last for ever.
struct Collector {
    endpoint: String,
    taken: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    asked: Arc<Mutex<Vec<Instant>>>,
}

impl Collector {
    async fn start(does: &'static [Does]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (taken, asked) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<Mutex<Vec<_>>>::default());
        let (kept, times) = (taken.clone(), asked.clone());
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let (kept, times) = (kept.clone(), times.clone());
                tokio::spawn(async move {
                    while let Some(request) = read(&mut socket).await {
                        let at = {
                            let mut times = times.lock().unwrap();
                            times.push(Instant::now());
                            times.len() - 1
                        };
                        match does[at.min(does.len() - 1)] {
                            Does::Hangs => std::future::pending().await,
                            Does::Answers(head) => {
                                if head.starts_with("200") {
                                    kept.lock().unwrap().push(request);
                                }
                                let answer = format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\n\r\n");
                                socket.write_all(answer.as_bytes()).await.unwrap();
                            }
                        }
                    }
                });
            }
        });
        Self { endpoint, taken, asked }
    }

    fn spans(&self) -> Vec<SentSpan> {
        let taken = self.taken.lock().unwrap();
        let resources = taken.iter().flat_map(|request| &request.resource_spans);
        resources.flat_map(|resource| &resource.scope_spans).flat_map(|scope| scope.spans.clone()).collect()
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

async fn read(socket: &mut TcpStream) -> Option<ExportTraceServiceRequest> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    socket.read_exact(&mut body).await.unwrap();
    Some(ExportTraceServiceRequest::decode(body.as_slice()).unwrap())
}

fn start(endpoint: &str) -> (Pipeline, Sink) {
    let resource = vec![("service.name", "bailey-outer".to_owned())];
    let (pipeline, sink) = Pipeline::start(Destinations { resource, store: None });
    pipeline.export_to(Some(endpoint));
    (pipeline, sink)
}

async fn until(what: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !what() {
        assert!(Instant::now() < end, "that did not happen in time");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn get(count: &std::sync::atomic::AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

#[tokio::test]
async fn a_span_arrives_as_it_was() {
    let collector = Collector::start(&[Does::Answers("200 OK")]).await;
    let (pipeline, sink) = start(&collector.endpoint);
    sink.send(vec![span(0)]);
    // Nobody has to end for it, and no thread without a runtime is in the way.
    until(|| collector.spans().len() == 1).await;
    let [sent] = &collector.spans()[..] else { panic!() };
    assert_eq!((sent.trace_id.as_slice(), sent.parent_span_id.as_slice()), (&[7; 16][..], &[9; 8][..]));
    assert_eq!(sent.span_id, 1_u64.to_be_bytes());
    assert_eq!((sent.name.as_str(), sent.kind, sent.trace_state.as_str()), ("GET /x", 2, "a=1"));
    assert_eq!((sent.start_time_unix_nano, sent.end_time_unix_nano), (100_000_000_000, 100_005_000_000));
    assert_eq!((sent.links[0].trace_id.as_slice(), sent.links[0].span_id.as_slice()), (&[5; 16][..], &[6; 8][..]));
    let status = sent.status.as_ref().unwrap();
    assert_eq!((status.code, status.message.as_str()), (2, ""));
    let values: Vec<_> =
        sent.attributes.iter().map(|a| (a.key.as_str(), a.value.clone().unwrap().value.unwrap())).collect();
    assert_eq!(
        values,
        [
            ("http.response.status_code", Sent::IntValue(500)),
            ("url.path", Sent::StringValue("/x".to_owned())),
            ("bailey.mirror", Sent::BoolValue(true)),
        ]
    );
    // Nothing but our spans comes along, and no attribute but ours.
    let taken = collector.taken.lock().unwrap().clone();
    let resource = taken[0].resource_spans[0].resource.clone().unwrap();
    assert!(resource.attributes.iter().any(|a| a.key == "service.name"));
    assert_eq!(taken[0].resource_spans[0].scope_spans[0].scope.clone().unwrap().name, "bailey");
    until(|| get(&pipeline.counts().exported) == 1).await;
    assert_eq!((get(&pipeline.counts().queued), get(&pipeline.counts().dropped)), (0, 0));
}

#[tokio::test]
async fn many_spans_go_in_batches_and_the_end_sends_the_rest() {
    let collector = Collector::start(&[Does::Answers("200 OK")]).await;
    let (pipeline, sink) = start(&collector.endpoint);
    for part in 0..13 {
        sink.send((0..100).map(|n| span(part * 100 + n)).collect());
    }
    drop(sink);
    let counts = pipeline.counts().clone();
    pipeline.finish(Duration::from_secs(10)).await;
    assert_eq!((collector.spans().len(), get(&counts.exported)), (1300, 1300));
    let sizes = collector.taken.lock().unwrap().iter().map(|r| r.resource_spans[0].scope_spans[0].spans.len()).max();
    assert!(sizes.unwrap() <= BATCH);
}

#[tokio::test]
async fn what_may_be_repeated_is_and_what_may_not_is_not() {
    let busy = Collector::start(&[
        Does::Answers("503 Busy\r\nretry-after: 1"),
        Does::Answers("429 Slowly"),
        Does::Answers("200 OK"),
    ])
    .await;
    let (pipeline, sink) = start(&busy.endpoint);
    sink.send(vec![span(0)]);
    until(|| get(&pipeline.counts().exported) == 1).await;
    assert_eq!((busy.asked(), busy.spans().len(), get(&pipeline.counts().failed)), (3, 1, 0));
    let times = busy.asked.lock().unwrap().clone();
    assert!(times[1] - times[0] >= Duration::from_secs(1), "it asked for a second");

    let broken = Collector::start(&[Does::Answers("500 Oops")]).await;
    let (pipeline, sink) = start(&broken.endpoint);
    sink.send(vec![span(0), span(1)]);
    until(|| get(&pipeline.counts().failed) == 2).await;
    assert_eq!((broken.asked(), get(&pipeline.counts().exported)), (1, 0));
}

#[tokio::test]
async fn a_collector_that_never_answers_bounds_what_waits_and_the_rest_is_counted() {
    let collector = Collector::start(&[Does::Hangs]).await;
    let (pipeline, sink) = start(&collector.endpoint);
    sink.send((0..BATCH as u64).map(span).collect());
    until(|| collector.asked() == 1).await;
    let counts = pipeline.counts().clone();
    // The first batch is under way; so many wait behind it, and 100 are too many.
    for part in 0..(QUEUE as u64 + 100) / 100 {
        sink.send((0..100).map(|n| span(part * 100 + n)).collect());
        tokio::task::yield_now().await;
    }
    let sent = (QUEUE as u64 + 100) / 100 * 100;
    until(|| get(&counts.queued) + get(&counts.dropped) == sent).await;
    assert_eq!(get(&counts.queued), QUEUE as u64);
    assert_eq!(get(&counts.dropped), sent - QUEUE as u64);
    drop(sink);
    let began = Instant::now();
    pipeline.finish(Duration::from_millis(200)).await;
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_sink_whose_other_end_does_nothing_never_waits() {
    let (sink, _held) = Sink::new();
    for _ in 0..300 {
        sink.send(vec![span(0), span(1)]);
    }
    assert_eq!(get(&sink.counts().dropped), 2 * (300 - 256));
}

#[tokio::test]
async fn another_collector_is_taken_over_while_spans_come_in() {
    let (first, second) =
        (Collector::start(&[Does::Answers("200 OK")]).await, Collector::start(&[Does::Answers("200 OK")]).await);
    let (pipeline, sink) = start(&first.endpoint);
    sink.send(vec![span(0)]);
    until(|| first.spans().len() == 1).await;
    pipeline.export_to(Some(&second.endpoint));
    sink.send(vec![span(1)]);
    until(|| second.spans().len() == 1).await;
    pipeline.export_to(None);
    sink.send(vec![span(2)]);
    drop(sink);
    pipeline.finish(Duration::from_secs(5)).await;
    assert_eq!((first.spans().len(), second.spans().len()), (1, 1));
}

#[tokio::test]
async fn spans_are_kept_whether_or_not_they_can_be_sent() {
    let store = Store::new();
    let (pipeline, sink) = Pipeline::start(Destinations { resource: Vec::new(), store: Some(store.clone()) });
    // That is no address at all, which the log says.
    pipeline.export_to(Some("http://[::"));
    sink.send(vec![span(0)]);
    drop(sink);
    pipeline.finish(Duration::from_secs(5)).await;
    assert_eq!(store.recent(10).len(), 1);
}
