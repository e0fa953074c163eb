//! What a peer is cut off for, each rule with its reason.

use bailey_link::{CloseReason, Connection, Event, ResetReason, ResponseMeta, Settings};

use crate::support::{Pair, feed, frame, get, hello, written};

const FIRST: u32 = 0x0001_0000;

fn server() -> Connection {
    let mut server = Connection::server(Settings { max_streams: 2, ..Settings::default() });
    feed(&mut server, &[hello()]).expect("HELLO is welcome");
    server
}

/// Feeds a server that has read HELLO, and says why it cut the peer off.
fn refused(frames: &[Vec<u8>]) -> CloseReason {
    let mut server = server();
    let error = feed(&mut server, frames).expect_err("the frames break a rule");
    let out = written(&mut server);
    assert_eq!(feed(&mut server, &[]).expect_err("it has failed"), error, "and nothing is read any more");
    let code = error.reason.code().to_be_bytes();
    assert!(out.windows(2).any(|two| two == code), "the peer is told");
    error.reason
}

#[test]
fn the_first_frame_must_be_hello() {
    for first in [frame(10, 0, 0, &[0; 8]), frame(1, 0, 0, b"HTTP/1.1"), b"GET / HTTP/1.1\r\n".to_vec()] {
        let error = feed(&mut Connection::server(Settings::default()), &[first]).unwrap_err();
        assert_eq!(error.reason, CloseReason::NotLink);
    }
}

#[test]
fn versions_must_overlap() {
    let hello = frame(1, 0, 0, b"BLNK\x00\x02\x00\x05");
    let error = feed(&mut Connection::client(Settings::default()), &[hello]).unwrap_err();
    assert_eq!(error.reason, CloseReason::Version);
}

#[test]
fn a_newer_peer_that_still_speaks_our_version_is_welcome() {
    let hello = frame(1, 0, 0, b"BLNK\x00\x01\x00\x09\x00\x63\x00\x02hi");
    let events = feed(&mut Connection::client(Settings::default()), &[hello]).unwrap();
    assert!(matches!(&events[..], [Event::Ready(hello)] if hello.version == 1));
}

#[test]
fn settings_out_of_bounds_are_refused() {
    for item in [
        &b"\x00\x01\x00\x04\x00\x00\x00\x00"[..],
        b"\x00\x01\x00\x04\x00\x01\x00\x00",
        b"\x80\x63\x00\x00",
        b"\x00\x02\x00\x01\x00",
    ] {
        let hello = frame(1, 0, 0, &[b"BLNK\x00\x01\x00\x01", item].concat());
        let error = feed(&mut Connection::server(Settings::default()), &[hello]).unwrap_err();
        assert_eq!(error.reason, CloseReason::Settings, "{item:?}");
    }
}

#[test]
fn hello_comes_once() {
    assert_eq!(refused(&[hello()]), CloseReason::Malformed);
}

#[test]
fn a_frame_that_is_too_long_is_refused_before_it_has_come() {
    for kind in [2, 5, 6, 7, 8, 9, 10, 12, 0x80] {
        let mut start = frame(kind, if matches!(kind, 9 | 10) { 0 } else { FIRST }, 0, &[]);
        start[..4].copy_from_slice(&0x0100_0000u32.to_be_bytes());
        assert_eq!(refused(&[start]), CloseReason::FrameTooLarge, "kind {kind}");
    }
}

#[test]
fn a_frame_that_is_too_short_is_malformed() {
    for kind in [2, 7, 8] {
        assert_eq!(refused(&[frame(kind, FIRST, 0, &[0])]), CloseReason::Malformed, "kind {kind}");
    }
}

#[test]
fn stream_0_and_generation_0_name_no_stream() {
    assert_eq!(refused(&[frame(2, 0, 0, &get())]), CloseReason::Malformed);
    assert_eq!(refused(&[frame(2, 1, 0, &get())]), CloseReason::Malformed);
    assert_eq!(refused(&[frame(10, FIRST, 0, &[0; 8])]), CloseReason::Malformed);
}

