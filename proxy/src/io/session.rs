//! A TLS session without buffers of its own: ciphertext is read into and written from memory that all connections of a
//! thread share, so that an idle connection holds little but keys. Decides how plaintext is cut into records; does no I/O.

use std::io::{self, IoSlice};
use std::sync::Arc;

use bytes::BytesMut;
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, UnbufferedStatus};
use rustls::{ClientConfig, CommonState, Error, ServerConfig};

#[cfg(test)]
mod tests;

/// Plaintext of one record (RFC 8446 5.1).
const RECORD: usize = 16 * 1024;
/// Ciphertext of one record, with room for a key update before it.
const SEALED: usize = RECORD + 512;
/// Records that are sealed, or read, at a time.
const RECORDS: usize = 4;
/// Ciphertext of a message that is not complete yet. Only certificates of a handshake need more than one record.
const MAX_PARTIAL: usize = 2 * SEALED;

/// The memory that the sessions of a thread share. What is left in it belongs to nobody.
pub(super) struct Scratch {
    /// Ciphertext, on its way in or out.
    pub(super) sealed: Box<[u8]>,
    /// Plaintext of a record whose pieces lie apart.
    gathered: Box<[u8]>,
}

impl Scratch {
    pub(super) fn new() -> Self {
        let zeros = |len| vec![0; len].into_boxed_slice();
        Self { sealed: zeros(RECORDS * SEALED), gathered: zeros(RECORD) }
    }
}

/// One end of a TLS connection.
pub struct Session {
    side: Side,
    /// Ciphertext that has come and is not a whole message yet.
    partial: BytesMut,
    /// Ciphertext that waits for the socket.
    pub(super) outgoing: BytesMut,
    /// The peer has said that it sends no more.
    pub(super) ended: bool,
}

/// A first message that leads to no session.
#[derive(Debug)]
pub struct Refused {
    /// Why.
    pub error: io::Error,
    /// The same for the client; may be empty.
    pub alert: BytesMut,
}

enum Side {
    Client(UnbufferedClientConnection),
    Server(UnbufferedServerConnection),
}

/// What a step of rustls over some ciphertext came to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The same ciphertext may have more.
    Again,
    /// More of it is needed.
    Blocked,
}

/// Lets rustls look at ciphertext and hands what it finds to a function that both sides share.
macro_rules! process {
    ($side:expr, $ciphertext:expr, $take:ident, $($argument:expr),*) => {
        match $side {
            Side::Client(client) => $take(client.process_tls_records($ciphertext), $($argument),*),
            Side::Server(server) => $take(server.process_tls_records($ciphertext), $($argument),*),
        }
    };
}

impl Session {
    /// The end that connects. Its first message waits to be sent.
    pub fn client(config: Arc<ClientConfig>, name: ServerName<'static>) -> Result<Self, Error> {
        let mut session = Self::new(Side::Client(UnbufferedClientConnection::new(config, name)?));
        session.run(&mut [], &mut BytesMut::new())?;
        Ok(session)
    }

    /// The end that accepts.
    pub fn server(config: Arc<ServerConfig>) -> Result<Self, Error> {
        Ok(Self::new(Side::Server(UnbufferedServerConnection::new(config)?)))
    }

    /// The end that accepts, when the client's first message has been read already.
    pub fn server_after(config: Arc<ServerConfig>, mut hello: BytesMut) -> Result<Self, Refused> {
        let refused = |error, alert| Refused { error, alert };
        let mut session = Self::server(config).map_err(|error| refused(io::Error::other(error), BytesMut::new()))?;
        match session.open(&mut hello, &mut BytesMut::new()) {
            Ok(()) => Ok(session),
            Err(error) => Err(refused(error, session.outgoing)),
        }
    }

    fn new(side: Side) -> Self {
        Self { side, partial: BytesMut::new(), outgoing: BytesMut::new(), ended: false }
    }

    /// What the handshake has agreed on.
    pub fn state(&self) -> &CommonState {
        match &self.side {
            Side::Client(client) => client,
            Side::Server(server) => server,
        }
    }

