//! How streams go: cancellation, half-close, informational responses, trailers, upgrades, datagrams, going away.

use bailey_link::{
    BodyLength, ClientTls, ClientVersion, CloseReason, Event, OpenError, RequestMeta, ResetReason, ResponseMeta,
    Scheme, Settings, StreamClosed, StreamId, StreamType, Times, Trace,
};
use bytes::Bytes;
use std::iter::empty;

use crate::support::Pair;

const GET: RequestMeta<'static> = RequestMeta { method: b"GET", target: b"/", ..DEFAULT };
const DEFAULT: RequestMeta<'static> = RequestMeta {
    stream_type: StreamType::Http,
    client: std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1),
    listener: b"",
    scheme: Scheme::Https,
    version: ClientVersion::Http11,
    tls: None,
    request_id: [0; 16],
    trace: Trace { parent: b"", state: b"", sampling: b"" },
    deadline_ms: None,
    hops: 0,
    method: b"",
    host: b"",
    port: None,
    target: b"",
    body: BodyLength::None,
};

fn status(status: u16) -> ResponseMeta {
    ResponseMeta { status, body: BodyLength::Unknown, times: None }
}

/// A pair with one stream open on both sides.
fn opened(meta: &RequestMeta<'_>, end: bool) -> (Pair, StreamId) {
    let mut pair = Pair::ready();
    let stream = pair.client.open(meta, empty(), end).expect("there is room");
    assert!(matches!(pair.client_to_server()[..], [Event::Request { .. }]));
    (pair, stream)
}

