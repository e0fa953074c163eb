//! The fixed header every frame starts with. Knows nothing of payloads or states.

/// Bytes of a frame's header: payload length (4), stream (4), kind (1), flags (1); numbers in network order.
pub(crate) const HEADER: usize = 10;

/// The sender's last frame in this direction of the stream.
pub(crate) const END: u8 = 1;

/// What a frame is. Numbers are the wire's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Hello = 1,
    Request = 2,
    Response = 3,
    Informational = 4,
    Data = 5,
    Trailers = 6,
    Reset = 7,
    Credit = 8,
    Goaway = 9,
    Ping = 10,
    Pong = 11,
    Datagram = 12,
}

impl Kind {
    pub(crate) fn from_wire(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Hello,
            2 => Self::Request,
            3 => Self::Response,
            4 => Self::Informational,
            5 => Self::Data,
            6 => Self::Trailers,
            7 => Self::Reset,
            8 => Self::Credit,
            9 => Self::Goaway,
            10 => Self::Ping,
            11 => Self::Pong,
            12 => Self::Datagram,
            _ => return None,
        })
    }

    /// A kind from here on may be skipped by a reader that does not know it.
    pub(crate) const SKIPPABLE: u8 = 0x80;
}

/// A frame's header as read; the kind is still a byte, because an unknown one may be legal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) length: u32,
    pub(crate) stream: u32,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
}

impl Header {
    /// `None` until all of it has arrived.
    pub(crate) fn read(input: &[u8]) -> Option<Self> {
        let (head, _) = input.split_first_chunk::<HEADER>()?;
        let [l0, l1, l2, l3, s0, s1, s2, s3, kind, flags] = *head;
        Some(Self {
            length: u32::from_be_bytes([l0, l1, l2, l3]),
            stream: u32::from_be_bytes([s0, s1, s2, s3]),
            kind,
            flags,
        })
    }

    pub(crate) fn write(length: u32, stream: u32, kind: Kind, flags: u8) -> [u8; HEADER] {
        let ([l0, l1, l2, l3], [s0, s1, s2, s3]) = (length.to_be_bytes(), stream.to_be_bytes());
        [l0, l1, l2, l3, s0, s1, s2, s3, kind as u8, flags]
    }

    pub(crate) fn end(&self) -> bool {
        self.flags & END != 0
    }
}
