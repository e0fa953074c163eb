//! Reads and checks the payload of heads and trailers.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use bytes::Bytes;

use super::{RequestHead, ResponseHead, Span, Trailers, item};
use crate::tlv::{CRITICAL, Items, Torn};
use crate::{BodyLength, ClientVersion, ResponseMeta, Scheme, StreamType, Times};

/// The head cannot be used; only its stream suffers.
#[derive(Debug)]
pub(crate) struct Malformed;

impl From<Torn> for Malformed {
    fn from(_: Torn) -> Self {
        Self
    }
}

impl RequestHead {
    pub(crate) fn read(payload: Bytes) -> Result<Self, Malformed> {
        let fields_at = fields_start(&payload)?;
        let mut head = Self::empty(fields_at as u32);
        let mut fixed = false;
        for entry in Items::new(&payload[2..fields_at]) {
            let (kind, start, value) = entry?;
            let span = Span { start: start as u32 + 2, length: value.len() as u32 };
            fixed |= kind == item::REQUEST;
            head.item(kind, span, value)?;
        }
        if !fixed {
            return Err(Malformed);
        }
        check_line(&payload, &head)?;
        check_fields(&payload[fields_at..])?;
        head.payload = payload;
        Ok(head)
    }

    fn empty(fields_at: u32) -> Self {
        let none = Span::default();
        Self {
            payload: Bytes::new(),
            fields_at,
            stream_type: StreamType::Http,
            scheme: Scheme::None,
            version: ClientVersion::None,
            hops: 0,
            client: SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0),
            request_id: [0; 16],
            body: BodyLength::None,
            deadline_ms: None,
            port: None,
            method: none,
            host: none,
            target: none,
            listener: none,
            tls_version: None,
            sni: none,
            certificate_digest: None,
            certificate_subject: none,
            trace_parent: none,
            trace_state: none,
            trace_sampling: none,
        }
    }

    fn item(&mut self, kind: u16, span: Span, value: &[u8]) -> Result<(), Malformed> {
        match kind {
            item::REQUEST => self.fixed(value)?,
            item::METHOD => self.method = span,
            item::HOST => self.host = span,
            item::TARGET => self.target = span,
            item::LISTENER => self.listener = span,
            item::PORT => self.port = Some(u16::from_be_bytes(exact(value)?)),
            item::DEADLINE => self.deadline_ms = Some(u32::from_be_bytes(exact(value)?)),
            item::TLS => self.tls_version = Some(u16::from_be_bytes(exact(value)?)),
            item::SNI => self.sni = span,
            item::CERTIFICATE_DIGEST => self.certificate_digest = Some(exact(value)?),
            item::CERTIFICATE_SUBJECT => self.certificate_subject = span,
            item::TRACE_PARENT => self.trace_parent = span,
            item::TRACE_STATE => self.trace_state = span,
            item::TRACE_SAMPLING => self.trace_sampling = span,
            unknown if unknown & CRITICAL != 0 => return Err(Malformed),
            _ => {}
        }
        Ok(())
    }

    /// A later release may append to the fixed part.
    fn fixed(&mut self, value: &[u8]) -> Result<(), Malformed> {
        let (fixed, _) = value.split_first_chunk::<{ item::REQUEST_LENGTH }>().ok_or(Malformed)?;
        self.stream_type = StreamType::from_wire(fixed[0]).ok_or(Malformed)?;
        self.scheme = Scheme::from_wire(fixed[1]).ok_or(Malformed)?;
        self.version = ClientVersion::from_wire(fixed[2]).ok_or(Malformed)?;
        self.hops = fixed[3];
        let address = Ipv6Addr::from(exact::<16>(&fixed[4..20])?).to_canonical();
        self.client = SocketAddr::new(address, u16::from_be_bytes(exact(&fixed[20..22])?));
        self.request_id = exact(&fixed[22..38])?;
        self.body = body(exact(&fixed[38..])?)?;
        Ok(())
    }
}

impl ResponseHead {
    pub(crate) fn read(payload: Bytes) -> Result<Self, Malformed> {
        let fields_at = fields_start(&payload)?;
        let (mut meta, mut times) = (None, None);
        for entry in Items::new(&payload[2..fields_at]) {
            let (kind, _, value) = entry?;
            match kind {
                item::RESPONSE => meta = Some(response(value)?),
                item::TIMES => times = Some(self::times(value)?),
                unknown if unknown & CRITICAL != 0 => return Err(Malformed),
                _ => {}
            }
        }
        check_fields(&payload[fields_at..])?;
        let meta = ResponseMeta { times, ..meta.ok_or(Malformed)? };
        Ok(Self { meta, fields_at: fields_at as u32, payload })
    }
}

