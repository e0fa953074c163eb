use super::*;
use crate::front::testing::{Consumer, worker};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;

#[test]
fn a_source_is_an_ipv4_address_or_an_ipv6_network() {
    let same = |a: &str, b: &str| source(a.parse().unwrap()) == source(b.parse().unwrap());
    assert!(same("2001:db8::1", "2001:db8::ffff:1"));
    assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
    assert!(same("::ffff:192.0.2.1", "192.0.2.1"));
    assert!(!same("192.0.2.1", "192.0.2.2"));
}

#[test]
fn connections_are_counted_in_all_and_by_source() {
    let admission = Admission::new(3, 2);
    let address = "192.0.2.1".parse().unwrap();
    let mut held: Vec<Admitted> = (0..3).map(|_| admission.admit().unwrap()).collect();
    assert!(admission.admit().is_none());
    assert_eq!(admission.connections(), 3);
    assert!(held[0].from_source(address) && held[1].from_source(address));
    assert!(!held[2].from_source(address));
    assert!(held[2].from_source("192.0.2.2".parse().unwrap()));
    held.clear();
    assert_eq!(admission.connections(), 0);
    assert!(admission.sources().is_empty());
}

/// Runs a listener and a client; gives what the client got and what the consumer saw.
fn visit(intake: Intake, admission: Arc<Admission>, request: &'static [u8]) -> (String, Consumer) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let consumer = Consumer::default();
    consumer.0.borrow_mut().intake = Some(intake);
    let got = tokio::task::LocalSet::new().block_on(&runtime, async {
        let (worker, _drain) = worker();
        let (address, running) = listen(consumer.clone(), admission, worker);
        let mut stream = TcpStream::connect(address).await.unwrap();
        // A connection that is refused may be closed before the request has left.
        let _ = stream.write_all(request).await;
        let mut got = Vec::new();
        let _ = stream.read_to_end(&mut got).await;
        running.abort();
        String::from_utf8(got).unwrap()
    });
    (got, consumer)
}

fn listen(
    consumer: Consumer,
    admission: Arc<Admission>,
    worker: Rc<Worker>,
) -> (SocketAddr, tokio::task::JoinHandle<io::Result<()>>) {
    let socket = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let listening = Listening {
        listener: Arc::new(Listener { name: "http".into(), port: 80, https: false }),
        tls: None,
        admission,
        serve: Rc::new(consumer),
    };
    (address, tokio::task::spawn_local(listening.run(socket, worker)))
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
const PROXIED: &[u8] =
    b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 80\r\nGET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";

#[test]
fn a_plain_listener_serves_http_1() {
    let (got, consumer) = visit(Intake::Client, Admission::with_defaults(), GET);
    assert!(got.ends_with("\r\n\r\na.test"), "{got}");
    assert_eq!(consumer.0.borrow().opened[0].proxied, None);
}

#[test]
fn a_proxy_header_is_believed_only_from_who_is_listed_and_then_required() {
    let (got, consumer) = visit(Intake::ProxyProtocol, Admission::with_defaults(), PROXIED);
    assert!(got.ends_with("\r\n\r\na.test"), "{got}");
    assert_eq!(consumer.0.borrow().opened[0].proxied, Some("192.0.2.7:56324".parse().unwrap()));
    let (got, consumer) = visit(Intake::ProxyProtocol, Admission::with_defaults(), GET);
    assert_eq!((got.as_str(), consumer.0.borrow().opened.len()), ("", 0));
    for intake in [Intake::Client, Intake::Forwarder] {
        let (got, consumer) = visit(intake, Admission::with_defaults(), PROXIED);
        assert!(got.starts_with("HTTP/1.1 400 "), "{got}");
        assert!(consumer.0.borrow().heads.is_empty());
    }
}

#[test]
fn a_source_with_too_many_connections_is_turned_away() {
    let (got, consumer) = visit(Intake::Client, Admission::new(10, 0), GET);
    assert_eq!((got.as_str(), consumer.0.borrow().opened.len()), ("", 0));
    // Behind a balancer the client counts, not the balancer.
    let (got, _) = visit(Intake::ProxyProtocol, Admission::new(10, 0), PROXIED);
    assert_eq!(got, "");
    let (got, _) = visit(Intake::Forwarder, Admission::new(10, 0), GET);
    assert!(got.starts_with("HTTP/1.1 200 "), "{got}");
}

#[test]
fn a_draining_worker_stops_listening() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let (phase, drain) = watch::channel(DrainPhase::Draining);
        let worker = Worker::new(&crate::worker::Seed { id: 0, drain, shard: Arc::default() });
        let (address, running) = listen(Consumer::default(), Admission::with_defaults(), worker);
        running.await.unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err());
        drop(phase);
    });
}

