//! What each side tells the other in HELLO: versions, limits, windows, a name.

use crate::reason::Violation;
use crate::tlv::{self, CRITICAL, Items};
use crate::{CloseReason, ConnectionError};

/// The oldest version this release speaks.
pub const VERSION_MIN: u16 = 1;
/// The newest version this release speaks.
pub const VERSION_MAX: u16 = 1;

const MAGIC: [u8; 4] = *b"BLNK";
/// A HELLO may not be longer than this.
pub(crate) const HELLO_MAX: u32 = 1024;
/// A tier name is cut to this many bytes.
const NAME_MAX: usize = 128;

const MAX_STREAMS: u16 = 1;
const STREAM_WINDOW: u16 = 2;
const STREAM_FLOOR: u16 = 3;
const SHARED_WINDOW: u16 = 4;
const MAX_DATA: u16 = 5;
const MAX_HEAD: u16 = 6;
const NAME: u16 = 7;

/// The limits a side sets for what its peer sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Streams alive at once; 1 to 65,535. The server's counts.
    pub max_streams: u16,
    /// Bytes of one stream that may be outstanding; at least the floor.
    pub stream_window: u32,
    /// Bytes every stream may have outstanding whatever the others do; at least 1 KiB.
    pub stream_floor: u32,
    /// Bytes all streams together may have outstanding beyond their floors.
    pub shared_window: u32,
    /// Largest payload of a data or datagram frame; at least 1 KiB.
    pub max_data: u32,
    /// Largest payload of a head or of trailers; 1 KiB to 1 MiB.
    pub max_head: u32,
    /// Who speaks, for logs of the other side; cut to 128 bytes.
    pub name: String,
    /// Local only: data is accepted for sending while less than this waits to be written.
    pub output_limit: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_streams: 1024,
            stream_window: 256 * 1024,
            stream_floor: 16 * 1024,
            shared_window: 16 * 1024 * 1024,
            max_data: 64 * 1024,
            max_head: 128 * 1024,
            name: String::new(),
            output_limit: 1024 * 1024,
        }
    }
}

impl Settings {
    /// The most payload bytes a peer can make this side hold in data: `max_streams` floors and the shared window.
    pub fn data_bound(&self) -> u64 {
        u64::from(self.max_streams) * u64::from(self.stream_floor) + u64::from(self.shared_window)
    }

    /// Brings every value into what the protocol allows.
    pub(crate) fn clamped(mut self) -> Self {
        self.max_streams = self.max_streams.max(1);
        self.stream_floor = self.stream_floor.clamp(1024, 1 << 30);
        self.stream_window = self.stream_window.clamp(self.stream_floor, 1 << 30);
        self.shared_window = self.shared_window.min(1 << 30);
        self.max_data = self.max_data.clamp(1024, 1 << 24);
        self.max_head = self.max_head.clamp(1024, 1 << 20);
        self.output_limit = self.output_limit.max(64 * 1024);
        self
    }

    pub(crate) fn write_hello(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION_MIN.to_be_bytes());
        out.extend_from_slice(&VERSION_MAX.to_be_bytes());
        tlv::put(out, MAX_STREAMS, &u32::from(self.max_streams).to_be_bytes());
        for (kind, value) in [
            (STREAM_WINDOW, self.stream_window),
            (STREAM_FLOOR, self.stream_floor),
            (SHARED_WINDOW, self.shared_window),
            (MAX_DATA, self.max_data),
            (MAX_HEAD, self.max_head),
        ] {
            tlv::put(out, kind, &value.to_be_bytes());
        }
        let name = self.name.as_bytes();
        tlv::put(out, NAME, &name[..name.len().min(NAME_MAX)]);
    }
}

/// What the peer said in HELLO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerHello {
    /// The newest version both sides speak.
    pub version: u16,
    /// The peer's limits for what this side sends.
    pub settings: Settings,
}

impl PeerHello {
    pub(crate) fn read(payload: &[u8]) -> Result<Self, Violation> {
        let Some((&[m0, m1, m2, m3, a0, a1, b0, b1], items)) = payload.split_first_chunk::<8>() else {
            return Err(Violation(CloseReason::NotLink, "HELLO is too short"));
        };
        if [m0, m1, m2, m3] != MAGIC {
            return Err(Violation(CloseReason::NotLink, "HELLO does not start with BLNK"));
        }
        let version = u16::from_be_bytes([b0, b1]).min(VERSION_MAX);
        if version < u16::from_be_bytes([a0, a1]).max(VERSION_MIN) {
            return Err(Violation(CloseReason::Version, "no version in common"));
        }
        let mut settings = Settings::default();
        for item in Items::new(items) {
            let (kind, _, value) = item?;
            settings.set(kind, value)?;
        }
        if settings != settings.clone().clamped() {
            return Err(Violation(CloseReason::Settings, "a setting is out of bounds"));
        }
        Ok(Self { version, settings })
    }
}

impl Settings {
    fn set(&mut self, kind: u16, value: &[u8]) -> Result<(), Violation> {
        let number = || match value {
            &[a, b, c, d] => Ok(u32::from_be_bytes([a, b, c, d])),
            _ => Err(Violation(CloseReason::Settings, "a setting is not four bytes")),
        };
        match kind {
            MAX_STREAMS => {
                self.max_streams = u16::try_from(number()?)
                    .map_err(|_| Violation(CloseReason::Settings, "max_streams is beyond 65,535"))?;
            }
            STREAM_WINDOW => self.stream_window = number()?,
            STREAM_FLOOR => self.stream_floor = number()?,
            SHARED_WINDOW => self.shared_window = number()?,
            MAX_DATA => self.max_data = number()?,
            MAX_HEAD => self.max_head = number()?,
            NAME => {
                self.name = String::from_utf8_lossy(&value[..value.len().min(NAME_MAX)])
                    .chars()
                    .map(|c| if c.is_control() { '?' } else { c })
                    .collect();
            }
            unknown if unknown & CRITICAL != 0 => {
                return Err(Violation(CloseReason::Settings, "an unknown setting is marked critical"));
            }
            _ => {}
        }
        Ok(())
    }
}

/// A connection whose peer is not known to speak the protocol has nobody to blame but the peer.
impl Violation {
    pub(crate) fn by(self, peer: crate::Role) -> ConnectionError {
        ConnectionError { peer, reason: self.0, what: self.1 }
    }
}