    /// Whether part of a message is kept until the rest of it comes.
    pub(super) fn has_partial(&self) -> bool {
        !self.partial.is_empty()
    }

    /// Copies what is kept of an incomplete message to the front of `into` and says how much that is; what is read goes
    /// behind it.
    pub(super) fn stage(&self, into: &mut [u8]) -> usize {
        into[..self.partial.len()].copy_from_slice(&self.partial);
        self.partial.len()
    }

    /// Takes ciphertext that begins with what was [staged](Self::stage). What it decrypts to is appended to `plain`, what
    /// TLS itself has to say (also why it fails) to what is outgoing.
    pub(super) fn open(&mut self, ciphertext: &mut [u8], plain: &mut BytesMut) -> io::Result<()> {
        match self.run(ciphertext, plain) {
            Ok(at) => self.keep(&ciphertext[at..]),
            Err(error) => {
                // The alert.
                while self.state().wants_write() && self.step(&mut [], plain).is_ok() {}
                Err(io::Error::new(io::ErrorKind::InvalidData, error))
            }
        }
    }

    /// Goes as far as this ciphertext allows and says how much of it is used up.
    fn run(&mut self, ciphertext: &mut [u8], plain: &mut BytesMut) -> Result<usize, Error> {
        let mut at = 0;
        loop {
            let (used, step) = self.step(&mut ciphertext[at..], plain)?;
            at += used;
            if step == Step::Blocked {
                return Ok(at);
            }
        }
    }

    fn step(&mut self, ciphertext: &mut [u8], plain: &mut BytesMut) -> Result<(usize, Step), Error> {
        process!(&mut self.side, ciphertext, receive, plain, &mut self.outgoing, &mut self.ended)
    }

    fn keep(&mut self, rest: &[u8]) -> io::Result<()> {
        if rest.len() > MAX_PARTIAL {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a message of the handshake is too long"));
        }
        self.partial.clear();
        if rest.is_empty() || self.ended {
            // An idle connection holds no buffer.
            self.partial = BytesMut::new();
        } else {
            self.partial.extend_from_slice(rest);
        }
        Ok(())
    }

