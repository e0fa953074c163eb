//! Credit: what may be outstanding, who is told of room, and that nobody starves.

use std::iter::empty;

use bailey_link::{BodyLength, Event, OpenError, Output, RequestMeta, ResetReason, ResponseMeta, Settings, StreamId};
use bytes::{Buf, Bytes};

use crate::support::Pair;

fn open(pair: &mut Pair) -> StreamId {
    let meta = RequestMeta { method: b"POST", target: b"/", ..RequestMeta::default() };
    pair.client.open(&meta, empty(), false).expect("there is room")
}

fn data_bytes(events: &[Event]) -> usize {
    events.iter().map(|event| if let Event::Data { data, .. } = event { data.len() } else { 0 }).sum()
}

#[test]
fn a_stream_stops_at_its_window_and_is_told_when_there_is_room() {
    let mut pair = Pair::ready();
    let stream = open(&mut pair);
    assert_eq!(pair.client.send_data(stream, &vec![0; 300_000], true), Ok(262_144));
    assert_eq!(pair.client.capacity(stream), 0);
    assert_eq!(data_bytes(&pair.client_to_server()), 262_144);
    pair.server.consumed(stream, 131_071);
    assert!(pair.server_to_client().is_empty(), "credit is given in batches of half a window");
    pair.server.consumed(stream, 1);
    assert!(matches!(pair.server_to_client()[..], [Event::Capacity { stream: told }] if told == stream));
    assert_eq!(pair.client.capacity(stream), 131_072);
    assert_eq!(pair.client.send_data(stream, &vec![0; 37_856], true), Ok(37_856));
    assert_eq!(data_bytes(&pair.client_to_server()), 37_856);
}

#[test]
fn streams_that_are_never_read_cannot_starve_another() {
    let settings = Settings { shared_window: 600_000, ..Settings::default() };
    let mut pair = Pair::ready_with(Settings::default(), settings);
    let early = open(&mut pair);
    pair.client.send_data(early, &vec![0; 16_384], false).unwrap();
    pair.client_to_server();
    pair.server.consumed(early, 16_384);
    assert!(pair.server_to_client().is_empty(), "nothing is tight yet, so the credit waits for its batch");
    for _ in 0..5 {
        let hog = open(&mut pair);
        pair.client.send_data(hog, &vec![0; 300_000], false).unwrap();
    }
    pair.client_to_server();
    pair.server_to_client();
    for stream in [early, open(&mut pair)] {
        let mut left = 1_000_000;
        let mut turns = 0;
        while left > 0 {
            turns += 1;
            assert!(turns < 1000, "{left} bytes are stuck");
            left -= pair.client.send_data(stream, &vec![0; left], false).unwrap();
            let arrived = data_bytes(&pair.client_to_server());
            pair.server.consumed(stream, arrived);
            pair.server_to_client();
        }
    }
}

#[test]
fn what_all_streams_hold_stays_within_the_bound_of_the_settings() {
    let settings = Settings { max_streams: 100, shared_window: 1 << 20, ..Settings::default() };
    let bound = settings.data_bound();
    let mut pair = Pair::ready_with(Settings { output_limit: 1 << 30, ..Settings::default() }, settings);
    let mut accepted = 0;
    for _ in 0..100 {
        let stream = open(&mut pair);
        accepted += pair.client.send_data(stream, &vec![0; 300_000], false).unwrap();
    }
    assert_eq!(accepted as u64, bound);
    assert_eq!(data_bytes(&pair.client_to_server()), accepted);
}

#[test]
fn streams_that_wait_for_shared_room_are_told_in_order() {
    let settings = Settings { shared_window: 100_000, ..Settings::default() };
    let mut pair = Pair::ready_with(Settings::default(), settings);
    let streams: Vec<_> = (0..3).map(|_| open(&mut pair)).collect();
    for stream in &streams {
        pair.client.send_data(*stream, &vec![0; 200_000], false).unwrap();
        assert_eq!(pair.client.capacity(*stream), 0);
    }
    let arrived = data_bytes(&pair.client_to_server());
    assert_eq!(arrived, 100_000 + 3 * 16_384);
    pair.server.consumed(streams[0], arrived);
    let told: Vec<_> = pair
        .server_to_client()
        .iter()
        .map(|event| if let Event::Capacity { stream } = event { *stream } else { panic!("{event:?}") })
        .collect();
    assert_eq!(told, streams);
}

#[test]
fn a_response_in_the_shared_window_is_credited_at_its_end_and_a_small_one_is_not() {
    for (bytes, credited) in [(16_384, false), (16_385, true)] {
        let mut pair = Pair::ready();
        let stream = open(&mut pair);
        pair.client.send_data(stream, b"", true).unwrap();
        pair.client_to_server();
        let head = ResponseMeta { status: 200, body: BodyLength::Unknown, times: None };
        pair.server.send_head(stream, &head, empty(), false).unwrap();
        pair.server.send_data(stream, &vec![0; bytes], true).unwrap();
        pair.server_to_client();
        pair.client.consumed(stream, bytes);
        assert_eq!(pair.client.wants_write(), credited);
        pair.client.release(stream, ResetReason::Done);
        assert_eq!(pair.client.live_streams(), 0);
    }
}

