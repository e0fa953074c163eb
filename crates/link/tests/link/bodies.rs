//! What both the fuzz targets and the short tests run: one function per target, over arbitrary bytes.

use std::collections::HashMap;

use bailey_link::{
    BodyLength, Connection, ConnectionError, Event, RequestMeta, ResetReason, ResponseMeta, Settings, StreamId,
    StreamType,
};
use bytes::{Buf, Bytes, BytesMut};

const NO_FIELDS: std::iter::Empty<(&[u8], &[u8])> = std::iter::empty();

/// A connection reads whatever comes, in pieces, and answers; it must neither panic nor write without bound.
pub(crate) fn read_any(data: &[u8]) {
    let Some((&setup, data)) = data.split_first() else { return };
    let mut connection = if setup & 1 == 0 { Connection::client(small()) } else { Connection::server(small()) };
    let mut input = BytesMut::new();
    if setup & 2 == 0 {
        take_output(&mut Connection::client(small()), usize::MAX, &mut input);
    }
    let mut streams = Vec::new();
    for piece in data.chunks(1 + usize::from(setup >> 2)) {
        input.extend_from_slice(piece);
        loop {
            match connection.read(&mut input) {
                Ok(Some(event)) => react(&mut connection, &event, &mut streams),
                Ok(None) => break,
                Err(_) => return,
            }
        }
        assert!(connection.queued() <= 32 * 1024 * 1024);
    }
}

fn react(connection: &mut Connection, event: &Event, streams: &mut Vec<StreamId>) {
    match event {
        Event::Ready(_) => {
            for stream_type in [StreamType::Http, StreamType::Udp] {
                let meta = RequestMeta { stream_type, method: b"GET", target: b"/", ..RequestMeta::default() };
                streams.extend(connection.open(&meta, NO_FIELDS, false));
            }
        }
        Event::Request { stream, head, .. } => {
            assert!(head.fields().all(|(name, _)| !name.is_empty()));
            let _ = connection.send_head(*stream, &ok(), NO_FIELDS, false);
        }
        Event::Data { stream, data, .. } => {
            connection.consumed(*stream, data.len());
            let _ = connection.send_data(*stream, data, false);
        }
        Event::Reset { stream, reason } => connection.release(*stream, *reason),
        Event::Goaway { .. }
        | Event::Informational { .. }
        | Event::Response { .. }
        | Event::Trailers { .. }
        | Event::Capacity { .. }
        | Event::Datagram { .. }
        | Event::Pong { .. } => {}
    }
}

/// Two connections under a script of calls, with bytes carried in pieces. Holds: nobody breaks the protocol, data arrives whole and in order,
/// no more is held than the settings say, every stream that waits for room is told, and in the end everything is over.
pub(crate) fn interleave(script: &[u8]) {
    let mut world = World::new();
    for step in script.chunks_exact(2) {
        world.step(step[0], step[1]);
    }
    world.drain();
}

fn small() -> Settings {
    Settings {
        max_streams: 4,
        stream_window: 4096,
        stream_floor: 1024,
        shared_window: 5000,
        max_data: 1500,
        max_head: 1024,
        ..Settings::default()
    }
}

fn ok() -> ResponseMeta {
    ResponseMeta { status: 200, body: BodyLength::Unknown, times: None }
}

/// The application's view of one stream.
#[derive(Debug, Default)]
struct Stream {
    head_sent: bool,
    sent: usize,
    to_send: usize,
    send_over: bool,
    received: usize,
    held: usize,
    receive_over: bool,
    blocked: bool,
}

struct End {
    connection: Connection,
    /// What has arrived and is not read yet.
    wire: BytesMut,
    streams: HashMap<StreamId, Stream>,
    server: bool,
}

impl End {
    fn new(connection: Connection, server: bool) -> Self {
        Self { connection, wire: BytesMut::new(), streams: HashMap::new(), server }
    }

    fn pick(&self, by: u8) -> Option<StreamId> {
        let mut ids: Vec<_> = self.streams.keys().copied().collect();
        ids.sort_unstable();
        ids.get(usize::from(by) % ids.len().max(1)).copied()
    }

    fn read_one(&mut self) -> bool {
        let event = self.connection.read(&mut self.wire).unwrap_or_else(|error: ConnectionError| panic!("{error}"));
        let Some(event) = event else { return false };
        match event {
            Event::Request { stream, end, .. } => {
                let to_send = stream.slot() * 3000 + 500;
                let earlier = self.streams.insert(stream, Stream { receive_over: end, to_send, ..Stream::default() });
                assert!(earlier.is_none());
            }
            Event::Response { stream, end, .. } => self.stream(stream).receive_over |= end,
            Event::Data { stream, data, end } => {
                let state = self.stream(stream);
                for byte in &data {
                    assert_eq!(*byte, state.received as u8, "data is whole and in order");
                    state.received += 1;
                }
                state.held += data.len();
                state.receive_over |= end;
            }
            Event::Trailers { stream, .. } => self.stream(stream).receive_over = true,
            Event::Reset { stream, .. } => {
                let state = self.stream(stream);
                (state.send_over, state.receive_over) = (true, true);
            }
            Event::Capacity { stream } => self.stream(stream).blocked = false,
            Event::Ready(_)
            | Event::Informational { .. }
            | Event::Datagram { .. }
            | Event::Goaway { .. }
            | Event::Pong { .. } => {}
        }
        let held: usize = self.streams.values().map(|stream| stream.held).sum();
        assert!(held as u64 <= small().data_bound(), "held {held}");
        assert!(self.streams.values().all(|stream| stream.held <= 4096));
        true
    }

