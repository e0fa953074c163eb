//! One exchange after another over two connections joined by a byte pipe.

use crate::support::{Pair, event};
use bailey_link::{BodyLength, Event, RequestMeta, ResetReason, ResponseMeta};

#[test]
fn a_request_and_its_answer_cross_the_link() {
    let mut pair = Pair::ready();
    let meta = RequestMeta {
        method: b"POST",
        host: b"a.test",
        target: b"/x?y",
        body: BodyLength::Known(4),
        ..RequestMeta::default()
    };
    let fields: [(&[u8], &[u8]); 2] = [(b"accept", b"*/*"), (b"x-empty", b"")];
    let stream = pair.client.open(&meta, fields.iter().copied(), false).unwrap();
    assert_eq!(pair.client.send_data(stream, b"ping", true), Ok(4));

    let events = pair.client_to_server();
    let Event::Request { stream: seen, head, end: false } = &events[0] else { panic!("{events:?}") };
    assert_eq!((*seen, head.meta()), (stream, meta));
    assert_eq!(head.fields().collect::<Vec<_>>(), fields);
    let Event::Data { data, end: true, .. } = &events[1] else { panic!("{events:?}") };
    assert_eq!(&data[..], b"ping");
    pair.server.consumed(stream, 4);

    let answer = ResponseMeta { status: 200, body: BodyLength::Known(4), times: None };
    pair.server.send_head(stream, &answer, [(&b"server"[..], &b"x"[..])].into_iter(), false).unwrap();
    assert_eq!(pair.server.send_data(stream, b"pong", true), Ok(4));
    let events = pair.server_to_client();
    let Event::Response { head, end: false, .. } = event(&events, 0) else { panic!("{events:?}") };
    assert_eq!(head.meta(), answer);
    let Event::Data { data, end: true, .. } = event(&events, 1) else { panic!("{events:?}") };
    assert_eq!(&data[..], b"pong");
    pair.client.consumed(stream, 4);
    pair.client.release(stream, ResetReason::Done);
    assert_eq!((pair.client.live_streams(), pair.server.live_streams()), (0, 0));
}