#[test]
fn all_metadata_arrives_as_it_was_sent() {
    let tls = ClientTls {
        version: 0x0304,
        sni: b"shop.test",
        certificate_digest: Some([7; 32]),
        certificate_subject: b"CN=me",
    };
    let meta = RequestMeta {
        stream_type: StreamType::Upgrade,
        client: "[2001:db8::1]:4711".parse().unwrap(),
        listener: b"https",
        scheme: Scheme::Https,
        version: ClientVersion::Http2,
        tls: Some(tls),
        request_id: *b"0123456789abcdef",
        trace: Trace { parent: b"00-1-2-01", state: b"a=b", sampling: b"\x01" },
        deadline_ms: Some(15_000),
        hops: 3,
        method: b"OPTIONS",
        host: b"shop.test",
        port: Some(8443),
        target: b"*",
        body: BodyLength::Known(u64::MAX),
    };
    let mut pair = Pair::ready();
    pair.client.open(&meta, empty(), false).unwrap();
    let events = pair.client_to_server();
    let [Event::Request { head, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(head.meta(), meta);
    let method = head.method_range();
    assert_eq!(&head.payload()[method.start as usize..method.end as usize], b"OPTIONS");
}

#[test]
fn the_times_of_the_tier_that_answers_arrive_whole_in_part_or_not_at_all() {
    let times = |upstream_us| Some(Times { head_us: 1500, upstream_us });
    for times in [times(Some(1200)), times(None), None] {
        let (mut pair, stream) = opened(&GET, true);
        let meta = ResponseMeta { times, ..status(200) };
        pair.server.send_head(stream, &meta, empty(), true).unwrap();
        let events = pair.server_to_client();
        let [Event::Response { head, .. }] = &events[..] else { panic!("{events:?}") };
        assert_eq!(head.meta(), meta);
    }
}

#[test]
fn no_stream_is_opened_before_hello_nor_by_a_server() {
    let mut pair = Pair::new(Settings::default(), Settings::default());
    assert_eq!(pair.client.open(&GET, empty(), true), Err(OpenError::NotReady));
    assert_eq!(pair.server.open(&GET, empty(), true), Err(OpenError::NotClient));
}

#[test]
fn a_client_that_cancels_is_heard_and_the_slot_is_free_after_the_answer() {
    let (mut pair, stream) = opened(&GET, true);
    pair.server.send_head(stream, &status(200), empty(), false).unwrap();
    pair.server.send_data(stream, b"too late", false).unwrap();
    pair.client.release(stream, ResetReason::Cancelled);
    pair.client.release(stream, ResetReason::Cancelled);
    assert!(pair.server_to_client().is_empty(), "nothing is told of a stream that was let go");
    assert_eq!(pair.client.live_streams(), 1, "the server has not ended yet");
    let events = pair.client_to_server();
    assert!(matches!(events[..], [Event::Reset { reason: ResetReason::Cancelled, .. }]), "{events:?}");
    assert_eq!(pair.server.send_data(stream, b"x", true), Err(StreamClosed));
    pair.server_to_client();
    assert_eq!((pair.client.live_streams(), pair.server.live_streams()), (0, 0));
    let next = pair.client.open(&GET, empty(), true).unwrap();
    assert_eq!(next.slot(), stream.slot());
    assert_ne!(next, stream);
}

#[test]
fn a_server_that_has_answered_may_stop_the_upload_and_the_slot_may_be_reused_meanwhile() {
    let (mut pair, stream) = opened(&GET, false);
    pair.server.send_head(stream, &status(413), empty(), true).unwrap();
    pair.server.release(stream, ResetReason::Done);
    pair.client.send_data(stream, b"crossing", true).unwrap();
    let events = pair.server_to_client();
    assert!(matches!(events[..], [Event::Response { end: true, .. }]), "its reset crossed our end: {events:?}");
    assert!(pair.client_to_server().is_empty());
    pair.server_to_client();
    pair.client.release(stream, ResetReason::Done);
    assert_eq!((pair.client.live_streams(), pair.server.live_streams()), (0, 0));
}

#[test]
fn half_close_works_both_ways() {
    for client_first in [true, false] {
        let (mut pair, stream) = opened(&RequestMeta { stream_type: StreamType::Tcp, ..GET }, false);
        pair.server.send_head(stream, &status(200), empty(), false).unwrap();
        pair.server_to_client();
        if client_first {
            pair.client.send_data(stream, b"", true).unwrap();
            assert!(matches!(pair.client_to_server()[..], [Event::Data { end: true, .. }]));
            assert_eq!(pair.server.send_data(stream, b"still here", true), Ok(10));
            assert!(matches!(pair.server_to_client()[..], [Event::Data { end: true, .. }]));
        } else {
            pair.server.send_data(stream, b"", true).unwrap();
            assert!(matches!(pair.server_to_client()[..], [Event::Data { end: true, .. }]));
            assert_eq!(pair.client.send_data(stream, b"still here", true), Ok(10));
            assert!(matches!(pair.client_to_server()[..], [Event::Data { end: true, .. }]));
        }
    }
}

#[test]
fn informational_responses_come_before_the_head_and_the_ninth_is_dropped() {
    let (mut pair, stream) = opened(&GET, true);
    for _ in 0..9 {
        pair.server.send_informational(stream, 103, [(&b"link"[..], &b"</a>"[..])].into_iter()).unwrap();
    }
    pair.server.send_head(stream, &status(204), empty(), true).unwrap();
    assert_eq!(pair.server.send_informational(stream, 103, empty()), Err(StreamClosed));
    let events = pair.server_to_client();
    assert_eq!(events.len(), 9);
    assert!(
        matches!(&events[0], Event::Informational { head, .. } if head.fields().eq([(&b"link"[..], &b"</a>"[..])]))
    );
    assert!(matches!(&events[8], Event::Response { end: true, .. }));
}

#[test]
fn trailers_travel_both_ways_and_end_their_direction() {
    let (mut pair, stream) = opened(&GET, false);
    let trailer = [(&b"grpc-status"[..], &b"0"[..])];
    pair.client.send_trailers(stream, trailer.into_iter()).unwrap();
    assert_eq!(pair.client.send_trailers(stream, empty()), Err(StreamClosed));
    let events = pair.client_to_server();
    assert!(matches!(&events[..], [Event::Trailers { trailers, .. }] if trailers.fields().eq(trailer)));
    assert_eq!(pair.server.send_trailers(stream, empty()), Err(StreamClosed), "not before the head");
    pair.server.send_head(stream, &status(200), empty(), false).unwrap();
    pair.server.send_trailers(stream, trailer.into_iter()).unwrap();
    assert!(matches!(&pair.server_to_client()[..], [_, Event::Trailers { .. }]));
}

#[test]
fn after_an_upgrade_bytes_flow_both_ways() {
    let (mut pair, stream) = opened(&RequestMeta { stream_type: StreamType::Upgrade, ..GET }, false);
    pair.server.send_head(stream, &status(101), empty(), false).unwrap();
    pair.server.send_data(stream, b"hello", false).unwrap();
    let events = pair.server_to_client();
    assert!(matches!(&events[..], [Event::Response { end: false, .. }, Event::Data { end: false, .. }]));
    pair.client.send_data(stream, b"world", false).unwrap();
    assert!(matches!(&pair.client_to_server()[..], [Event::Data { data, end: false, .. }] if data == "world"));
}

#[test]
fn a_head_too_large_for_the_peer_is_not_sent() {
    let (mut pair, stream) = opened(&GET, true);
    let value = vec![b'v'; 60_000];
    let fields = || [(&b"a"[..], &value[..]); 3].into_iter();
    assert_eq!(pair.client.open(&GET, fields(), true), Err(OpenError::HeadTooLarge));
    assert!(!pair.client.wants_write());
    assert_eq!(pair.server.send_head(stream, &status(200), fields(), true), Err(StreamClosed));
    assert!(matches!(pair.server.next_event(), Some(Event::Reset { reason: ResetReason::TooLarge, .. })));
    assert!(matches!(pair.server_to_client()[..], [Event::Reset { reason: ResetReason::TooLarge, .. }]));
    let long = vec![b'v'; 65_536];
    assert_eq!(pair.client.open(&GET, [(&b"a"[..], &long[..])].into_iter(), true), Err(OpenError::HeadTooLarge));
}

#[test]
fn the_newest_datagrams_survive_a_writer_that_is_stuck() {
    let (mut pair, stream) = opened(&RequestMeta { stream_type: StreamType::Udp, ..DEFAULT }, false);
    for number in 0..1000u32 {
        pair.client.send_datagram(stream, Bytes::copy_from_slice(&number.to_be_bytes())).unwrap();
    }
    pair.client.send_data(stream, b"", true).unwrap();
    assert_eq!(pair.client.send_datagram(stream, Bytes::new()), Err(StreamClosed));
    let events = pair.client_to_server();
    assert_eq!(events.len(), 257);
    assert!(matches!(&events[0], Event::Datagram { data, .. } if data[..] == 744u32.to_be_bytes()));
    assert!(matches!(&events[256], Event::Data { end: true, .. }));
    pair.server.send_datagram(stream, Bytes::from_static(b"back")).unwrap();
    assert!(matches!(&pair.server_to_client()[..], [Event::Datagram { data, .. }] if data == "back"));
}

#[test]
fn a_server_that_goes_away_finishes_what_it_accepted_and_names_what_may_be_retried() {
    let (mut pair, first) = opened(&GET, true);
    pair.server.goaway(CloseReason::Shutdown, "draining");
    let late = pair.client.open(&GET, empty(), false).unwrap();
    pair.client.send_data(late, b"never read", true).unwrap();
    assert!(pair.client_to_server().is_empty(), "the server does not look at it");
    pair.server.send_head(first, &status(200), empty(), true).unwrap();
    let events = pair.server_to_client();
    let [
        Event::Goaway { reason: CloseReason::Shutdown, message },
        Event::Reset { stream: refused, reason: ResetReason::Refused },
        Event::Response { stream: answered, .. },
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!((&message[..], *refused, *answered), (&b"draining"[..], late, first));
    assert_eq!(pair.client.open(&GET, empty(), true), Err(OpenError::GoingAway));
    pair.client.release(first, ResetReason::Done);
    assert_eq!((pair.client.live_streams(), pair.server.live_streams()), (0, 0));
}

#[test]
fn a_ping_is_answered_and_only_one_is_under_way() {
    let mut pair = Pair::ready();
    assert!(pair.client.ping(*b"sequence"));
    assert!(!pair.client.ping(*b"sequence"));
    assert!(pair.client_to_server().is_empty());
    assert!(matches!(pair.server_to_client()[..], [Event::Pong { payload }] if payload == *b"sequence"));
    assert!(pair.client.ping(*b"sequence"));
}

#[test]
fn a_call_with_the_id_of_an_earlier_stream_does_nothing() {
    let (mut pair, old) = opened(&GET, true);
    pair.server.send_head(old, &status(204), empty(), true).unwrap();
    pair.server_to_client();
    pair.client.release(old, ResetReason::Done);
    let new = pair.client.open(&GET, empty(), false).unwrap();
    assert_eq!(new.slot(), old.slot());
    pair.client.release(old, ResetReason::Cancelled);
    assert_eq!(pair.client.send_data(old, b"x", true), Err(StreamClosed));
    assert_eq!(pair.client.capacity(old), 0);
    pair.client_to_server();
    assert_eq!(pair.server.send_head(old, &status(200), empty(), true), Err(StreamClosed));
    assert!(pair.server.send_head(new, &status(200), empty(), true).is_ok());
}

#[test]
fn a_slot_is_used_again_for_ever() {
    let mut pair = Pair::ready();
    let mut slots = std::collections::HashSet::new();
    for _ in 0..70_000 {
        let stream = pair.client.open(&GET, empty(), true).unwrap();
        slots.insert(stream.slot());
        pair.client_to_server();
        pair.server.send_head(stream, &status(204), empty(), true).unwrap();
        pair.server_to_client();
        pair.client.release(stream, ResetReason::Done);
    }
    assert_eq!(slots.len(), 1, "generations wrap");
}