    fn stream(&mut self, id: StreamId) -> &mut Stream {
        self.streams.get_mut(&id).expect("events come only for streams that are held")
    }

    fn open(&mut self, body: u8) {
        let stream_type = if body & 1 == 0 { StreamType::Http } else { StreamType::Udp };
        let meta = RequestMeta { stream_type, method: b"POST", target: b"/", ..RequestMeta::default() };
        let end = body == 0;
        if let Ok(id) = self.connection.open(&meta, [(&b"a"[..], &b"b"[..])].into_iter(), end) {
            let stream =
                Stream { head_sent: true, to_send: usize::from(body) * 50, send_over: end, ..Stream::default() };
            assert!(self.streams.insert(id, stream).is_none());
        }
    }

    fn send(&mut self, id: StreamId, most: usize) {
        let server = self.server;
        let stream = self.streams.get_mut(&id).expect("picked");
        if stream.send_over || stream.blocked {
            return;
        }
        if server && !stream.head_sent {
            if most.is_multiple_of(3) {
                self.connection.send_informational(id, 103, NO_FIELDS).expect("before the head");
            }
            self.connection.send_head(id, &ok(), NO_FIELDS, false).expect("once");
            stream.head_sent = true;
        }
        let bytes: Vec<u8> = (stream.sent..stream.sent + stream.to_send.min(most)).map(|at| at as u8).collect();
        let last = bytes.len() == stream.to_send;
        let trailers = last && stream.to_send % 2 == 1;
        let end = last && !trailers;
        let mut data = Bytes::from(bytes);
        let Ok(accepted) = self.connection.send_bytes(id, &mut data, end) else {
            // Only because of a reset whose event is still to be read.
            stream.send_over = true;
            return;
        };
        stream.sent += accepted;
        stream.to_send -= accepted;
        if !data.is_empty() {
            stream.blocked = self.connection.capacity(id) == 0;
        } else if last {
            if trailers {
                self.connection.send_trailers(id, NO_FIELDS).expect("before the end");
            }
            stream.send_over = true;
        }
    }

    fn consume(&mut self, id: StreamId, most: usize) {
        let stream = self.streams.get_mut(&id).expect("picked");
        let bytes = stream.held.min(most);
        stream.held -= bytes;
        self.connection.consumed(id, bytes);
        if stream.held == 0 && stream.send_over && stream.receive_over {
            self.release(id);
        }
    }

    fn release(&mut self, id: StreamId) {
        self.connection.release(id, ResetReason::Cancelled);
        self.streams.remove(&id);
    }
}

fn take_output(connection: &mut Connection, most: usize, wire: &mut BytesMut) -> usize {
    let output = connection.output();
    let mut left = output.remaining().min(most);
    let all = left;
    while left > 0 {
        let step = output.chunk().len().min(left);
        wire.extend_from_slice(&output.chunk()[..step]);
        output.advance(step);
        left -= step;
    }
    all
}

struct World {
    client: End,
    server: End,
}

impl World {
    fn new() -> Self {
        let (client, server) = (Connection::client(small()), Connection::server(small()));
        Self { client: End::new(client, false), server: End::new(server, true) }
    }

    fn step(&mut self, what: u8, how: u8) {
        let (this, other) =
            if what & 0x80 == 0 { (&mut self.client, &mut self.server) } else { (&mut self.server, &mut self.client) };
        let picked = this.pick(how >> 4);
        match (what & 0x0f, picked) {
            (0 | 1, _) if !this.server => this.open(how),
            (2 | 3, Some(id)) => this.send(id, usize::from(how) * 20),
            (4, Some(id)) => this.consume(id, usize::from(how) * 16),
            (5, Some(id)) if how.is_multiple_of(4) => this.release(id),
            (6, Some(id)) => drop(this.connection.send_datagram(id, Bytes::from_static(b"datagram"))),
            (7, _) => drop(this.connection.ping([how; 8])),
            (8, _) if how == 255 => this.connection.goaway(bailey_link::CloseReason::Shutdown, "bye"),
            (9..=11, _) => drop(take_output(&mut this.connection, usize::from(how) * 8, &mut other.wire)),
            _ => drop(this.read_one()),
        }
    }

    fn drain(&mut self) {
        for _ in 0..1000 {
            let mut moved = take_output(&mut self.client.connection, usize::MAX, &mut self.server.wire);
            moved += take_output(&mut self.server.connection, usize::MAX, &mut self.client.wire);
            for end in [&mut self.client, &mut self.server] {
                while end.read_one() {
                    moved += 1;
                }
                for id in end.streams.keys().copied().collect::<Vec<_>>() {
                    end.send(id, usize::MAX);
                    end.consume(id, usize::MAX);
                }
            }
            if moved == 0 && self.client.connection.queued() + self.server.connection.queued() == 0 {
                break;
            }
        }
        for end in [&self.client, &self.server] {
            assert!(end.streams.is_empty(), "everything comes to its end: {:?}", end.streams);
            assert_eq!(end.connection.live_streams(), 0);
        }
    }
}
