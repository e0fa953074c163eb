//! Two connections joined by byte buffers.

use bailey_link::{Connection, ConnectionError, Event, Settings};
use bytes::{Buf, BytesMut};

pub(crate) struct Pair {
    pub(crate) client: Connection,
    pub(crate) server: Connection,
    to_client: BytesMut,
    to_server: BytesMut,
}

impl Pair {
    pub(crate) fn new(client: Settings, server: Settings) -> Self {
        let (client, server) = (Connection::client(client), Connection::server(server));
        Self { client, server, to_client: BytesMut::new(), to_server: BytesMut::new() }
    }

    /// With default settings and both HELLOs read.
    pub(crate) fn ready() -> Self {
        Self::ready_with(Settings::default(), Settings::default())
    }

    pub(crate) fn ready_with(client: Settings, server: Settings) -> Self {
        let mut pair = Self::new(client, server);
        assert!(matches!(pair.server_to_client()[..], [Event::Ready(_)]));
        assert!(matches!(pair.client_to_server()[..], [Event::Ready(_)]));
        pair
    }

    /// Carries all that the client wrote to the server.
    pub(crate) fn client_to_server(&mut self) -> Vec<Event> {
        carry(&mut self.client, &mut self.server, &mut self.to_server)
    }

    /// Carries all that the server wrote to the client.
    pub(crate) fn server_to_client(&mut self) -> Vec<Event> {
        carry(&mut self.server, &mut self.client, &mut self.to_client)
    }
}

fn carry(from: &mut Connection, to: &mut Connection, wire: &mut BytesMut) -> Vec<Event> {
    let output = from.output();
    while output.has_remaining() {
        wire.extend_from_slice(output.chunk());
        output.advance(output.chunk().len());
    }
    let mut events = Vec::new();
    while let Some(event) = to.read(wire).expect("the peer keeps to the protocol") {
        events.push(event);
    }
    events
}

pub(crate) fn event(events: &[Event], index: usize) -> &Event {
    events.get(index).unwrap_or_else(|| panic!("no event {index} in {events:?}"))
}

/// A frame written by hand.
pub(crate) fn frame(kind: u8, stream: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = (payload.len() as u32).to_be_bytes().to_vec();
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(payload);
    out
}

/// A HELLO with nothing but versions.
pub(crate) fn hello() -> Vec<u8> {
    frame(1, 0, 0, b"BLNK\x00\x01\x00\x01")
}

/// The payload of a plain request head: GET / for a.test.
pub(crate) fn get() -> Vec<u8> {
    let mut block = vec![0x80, 1, 0, 47];
    let mut fixed = [0; 47];
    fixed[..3].copy_from_slice(&[0, 2, 2]);
    block.extend_from_slice(&fixed);
    block.extend_from_slice(b"\x80\x02\x00\x03GET\x80\x03\x00\x06a.test\x80\x04\x00\x01/");
    let mut payload = (block.len() as u16).to_be_bytes().to_vec();
    payload.extend_from_slice(&block);
    payload
}

/// Reads hand-written frames into `connection`.
pub(crate) fn feed(connection: &mut Connection, frames: &[Vec<u8>]) -> Result<Vec<Event>, ConnectionError> {
    let mut input = BytesMut::from(&frames.concat()[..]);
    let mut events = Vec::new();
    while let Some(event) = connection.read(&mut input)? {
        events.push(event);
    }
    Ok(events)
}

/// Everything a connection has to write.
pub(crate) fn written(connection: &mut Connection) -> Vec<u8> {
    let output = connection.output();
    output.copy_to_bytes(output.remaining()).to_vec()
}