impl Trailers {
    pub(crate) fn read(payload: Bytes) -> Result<Self, Malformed> {
        let fields_at = fields_start(&payload)?;
        for entry in Items::new(&payload[2..fields_at]) {
            let (kind, _, _) = entry?;
            if kind & CRITICAL != 0 {
                return Err(Malformed);
            }
        }
        check_fields(&payload[fields_at..])?;
        Ok(Self { fields_at: fields_at as u32, payload })
    }
}

fn response(value: &[u8]) -> Result<ResponseMeta, Malformed> {
    let (fixed, _) = value.split_first_chunk::<{ item::RESPONSE_LENGTH }>().ok_or(Malformed)?;
    let status = u16::from_be_bytes(exact(&fixed[..2])?);
    if !(100..=999).contains(&status) {
        return Err(Malformed);
    }
    Ok(ResponseMeta { status, body: body(exact(&fixed[2..])?)?, times: None })
}

/// One time or both; a later release may append more.
fn times(value: &[u8]) -> Result<Times, Malformed> {
    let (head, rest) = value.split_first_chunk().ok_or(Malformed)?;
    let upstream = rest.first_chunk().map(|upstream| u32::from_be_bytes(*upstream));
    Ok(Times { head_us: u32::from_be_bytes(*head), upstream_us: upstream })
}

fn exact<const N: usize>(value: &[u8]) -> Result<[u8; N], Malformed> {
    value.try_into().map_err(|_| Malformed)
}

fn body([kind, bytes @ ..]: [u8; 9]) -> Result<BodyLength, Malformed> {
    match kind {
        0 => Ok(BodyLength::None),
        1 => Ok(BodyLength::Known(u64::from_be_bytes(bytes))),
        2 => Ok(BodyLength::Unknown),
        _ => Err(Malformed),
    }
}

fn fields_start(payload: &[u8]) -> Result<usize, Malformed> {
    let (&length, rest) = payload.split_first_chunk::<2>().ok_or(Malformed)?;
    let length = usize::from(u16::from_be_bytes(length));
    if length > rest.len() { Err(Malformed) } else { Ok(2 + length) }
}

/// Method, host and target end up in a request line: no space and no control character.
fn check_line(payload: &[u8], head: &RequestHead) -> Result<(), Malformed> {
    let http = matches!(head.stream_type, StreamType::Http | StreamType::Upgrade);
    let method = head.method.of(payload);
    let token = method.iter().all(|byte| TOKEN[usize::from(*byte)] != 0);
    let graphic = |span: Span| span.of(payload).iter().all(|byte| *byte > b' ' && *byte != 0x7f);
    let present = !http || (!method.is_empty() && head.target.length > 0);
    if token && present && graphic(head.host) && graphic(head.target) { Ok(()) } else { Err(Malformed) }
}

fn check_fields(mut fields: &[u8]) -> Result<(), Malformed> {
    while !fields.is_empty() {
        let (&[n0, n1, v0, v1], rest) = fields.split_first_chunk::<4>().ok_or(Malformed)?;
        let (name, value) = (usize::from(u16::from_be_bytes([n0, n1])), usize::from(u16::from_be_bytes([v0, v1])));
        let (name, rest) = rest.split_at_checked(name).ok_or(Malformed)?;
        let (value, rest) = rest.split_at_checked(value).ok_or(Malformed)?;
        let lower = name.iter().all(|byte| TOKEN[usize::from(*byte)] == 1);
        // Without an early end, so that it becomes a few vector instructions.
        let clean = !value.iter().fold(false, |found, byte| found | matches!(byte, 0..=0x08 | 0x0a..=0x1f | 0x7f));
        if name.is_empty() || !lower || !clean {
            return Err(Malformed);
        }
        fields = rest;
    }
    Ok(())
}

/// RFC 9110 5.6.2: 1 for what a lower-case token may hold, 2 for upper-case letters, else 0.
const TOKEN: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'A'..=b'Z' => 2,
            b'a'..=b'z'
            | b'0'..=b'9'
            | b'!'
            | b'#'
            | b'$'
            | b'%'
            | b'&'
            | b'\''
            | b'*'
            | b'+'
            | b'-'
            | b'.'
            | b'^'
            | b'_'
            | b'`'
            | b'|'
            | b'~' => 1,
            _ => 0,
        };
        byte += 1;
    }
    table
};