#[test]
fn workers_share_a_port() {
    let first = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let second = bind(first.local_addr().unwrap()).unwrap();
    assert_eq!(first.local_addr().unwrap(), second.local_addr().unwrap());
}

#[test]
fn new_bounds_hold_for_new_connections() {
    let admission = Admission::new(1, 1);
    let address = "192.0.2.1".parse().unwrap();
    let mut first = admission.admit().unwrap();
    assert!(first.from_source(address) && admission.admit().is_none());
    admission.configure(&ConnectionLimits { total: 2, per_source: 2, ..ConnectionLimits::default() });
    let mut second = admission.admit().unwrap();
    assert!(second.from_source(address));
    admission.configure(&ConnectionLimits { total: 1, per_source: 1, ..ConnectionLimits::default() });
    drop(second);
    assert!(admission.admit().is_none());
    assert_eq!(admission.connections(), 1);
}

#[test]
fn each_connection_gets_the_limits_of_its_beginning() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let consumer = Consumer::default();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let (worker, _drain) = worker();
        let (address, running) = listen(consumer.clone(), Admission::with_defaults(), worker);
        let ask = async |stream: &mut TcpStream| {
            stream.write_all(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await.unwrap();
            let mut got = vec![0; 1024];
            let count = stream.read(&mut got).await.unwrap();
            String::from_utf8_lossy(&got[..count]).to_ascii_lowercase()
        };
        let mut old = TcpStream::connect(address).await.unwrap();
        assert!(!ask(&mut old).await.contains("connection: close"));
        consumer.0.borrow_mut().limits.requests = 1;
        let mut new = TcpStream::connect(address).await.unwrap();
        assert!(ask(&mut new).await.contains("connection: close"));
        assert!(!ask(&mut old).await.contains("connection: close"));
        running.abort();
    });
}

#[test]
fn a_proxy_header_has_the_time_and_the_bytes_that_the_tier_gives_it() {
    let version_2 = |extension: u8| {
        let fixed = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00";
        let addresses = [192, 0, 2, 7, 198, 51, 100, 1, 0xdc, 4, 0, 80];
        [&fixed[..], &[12 + extension], &addresses, &vec![0; extension.into()]].concat()
    };
    let served = |limits: FrontLimits, header: Vec<u8>, pause: Duration| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let consumer = Consumer::default();
        consumer.0.borrow_mut().intake = Some(Intake::ProxyProtocol);
        consumer.0.borrow_mut().limits = limits;
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let (worker, _drain) = worker();
            let clock = worker.clone();
            tokio::task::spawn_local(async move { clock.wheel.run().await });
            let (address, running) = listen(consumer.clone(), Admission::with_defaults(), worker);
            let mut stream = TcpStream::connect(address).await.unwrap();
            tokio::time::sleep(pause).await;
            let _ = stream.write_all(&[&header[..], GET].concat()).await;
            let mut got = Vec::new();
            let _ = stream.read_to_end(&mut got).await;
            running.abort();
            got.starts_with(b"HTTP/1.1 200 ")
        })
    };
    let with = |proxy_header_bytes| FrontLimits { proxy_header_bytes, ..FrontLimits::default() };
    assert!(served(with(128), version_2(100), Duration::ZERO));
    assert!(!served(with(127), version_2(100), Duration::ZERO));
    let hurry = FrontLimits { proxy_header: Duration::from_millis(100), ..FrontLimits::default() };
    assert!(!served(hurry, version_2(0), Duration::from_millis(600)));
}
