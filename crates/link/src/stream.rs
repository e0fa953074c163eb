//! Stream ids and what a connection remembers of one stream. Transitions live in `connection`.

/// Names one stream of a connection: a small slot number and the generation of its use.
///
/// Index your own table by [`StreamId::slot`]; a slot is used again only when the stream before it is over on both sides,
/// and a call with the id of an earlier stream has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(u32);

impl StreamId {
    pub(crate) fn new(slot: u16, generation: u16) -> Self {
        Self(u32::from(generation) << 16 | u32::from(slot))
    }

    /// `None` for 0, which names the connection itself, and for generation 0.
    pub(crate) fn from_wire(wire: u32) -> Option<Self> {
        (wire >> 16 != 0).then_some(Self(wire))
    }

    pub(crate) fn wire(self) -> u32 {
        self.0
    }

    /// The slot, below the `max_streams` of the server.
    pub fn slot(self) -> usize {
        usize::from(self.0 as u16)
    }

    pub(crate) fn generation(self) -> u16 {
        (self.0 >> 16) as u16
    }
}

/// Generations run from 1 to 65,535 and start again at 1.
pub(crate) fn next_generation(generation: u16) -> u16 {
    if generation == u16::MAX { 1 } else { generation + 1 }
}

/// How far one direction of a stream has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The head is still to come.
    Head,
    /// Data, trailers or the end may follow.
    Body,
    /// END or RESET has passed.
    Ended,
}

/// One slot: the stream that uses it, or the last that did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) generation: u16,
    pub(crate) send: Side,
    pub(crate) receive: Side,
    /// Counted as live: the slot is not free for another stream.
    pub(crate) live: bool,
    /// The caller let go.
    pub(crate) released: bool,
    /// Nothing more is reported; data that still comes is credited at once.
    pub(crate) quiet: bool,
    /// RESET went out; it does once.
    pub(crate) reset_sent: bool,
    /// Opened after GOAWAY: whatever comes for it is dropped.
    pub(crate) refused: bool,
    /// The stream carries datagrams.
    pub(crate) datagrams: bool,
    /// The caller saw a capacity of 0 and waits for an event.
    pub(crate) wants_capacity: bool,
    /// The slot is in the connection's queue for shared room.
    pub(crate) queued: bool,
    /// Informational responses so far.
    pub(crate) informational: u8,
    /// Place in the order of opening, from 0.
    pub(crate) ordinal: u64,
    /// Data sent and not credited.
    pub(crate) sent: u32,
    /// Data received and not yet consumed by the caller.
    pub(crate) unconsumed: u32,
    /// Data consumed and not yet credited to the peer.
    pub(crate) uncredited: u32,
}

impl Slot {
    pub(crate) const UNUSED: Self = Self {
        generation: 0,
        send: Side::Ended,
        receive: Side::Ended,
        live: false,
        released: true,
        quiet: true,
        reset_sent: false,
        refused: false,
        datagrams: false,
        wants_capacity: false,
        queued: false,
        informational: 0,
        ordinal: 0,
        sent: 0,
        unconsumed: 0,
        uncredited: 0,
    };

    /// The bytes of this stream the peer still counts as outstanding, once all of its frames have arrived.
    pub(crate) fn received(&self) -> u32 {
        self.unconsumed + self.uncredited
    }

    pub(crate) fn ended(&self) -> bool {
        self.send == Side::Ended && self.receive == Side::Ended
    }
}
