//! Short runs of the fuzz bodies, and that the split of the input does not matter.

use bailey_link::{Connection, Event, RequestMeta, ResetReason, Settings, StreamType};
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use crate::bodies;
use crate::support::{feed, written};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn any_input_is_read_or_refused(data in prop::collection::vec(any::<u8>(), 0..400)) {
        bodies::read_any(&data);
    }

    #[test]
    fn any_interleaving_keeps_the_bound_and_drains(script in prop::collection::vec(any::<u8>(), 0..1500)) {
        bodies::interleave(&script);
    }
}

/// More under `BAILEY_PROPTEST_CASES`.
fn cases() -> u32 {
    std::env::var("BAILEY_PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(128)
}

/// What a script of the client's calls makes the server see, with the bytes cut at `cuts`; pieces of data are joined.
fn seen(script: &[u8], cuts: &[usize]) -> Vec<String> {
    let mut client = Connection::client(Settings::default());
    let mut server = Connection::server(Settings::default());
    feed(&mut client, &[written(&mut server)]).expect("HELLO");
    let meta = RequestMeta { stream_type: StreamType::Udp, method: b"GET", target: b"/", ..RequestMeta::default() };
    let mut open = Vec::new();
    for byte in script {
        let fields = [(&b"name"[..], std::slice::from_ref(&b'v'))];
        let stream = open.get(usize::from(byte >> 3)).copied();
        match (byte & 7, stream) {
            (0, _) => open.extend(client.open(&meta, fields.into_iter(), false)),
            (1 | 2, Some(id)) => drop(client.send_data(id, &vec![*byte; usize::from(*byte) * 9], false)),
            (3, Some(id)) => drop(client.send_trailers(id, fields.into_iter())),
            (4, Some(id)) => client.release(id, ResetReason::Cancelled),
            (5, Some(id)) => drop(client.send_datagram(id, Bytes::from_static(b"datagram"))),
            (6, Some(id)) => drop(client.send_data(id, b"last", true)),
            _ => drop(client.open(&meta, fields.into_iter(), true)),
        }
    }
    let bytes = written(&mut client);
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).chain([0, bytes.len()]).collect();
    cuts.sort_unstable();
    let mut input = BytesMut::new();
    let mut seen: Vec<String> = Vec::new();
    for cut in cuts.windows(2) {
        input.extend_from_slice(&bytes[cut[0]..cut[1]]);
        while let Some(event) = server.read(&mut input).expect("our own bytes") {
            describe(&event, &mut seen);
        }
    }
    seen
}

fn describe(event: &Event, seen: &mut Vec<String>) {
    let Event::Data { stream, data, end } = event else { return seen.push(format!("{event:?}")) };
    let name = format!("data {stream:?}:");
    let joined = match seen.pop() {
        Some(last) if last.starts_with(&name) && !last.ends_with("end") => last,
        Some(last) => {
            seen.push(last);
            name
        }
        None => name,
    };
    seen.push(format!("{joined}{}{}", "x".repeat(data.len()), if *end { "end" } else { "" }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn any_split_of_the_input_gives_the_same_events(
        script in prop::collection::vec(any::<u8>(), 0..40),
        cuts in prop::collection::vec(any::<usize>(), 0..60),
    ) {
        prop_assert_eq!(seen(&script, &cuts), seen(&script, &[]));
    }
}
