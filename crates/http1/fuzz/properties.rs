//! What has to hold for any bytes whatsoever. Each property is a fuzz target and, on generated input, a test.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each user takes the properties it needs; a property fails by panicking"
)]

use bailey_http1::{
    Authority, BodyDecoder, BodyEncoder, BodyLength, BodyPart, ClientConnection, Fields, Limits, Method, Next, Refusal,
    RequestHead, RequestParser, ResponseHead, ServerConnection, Target, Upgrade, check_path, encode_request,
};
use bytes::{Bytes, BytesMut};

/// Cuts bytes into pieces of 1 to 16 bytes, as the seed says.
fn pieces(data: &[u8], seed: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    let mut state = u32::from(seed);
    std::iter::from_fn(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let len = (1 + (state >> 28) as usize).min(rest.len());
        let (piece, left) = rest.split_at(len);
        rest = left;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Small limits, so that short inputs reach them.
fn limits(seed: u8) -> Limits {
    if seed & 1 == 0 {
        Limits::DEFAULT
    } else {
        Limits { head_bytes: 96, fields: 3, target_bytes: 12, drain_bytes: 8, ..Limits::DEFAULT }
    }
}

/// The bytes with a line end behind them: a line that arrives in pieces is judged at the latest when it ends.
fn with_line_end(raw: &[u8]) -> Vec<u8> {
    [raw, b"\r\n"].concat()
}

/// A request head is the same however its bytes arrive; what was accepted is written so that it is read again as the
/// same; what is left behind the head is untouched.
pub(crate) fn requests(data: &[u8]) {
    let Some((&seed, raw)) = data.split_first() else { return };
    let raw = &with_line_end(raw)[..];
    let limits = limits(seed);
    let mut input = BytesMut::from(raw);
    let whole = RequestParser::default().parse(&mut input, &limits);
    if let Ok(Some(_)) = &whole {
        assert!(raw.ends_with(&input) && input.len() < raw.len());
    }
    let mut parser = RequestParser::default();
    let mut arrived = BytesMut::new();
    let mut split = Ok(None);
    for piece in pieces(raw, seed) {
        arrived.extend_from_slice(piece);
        split = parser.parse(&mut arrived, &limits);
        if !matches!(split, Ok(None)) {
            break;
        }
    }
    assert_eq!(format!("{whole:?}"), format!("{split:?}"));
    if let Ok(Some(head)) = whole {
        written_is_read(head);
    }
}

fn written_is_read(mut head: RequestHead) {
    assert!(!head.host().is_empty() && head.host() == head.host().to_ascii_lowercase());
    for (name, value) in head.fields.iter() {
        assert!(!matches!(name, b"host" | b"content-length" | b"transfer-encoding" | b"connection" | b"upgrade"));
        assert!(!value.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)));
    }
    head.fields.append(b"x-added", b"1\r\n2");
    let mut out = BytesMut::new();
    encode_request(&head, &mut out);
    let limits = Limits { head_bytes: 1 << 20, fields: 1000, target_bytes: 1 << 16, ..Limits::DEFAULT };
    let again = RequestParser::default().parse(&mut out, &limits).unwrap().unwrap();
    assert!(out.is_empty());
    assert_eq!((again.method, &again.target, &again.authority), (head.method, &head.target, &head.authority));
    assert_eq!(again.upgrade, head.upgrade);
    assert!(again.fields.iter().eq(head.fields.iter()));
    let empty = |body| if body == BodyLength::Length(0) { BodyLength::None } else { body };
    assert_eq!(empty(again.body), empty(head.body));
}

/// An exchange with an upstream is the same however its answer arrives.
pub(crate) fn responses(data: &[u8]) {
    let [seed, how, raw @ ..] = data else { return };
    let raw = &with_line_end(raw)[..];
    let whole = exchange(*how, limits(*seed), std::iter::once(raw));
    let split = exchange(*how, limits(*seed), pieces(raw, *seed));
    assert_eq!(whole, split);
}

/// Heads and ends, content, and how it ended: whether the connection can be used again.
type Exchange = (Vec<String>, Vec<u8>, Result<bool, Refusal>);

fn exchange<'a>(how: u8, limits: Limits, raw: impl Iterator<Item = &'a [u8]>) -> Exchange {
    let mut client = ClientConnection::new(limits);
    let request = RequestHead {
        method: if how & 1 == 0 { Method::Get } else { Method::Head },
        upgrade: (how & 3 == 2).then_some(Upgrade::WebSocket),
        keep_alive: true,
        ..RequestHead::default()
    };
    client.write_head(&request, &mut BytesMut::new());
    let mut seen = (Vec::new(), Vec::new(), Ok(false));
    let mut input = BytesMut::new();
    for piece in raw {
        input.extend_from_slice(piece);
        if let Err(refusal) = read_answer(&mut client, &mut input, &mut seen) {
            seen.2 = Err(refusal);
            return seen;
        }
    }
    seen.2 = Ok(client.is_reusable(&input));
    if let Err(refusal) = client.read_closed() {
        seen.2 = Err(refusal);
    }
    assert!(!client.is_reusable(&input));
    seen
}