#[test]
fn a_slot_waits_for_the_last_credit_of_its_request() {
    let settings = Settings { max_streams: 1, ..Settings::default() };
    let mut pair = Pair::ready_with(Settings::default(), settings);
    let stream = open(&mut pair);
    pair.client.send_data(stream, b"x", true).unwrap();
    pair.client_to_server();
    let head = ResponseMeta { status: 200, body: BodyLength::None, times: None };
    pair.server.send_head(stream, &head, empty(), true).unwrap();
    pair.server_to_client();
    pair.client.release(stream, ResetReason::Done);
    let meta = RequestMeta { method: b"GET", target: b"/", ..RequestMeta::default() };
    assert_eq!(pair.client.open(&meta, empty(), true), Err(OpenError::Full));
    pair.server.release(stream, ResetReason::Done);
    pair.server_to_client();
    assert!(pair.client.open(&meta, empty(), true).is_ok());
}

#[test]
fn a_full_output_takes_no_data_and_streams_are_told_when_half_is_written() {
    let mut pair = Pair::ready_with(Settings { output_limit: 65_536, ..Settings::default() }, Settings::default());
    let stream = open(&mut pair);
    let before = pair.client.queued();
    assert_eq!(pair.client.send_data(stream, &vec![0; 100_000], false), Ok(65_536 - before));
    assert_eq!(pair.client.capacity(stream), 0);
    let meta = RequestMeta { method: b"GET", target: b"/", ..RequestMeta::default() };
    assert_eq!(pair.client.open(&meta, empty(), true), Err(OpenError::Congested));
    pair.client.output().advance(10_000);
    assert!(pair.client.next_event().is_none());
    pair.client.output().advance(30_000);
    assert!(matches!(pair.client.next_event(), Some(Event::Capacity { .. })));
    assert!(pair.client.capacity(stream) > 30_000);
}

#[test]
fn a_stream_that_waits_for_the_output_does_not_wait_behind_one_that_waits_for_shared_room() {
    let settings = Settings { shared_window: 20_000, ..Settings::default() };
    let mut pair = Pair::ready_with(Settings { output_limit: 65_536, ..Settings::default() }, settings);
    let [stuck, filler, waiting] = [(); 3].map(|()| open(&mut pair));
    assert_eq!(pair.client.send_data(stuck, &vec![0; 50_000], false), Ok(36_384));
    assert_eq!(pair.client.capacity(stuck), 0);
    assert_eq!(pair.client.send_data(filler, &[0; 16_384], false), Ok(16_384));
    assert!(pair.client.send_data(waiting, &[0; 16_384], false).unwrap() < 16_384);
    assert_eq!(pair.client.capacity(waiting), 0);
    pair.client_to_server();
    assert!(matches!(pair.client.next_event(), Some(Event::Capacity { stream }) if stream == waiting));
    assert!(pair.client.next_event().is_none());
    assert!(pair.client.capacity(waiting) > 0);
}

#[test]
fn large_pieces_are_queued_without_a_copy_and_keep_their_place() {
    let mut pair = Pair::ready();
    let stream = open(&mut pair);
    let large = Bytes::from((0..100_000u32).map(|at| at as u8).collect::<Vec<_>>());
    let mut sent = large.clone();
    pair.client.send_data(stream, b"before", false).unwrap();
    assert_eq!(pair.client.send_bytes(stream, &mut sent, false), Ok(100_000));
    assert!(sent.is_empty());
    pair.client.send_data(stream, b"after", true).unwrap();

    let mut slices = [std::io::IoSlice::new(&[]); 16];
    let queued = pair.client.queued();
    let output: &Output = pair.client.output();
    let count = output.chunks_vectored(&mut slices);
    assert_eq!(count, 5, "frames, a piece, a frame, the rest, a frame");
    assert_eq!(slices[1].as_ptr(), large.as_ptr());
    let all: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.to_vec()).collect();
    assert_eq!(all.len(), queued);

    let mut received = Vec::new();
    for event in pair.client_to_server() {
        if let Event::Data { data, .. } = event {
            received.extend_from_slice(&data);
        }
    }
    assert_eq!(received, [b"before", &large[..], b"after"].concat());
}

#[test]
fn a_data_frame_is_handed_on_before_it_is_whole() {
    let mut pair = Pair::ready();
    let stream = open(&mut pair);
    pair.client.send_data(stream, &[7; 1000], true).unwrap();
    let mut bytes = crate::support::written(&mut pair.client);
    let rest = bytes.split_off(bytes.len() - 400);
    let events = crate::support::feed(&mut pair.server, &[bytes]).unwrap();
    assert!(matches!(&events[1], Event::Data { data, end: false, .. } if data.len() == 600));
    let events = crate::support::feed(&mut pair.server, &[rest]).unwrap();
    assert!(matches!(&events[0], Event::Data { data, end: true, .. } if data.len() == 400));
}
