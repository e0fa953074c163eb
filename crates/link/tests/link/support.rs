//! Two connections joined by byte buffers.

use bailey_link::{Connection, Event, Settings};
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