fn read_answer(client: &mut ClientConnection, input: &mut BytesMut, seen: &mut Exchange) -> Result<(), Refusal> {
    while let Some(head) = client.read_head(input)? {
        assert!((100..600).contains(&head.status));
        seen.0.push(format!("{head:?}"));
    }
    while let Some(part) = client.read_body(input)? {
        match part {
            BodyPart::Data(data) => seen.1.extend_from_slice(&data),
            BodyPart::Trailers(fields) => seen.0.push(format!("{fields:?}")),
            BodyPart::End => seen.0.push("end".to_owned()),
        }
    }
    Ok(())
}

/// A chunked body is the same however its bytes arrive, and written again it is read again.
pub(crate) fn bodies(data: &[u8]) {
    let Some((&seed, raw)) = data.split_first() else { return };
    let raw = &with_line_end(raw)[..];
    let whole = decode(std::iter::once(raw), &limits(seed));
    assert_eq!(format!("{whole:?}"), format!("{:?}", decode(pieces(raw, seed), &limits(seed))));

    let mut out = BytesMut::new();
    let mut encoder = BodyEncoder::new(BodyLength::Unknown);
    for piece in pieces(raw, seed) {
        encoder.append(piece, &mut out).unwrap();
    }
    encoder.end(None, &mut out).unwrap();
    let (body, trailers) = decode(std::iter::once(&out[..]), &Limits::DEFAULT).unwrap().unwrap();
    assert!(body == raw && trailers.is_empty());
}

type Body = Option<(Vec<u8>, Fields)>;

fn decode<'a>(raw: impl Iterator<Item = &'a [u8]>, limits: &Limits) -> Result<Body, Refusal> {
    let mut decoder = BodyDecoder::new(BodyLength::Unknown);
    let mut input = BytesMut::new();
    let mut body = Vec::new();
    for piece in raw {
        input.extend_from_slice(piece);
        while let Some(part) = decoder.decode(&mut input, limits)? {
            match part {
                BodyPart::Data(data) => body.extend_from_slice(&data),
                BodyPart::Trailers(fields) => return Ok(Some((body, fields))),
                BodyPart::End => return Ok(Some((body, Fields::new()))),
            }
        }
    }
    Ok(None)
}

/// A client's connection always comes to rest: every request is answered once, the connection ends after a refusal,
/// and no byte is read twice.
pub(crate) fn connections(data: &[u8]) {
    let Some((&seed, raw)) = data.split_first() else { return };
    let mut server = ServerConnection::new(limits(seed));
    let mut input = BytesMut::new();
    for piece in pieces(raw, seed) {
        input.extend_from_slice(piece);
        if serve(&mut server, &mut input, seed) == Next::Close {
            return;
        }
    }
    let _ = server.read_closed();
}

/// Answers all that can be answered; every other seed reads the bodies.
fn serve(server: &mut ServerConnection, input: &mut BytesMut, seed: u8) -> Next {
    let mut out = BytesMut::new();
    loop {
        let before = input.len();
        if server.next(input) == Next::Close {
            return Next::Close;
        }
        let response = match server.read_head(input) {
            Ok(None) => return Next::Busy,
            Ok(Some(_)) => ResponseHead { body: BodyLength::Unknown, ..ResponseHead::new(200) },
            Err(refusal) => ResponseHead::new(refusal.status()),
        };
        let refused = response.status != 200;
        if !refused && seed & 2 == 0 {
            while let Ok(Some(_)) = server.read_body(input) {}
        }
        server.write_head(&response, b"now", &mut out);
        if server.has_body() {
            server.append(b"ok", &mut out).unwrap();
        }
        server.write_end(None, &mut out).unwrap();
        assert!(refused || input.len() < before, "a request takes bytes");
        assert!(!refused || server.next(input) == Next::Close, "a refusal closes");
    }
}

/// Canonical names are their own canonical form, and an accepted path or target is kept byte for byte.
pub(crate) fn names(data: &[u8]) {
    if let Ok(authority) = Authority::parse(data) {
        let host = authority.host();
        assert!(host.is_ascii() && !host.ends_with(b".") && host.len() <= data.len());
        let again = Authority::parse(authority.to_string().as_bytes()).unwrap();
        assert_eq!(again, authority);
        let shared = Authority::from_canonical(authority.host_bytes().clone(), authority.port()).unwrap();
        assert_eq!(shared, authority);
    }
    if let Ok(target) = Target::from_bytes(Bytes::copy_from_slice(data)) {
        assert_eq!(target.as_bytes(), data);
        assert!(target.is_asterisk() || target.path().starts_with(b"/"));
        assert_eq!(target.path().len() + target.query().map_or(0, |q| q.len() + 1), data.len());
    }
    if check_path(data).is_ok() {
        assert!(!data.windows(2).any(|two| two == b"//" || two == b"/\\") && !data.ends_with(b"/.."));
    }
}