#[test]
fn an_unknown_kind_is_skipped_only_if_it_is_marked_so() {
    assert_eq!(refused(&[frame(13, 0, 0, b"?")]), CloseReason::UnknownKind);
    let events = feed(&mut server(), &[frame(0x80, 77, 0xff, b"?"), frame(2, FIRST, 1, &get())]).unwrap();
    assert_eq!(events.len(), 1);
}

#[test]
fn a_stream_beyond_the_limit_cuts_the_connection() {
    assert_eq!(refused(&[frame(2, FIRST + 2, 1, &get())]), CloseReason::StreamLimit);
}

#[test]
fn a_slot_in_use_or_a_generation_out_of_order_cuts_the_connection() {
    let open = frame(2, FIRST, 1, &get());
    assert_eq!(refused(&[open.clone(), open]), CloseReason::StreamReused);
    assert_eq!(refused(&[frame(2, FIRST, 1, &get()), frame(2, 2 * FIRST, 1, &get())]), CloseReason::StreamReused);
    assert_eq!(refused(&[frame(2, 2 * FIRST, 1, &get())]), CloseReason::StreamReused);
}

#[test]
fn frames_out_of_turn_cut_the_connection() {
    let open = frame(2, FIRST, 0, &get());
    let ended = frame(2, FIRST, 1, &get());
    let trailers = frame(6, FIRST, 1, &[0, 0]);
    for frames in [
        vec![frame(5, FIRST, 0, b"x")],
        vec![frame(8, FIRST, 0, &[0, 0, 0, 1])],
        vec![ended.clone(), frame(5, FIRST, 0, b"x")],
        vec![ended.clone(), trailers.clone()],
        vec![open.clone(), trailers, frame(5, FIRST, 0, b"x")],
        vec![open.clone(), frame(12, FIRST, 0, b"not udp")],
        vec![open.clone(), frame(3, FIRST, 0, &[0, 0])],
        vec![open, frame(4, FIRST, 0, &[0, 0])],
        vec![frame(11, 0, 0, &[0; 8])],
    ] {
        assert_eq!(refused(&frames), CloseReason::StreamState);
    }
}

#[test]
fn data_beyond_its_credit_cuts_the_connection() {
    let mut frames = vec![frame(2, FIRST, 0, &get())];
    frames.extend(std::iter::repeat_n(frame(5, FIRST, 0, &vec![0; 65536]), 4));
    feed(&mut server(), &frames).expect("the window is 256 KiB");
    frames.push(frame(5, FIRST, 0, b"x"));
    assert_eq!(refused(&frames), CloseReason::FlowControl);
}

#[test]
fn data_beyond_the_shared_window_cuts_the_connection() {
    let settings = Settings { max_streams: 2, shared_window: 0, stream_floor: 1024, ..Settings::default() };
    let mut server = Connection::server(settings);
    let opened = frame(2, FIRST, 0, &get());
    let error = feed(&mut server, &[hello(), opened, frame(5, FIRST, 0, &[0; 1025])]).unwrap_err();
    assert_eq!(error.reason, CloseReason::FlowControl);
}

#[test]
fn more_credit_than_is_due_cuts_the_connection() {
    let open = frame(2, FIRST, 0, &get());
    for credit in [0u32, 1] {
        assert_eq!(refused(&[open.clone(), frame(8, FIRST, 0, &credit.to_be_bytes())]), CloseReason::FlowControl);
    }
}

#[test]
fn empty_data_must_end_something() {
    assert_eq!(refused(&[frame(2, FIRST, 0, &get()), frame(5, FIRST, 0, b"")]), CloseReason::Malformed);
}

#[test]
fn a_second_ping_before_the_answer_is_written_cuts_the_connection() {
    let ping = frame(10, 0, 0, &[7; 8]);
    assert_eq!(refused(&[ping.clone(), ping.clone()]), CloseReason::PingFlood);
    let mut server = server();
    for _ in 0..100 {
        feed(&mut server, std::slice::from_ref(&ping)).unwrap();
        assert!(written(&mut server).ends_with(&frame(11, 0, 0, &[7; 8])));
    }
}