    /// Encrypts as much of `slices` as there is room for in `scratch`; pieces share records. Says how much plaintext it
    /// took and how much ciphertext it made. To be called when nothing is outgoing.
    pub(super) fn seal(&mut self, slices: &[IoSlice<'_>], scratch: &mut Scratch) -> io::Result<(usize, usize)> {
        let Scratch { sealed, gathered } = scratch;
        let mut pieces = Pieces { slices, at: 0 };
        let (mut taken, mut made) = (0, 0);
        while sealed.len() - made >= SEALED {
            let record = pieces.next_record(gathered);
            if record.is_empty() {
                break;
            }
            made += self.seal_record(record, &mut sealed[made..])?;
            taken += record.len();
        }
        Ok((taken, made))
    }

    fn seal_record(&mut self, record: &[u8], into: &mut [u8]) -> io::Result<usize> {
        let mut made = 0;
        loop {
            let (count, done) =
                process!(&mut self.side, &mut self.partial, send, Say::Data(record), &mut into[made..])?;
            made += count;
            if done {
                return Ok(made);
            }
        }
    }

    /// The socket has ended. Only a peer that has said so before may have meant it.
    pub(super) fn cut(&mut self) -> io::Result<()> {
        if self.ended || self.state().is_handshaking() {
            self.ended = true;
            return Ok(());
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }

    /// Says that we send no more.
    pub(super) fn close(&mut self) {
        let mut goodbye = [0; 512];
        loop {
            match process!(&mut self.side, &mut self.partial, send, Say::Goodbye, &mut goodbye) {
                Ok((count, done)) => {
                    self.outgoing.extend_from_slice(&goodbye[..count]);
                    if done {
                        return;
                    }
                }
                // Nothing can be said any more, or not yet: the end of the connection says enough.
                Err(_) => return,
            }
        }
    }
}

/// What came: plaintext, messages of TLS itself to be answered, the end.
fn receive<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    plain: &mut BytesMut,
    outgoing: &mut BytesMut,
    ended: &mut bool,
) -> Result<(usize, Step), Error> {
    let UnbufferedStatus { mut discard, state } = status;
    let step = match state? {
        ConnectionState::ReadTraffic(mut traffic) => {
            while let Some(record) = traffic.next_record() {
                let record = record?;
                discard += record.discard;
                plain.extend_from_slice(record.payload);
            }
            Step::Again
        }
        ConnectionState::EncodeTlsData(mut message) => {
            append(&mut message, outgoing)?;
            Step::Again
        }
        ConnectionState::TransmitTlsData(message) => {
            message.done();
            Step::Again
        }
        ConnectionState::PeerClosed | ConnectionState::Closed => {
            *ended = true;
            Step::Blocked
        }
        // Early data was not offered, nor was what rustls may know one day.
        ConnectionState::BlockedHandshake
        | ConnectionState::WriteTraffic(_)
        | ConnectionState::ReadEarlyData(_)
        | _ => Step::Blocked,
    };
    Ok((discard, step))
}

fn append<Data>(message: &mut EncodeTlsData<'_, Data>, outgoing: &mut BytesMut) -> Result<(), Error> {
    let start = outgoing.len();
    if let Err(EncodeError::InsufficientSize(needed)) = message.encode(&mut []) {
        outgoing.resize(start + needed.required_size, 0);
        message.encode(&mut outgoing[start..]).map_err(|error| Error::General(error.to_string()))?;
    }
    Ok(())
}

/// What we have to say.
#[derive(Clone, Copy)]
enum Say<'a> {
    Data(&'a [u8]),
    Goodbye,
}

/// Writes to `into` what we say, or what TLS has to say before it; `true`: it was ours.
fn send<Data>(status: UnbufferedStatus<'_, '_, Data>, say: Say<'_>, into: &mut [u8]) -> io::Result<(usize, bool)> {
    match status.state.map_err(io::Error::other)? {
        ConnectionState::WriteTraffic(mut traffic) => {
            let made = match say {
                Say::Data(data) => traffic.encrypt(data, into),
                Say::Goodbye => traffic.queue_close_notify(into),
            };
            Ok((made.map_err(io::Error::other)?, true))
        }
        ConnectionState::EncodeTlsData(mut message) => Ok((message.encode(into).map_err(io::Error::other)?, false)),
        ConnectionState::TransmitTlsData(message) => {
            message.done();
            Ok((0, false))
        }
        ConnectionState::ReadTraffic(_)
        | ConnectionState::PeerClosed
        | ConnectionState::Closed
        | ConnectionState::ReadEarlyData(_)
        | ConnectionState::BlockedHandshake
        | _ => Err(io::ErrorKind::NotConnected.into()),
    }
}

/// Plaintext in pieces, to be cut into records.
struct Pieces<'a> {
    slices: &'a [IoSlice<'a>],
    /// Bytes of the first slice that are taken.
    at: usize,
}

impl<'a> Pieces<'a> {
    /// The next record: part of one slice if it fills a record or is the last, else several of them copied together.
    fn next_record<'b>(&mut self, gathered: &'b mut [u8]) -> &'b [u8]
    where
        'a: 'b,
    {
        let mut len = 0;
        while let [first, rest @ ..] = self.slices {
            let first: &'a [u8] = first;
            let piece = &first[self.at..];
            let whole = piece.len() >= RECORD || rest.is_empty();
            let count = piece.len().min(RECORD - len);
            self.at += count;
            if self.at == first.len() {
                (self.slices, self.at) = (rest, 0);
            }
            if len == 0 && whole {
                return &piece[..count];
            }
            gathered[len..len + count].copy_from_slice(&piece[..count]);
            len += count;
            if len == RECORD {
                break;
            }
        }
        &gathered[..len]
    }
}