#[test]
fn a_peer_that_asks_and_never_reads_is_cut_off() {
    let mut server = Connection::server(Settings { output_limit: 0, ..Settings::default() });
    feed(&mut server, &[hello()]).unwrap();
    let mut generation = 0u32;
    let error = loop {
        generation = if generation == 0xffff { 1 } else { generation + 1 };
        let id = generation << 16;
        let mut frames = Vec::new();
        for slot in 0..100 {
            frames.extend([frame(2, id + slot, 0, &get()), frame(7, id + slot, 1, &[0, 1])]);
        }
        if let Err(error) = feed(&mut server, &frames) {
            break error;
        }
    };
    assert_eq!(error.reason, CloseReason::Stalled);
    assert!(server.queued() < 18 * 1024 * 1024);
}

#[test]
fn a_client_takes_no_requests_and_no_ninth_informational_response() {
    let mut pair = Pair::ready();
    let meta = bailey_link::RequestMeta { method: b"GET", target: b"/", ..Default::default() };
    let stream = pair.client.open(&meta, std::iter::empty(), true).unwrap();
    let early = [&b"\x00\x0f\x80\x10\x00\x0b\x00\x67"[..], &[0; 9]].concat();
    let frames = vec![frame(4, FIRST, 0, &early); 9];
    feed(&mut pair.client, &frames[..8]).expect("eight are allowed");
    assert_eq!(feed(&mut pair.client, &frames[8..]).unwrap_err().reason, CloseReason::StreamState);
    assert_eq!(pair.client.open(&meta, std::iter::empty(), true), Err(bailey_link::OpenError::GoingAway));
    assert!(pair.client.send_data(stream, b"x", true).is_err());

    let error = feed(&mut Pair::ready().client, &[frame(2, FIRST, 1, &get())]).unwrap_err();
    assert_eq!(error.reason, CloseReason::StreamState);
}

#[test]
fn a_head_that_could_not_be_written_as_http_costs_only_its_stream() {
    let with = |field: &[u8]| [get(), field.to_vec()].concat();
    let mut bad = vec![
        with(b"\x00\x01\x00\x02a\r\n"),
        with(b"\x00\x01\x00\x01a\0"),
        with(b"\x00\x01\x00\x00A"),
        with(b"\x00\x00\x00\x01b"),
        with(b"\x00\x02\x00\x01a:b"),
        with(b"\x00\x01\x00\x09a"),
        with(b"\x00\x01"),
        vec![0, 0],
        vec![0xff, 0xff],
    ];
    for (from, to) in
        [(&b"GET"[..], &b"G T"[..]), (b"a.test", b"a test"), (b"\x00\x01/", b"\x00\x01 "), (b"\x80\x02", b"\x80\x63")]
    {
        let good = get();
        let at = good.windows(from.len()).position(|part| part == from).unwrap();
        bad.push([&good[..at], to, &good[at + from.len()..]].concat());
    }
    for payload in bad {
        let mut server = server();
        written(&mut server);
        let events = feed(&mut server, &[frame(2, FIRST, 1, &payload), frame(2, FIRST + 1, 1, &get())]).unwrap();
        assert!(matches!(&events[..], [Event::Request { stream, .. }] if stream.slot() == 1), "{payload:?}");
        assert_eq!(written(&mut server), frame(7, FIRST, 1, &ResetReason::Malformed.code().to_be_bytes()));
    }
}

#[test]
fn a_status_out_of_place_costs_only_its_stream() {
    let mut pair = Pair::ready();
    let meta = bailey_link::RequestMeta { method: b"GET", target: b"/", ..Default::default() };
    let stream = pair.client.open(&meta, std::iter::empty(), true).unwrap();
    pair.client_to_server();
    let early = ResponseMeta { status: 103, body: bailey_link::BodyLength::None, times: None };
    pair.server.send_head(stream, &early, std::iter::empty(), false).unwrap();
    let events = pair.server_to_client();
    assert!(matches!(&events[..], [Event::Reset { reason: ResetReason::Malformed, .. }]), "{events:?}");
}
