//! Where bodies end, and what may stand around their chunks.

use bailey_http1::{BodyDecoder, BodyEncoder, BodyLength, BodyPart, Fields, Limits, Refusal, is_trailer_allowed};
use bytes::BytesMut;

/// A body, its trailers, and whether it ended.
type Read = (Vec<u8>, Vec<(String, String)>, bool);

fn decode_in_steps(length: BodyLength, raw: &[u8], step: usize) -> Result<(Read, Vec<u8>), Refusal> {
    let mut decoder = BodyDecoder::new(length);
    let mut input = BytesMut::new();
    let mut read = (Vec::new(), Vec::new(), false);
    for piece in raw.chunks(step).chain([&b""[..]]) {
        input.extend_from_slice(piece);
        while let Some(part) = decoder.decode(&mut input, &Limits::DEFAULT)? {
            match part {
                BodyPart::Data(data) => {
                    assert!(!data.is_empty());
                    read.0.extend_from_slice(&data);
                }
                BodyPart::Trailers(fields) => {
                    let text = |t: &[u8]| t.escape_ascii().to_string();
                    read.1 = fields.iter().map(|(n, v)| (text(n), text(v))).collect();
                    read.2 = true;
                }
                BodyPart::End => read.2 = true,
            }
        }
    }
    Ok((read, input.to_vec()))
}

fn decode(length: BodyLength, raw: impl AsRef<[u8]>) -> Result<(Read, Vec<u8>), Refusal> {
    let raw = raw.as_ref();
    let whole = decode_in_steps(length, raw, raw.len().max(1));
    for step in [1, 2, 3, 7] {
        assert_eq!(whole, decode_in_steps(length, raw, step), "split differs: {}", raw.escape_ascii());
    }
    whole
}

fn chunked(raw: impl AsRef<[u8]>) -> Result<(Read, Vec<u8>), Refusal> {
    decode(BodyLength::Unknown, raw)
}

#[test]
fn lengths_are_exact_and_the_rest_stays() {
    for (length, raw, body, rest) in [
        (BodyLength::None, "next", "", "next"),
        (BodyLength::Length(0), "next", "", "next"),
        (BodyLength::Length(4), "bodynext", "body", "next"),
        (BodyLength::Length(4), "body", "body", ""),
    ] {
        let ((found, _, ended), left) = decode(length, raw).unwrap();
        assert_eq!((&found[..], ended, &left[..]), (body.as_bytes(), true, rest.as_bytes()));
    }
    let ((found, _, ended), _) = decode(BodyLength::Length(5), "body").unwrap();
    assert_eq!((&found[..], ended), (&b"body"[..], false));
}

#[test]
fn h5_well_formed_chunks_are_joined() {
    for (raw, body) in [
        ("0\r\n\r\n", ""),
        ("5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("1\r\nh\r\n4\r\nello\r\n0\r\n\r\n", "hello"),
        ("a\r\n0123456789\r\n00\r\n\r\n", "0123456789"),
        ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        ("0000000000000005\r\nhello\r\n0000\r\n\r\n", "hello"),
        ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n"),
        ("5;a=b\r\nhello\r\n0;c=\"d e\"\r\n\r\n", "hello"),
        ("5; a = b\t\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5;\r\nhello\r\n0\r\n\r\n", "hello"),
    ] {
        let ((found, trailers, ended), rest) = chunked(format!("{raw}next")).unwrap();
        assert_eq!((&found[..], ended, &rest[..]), (body.as_bytes(), true, &b"next"[..]), "{}", raw.escape_default());
        assert!(trailers.is_empty());
    }
}

#[test]
fn h5_chunk_sizes_are_plain_hexadecimal_numbers() {
    for line in [
        "",
        " 5",
        "5 ",
        "\t5",
        "5\t",
        "0x5",
        "0X5",
        "+5",
        "-5",
        "5_0",
        "_5",
        "5h",
        "g",
        "5.0",
        "5,5",
        "'5'",
        "\"5\"",
        "5 ;a=b",
        "5\t;a",
        ";a",
        "=",
        "\u{665}",
        "\u{ff15}",
        "10000000000000000",
        "00000000000000005",
        "ffffffffffffffff",
        "8000000000000000",
        "4000000000000000",
        "FFFFFFFFFFFFFFFFFFFF",
        "5\u{0}",
        "5\u{a0}",
        "5#",
        "5%",
        "5/",
        "5:",
        "5@",
    ] {
        let raw = format!("{line}\r\nhello\r\n0\r\n\r\n");
        assert_eq!(chunked(&raw).unwrap_err(), Refusal::ChunkSize, "{line}");
        // As the last chunk, too.
        let raw = format!("5\r\nhello\r\n{line}\r\n\r\n");
        assert_eq!(chunked(&raw).unwrap_err(), Refusal::ChunkSize, "{line}");
    }
}

#[test]
fn h5_chunk_extensions_are_short_and_plain() {
    for extension in [
        ";a\n",
        ";a\nb",
        ";\n",
        ";a\rb",
        ";\r\r",
        ";a\u{0}b",
        ";a\u{7f}",
        ";a\u{b}",
        ";\u{e4}",
        ";a=\"\n\"",
        ";a=\"\r\n\"\n",
    ] {
        let raw = format!("5{extension}\r\nhello\r\n0\r\n\r\n");
        assert!(chunked(&raw).is_err(), "{}", extension.escape_default());
    }
    let with = |n: usize| format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(n - 1));
    assert!(chunked(with(64)).is_ok());
    for n in [65, 66, 100, 5000] {
        assert_eq!(chunked(with(n)).unwrap_err(), Refusal::ChunkSize, "{n}");
    }
}

#[test]
fn h5_chunk_lines_end_with_carriage_return_and_line_feed() {
    for raw in [
        "5\nhello\r\n0\r\n\r\n",
        "5\rhello\r\n0\r\n\r\n",
        "5\r\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello \r\n0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\r\nhell\r\n0\r\n\r\n",
        "5\r\nhello\r\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\n\r\n",
        "5\r\nhello\r\n0\r\n\n",
        "5\r\nhello\r\n0\r\n\rX",
        "5\r\nhello\r\n\r\n0\r\n\r\n",
        "5\r\nhello\n\r0\r\n\r\n",
        "5\r\nhello\r\n0\r\r\n\r\n",
    ] {
        assert!(chunked(raw).is_err(), "{}", raw.escape_default());
    }
}

#[test]
fn h5_a_body_that_breaks_off_never_ends_cleanly() {
    let raw = "5\r\nhello\r\n0\r\nX: y\r\n\r\n";
    for len in 0..raw.len() {
        let mut decoder = BodyDecoder::new(BodyLength::Unknown);
        let mut input = BytesMut::from(&raw[..len]);
        while decoder.decode(&mut input, &Limits::DEFAULT).unwrap().is_some() {}
        assert_eq!(decoder.close().unwrap_err(), Refusal::Truncated, "{len}");
    }
    let mut decoder = BodyDecoder::new(BodyLength::Length(2));
    assert_eq!(decoder.close().unwrap_err(), Refusal::Truncated);
    assert!(matches!(BodyDecoder::new(BodyLength::UntilClose).close(), Ok(Some(BodyPart::End))));
}

#[test]
fn h12_trailers_that_frame_route_or_authenticate_are_dropped() {
    for name in [
        "Content-Length",
        "Transfer-Encoding",
        "Host",
        "Connection",
        "Authorization",
        "Cookie",
        "Set-Cookie",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Real-IP",
        "Forwarded",
        "True-Client-IP",
        "CF-Connecting-IP",
        "X-Original-URL",
        "X-Rewrite-URL",
        "Content-Type",
        "Content-Encoding",
        "Content-Range",
        "Cache-Control",
        "Expect",
        "Trailer",
        "TE",
        "Upgrade",
        "Proxy-Authorization",
        "Location",
        "Date",
        "Vary",
        "If-Match",
        "Via",
        "Traceparent",
        "X-Http-Method-Override",
        "Sec-WebSocket-Key",
        "Access-Control-Allow-Origin",
        "Keep-Alive",
        "Range",
        "Proxy-Status",
    ] {
        assert!(!is_trailer_allowed(name.to_ascii_lowercase().as_bytes()), "{name}");
        let ((_, trailers, ended), _) = chunked(format!("0\r\n{name}: 1\r\nGrpc-Status: 0\r\n\r\n")).unwrap();
        assert!(ended);
        assert_eq!(trailers, [("grpc-status".to_owned(), "0".to_owned())], "{name}");
    }
    for name in ["grpc-status", "grpc-message", "grpc-status-details-bin", "server-timing", "x-checksum", "my-key-bin"]
    {
        assert!(is_trailer_allowed(name.as_bytes()), "{name}");
    }
}

#[test]
fn h12_trailer_sections_are_as_strict_as_heads() {
    for (section, refusal) in [
        ("X : y\r\n", Refusal::FieldName),
        ("X\r\n", Refusal::FieldName),
        (" X: y\r\n", Refusal::FoldedLine),
        ("X: y\r\n z\r\n", Refusal::FoldedLine),
        ("X: y\n", Refusal::BareLineBreak),
        ("X: \0\r\n", Refusal::ControlCharacter),
        ("X_Y: z\r\n", Refusal::Underscore),
        ("GET / HTTP/1.1\r\n", Refusal::FieldName),
    ] {
        assert_eq!(chunked(format!("0\r\n{section}\r\n")).unwrap_err(), refusal, "{section}");
    }
    assert_eq!(chunked(format!("0\r\n{}\r\n", "X: y\r\n".repeat(101))).unwrap_err(), Refusal::TooManyFields);
    assert_eq!(chunked(format!("0\r\nX: {}\r\n\r\n", "y".repeat(40_000))).unwrap_err(), Refusal::HeadTooLarge);
}

#[test]
fn what_is_encoded_is_decoded() {
    let trailers: Fields = [(&b"grpc-status"[..], &b"0"[..])].into_iter().collect();
    for length in [BodyLength::Unknown, BodyLength::Length(11)] {
        let mut out = BytesMut::new();
        let mut encoder = BodyEncoder::new(length);
        for piece in ["hello", "", " ", "world"] {
            encoder.append(piece.as_bytes(), &mut out).unwrap();
        }
        encoder.end(Some(&trailers), &mut out).unwrap();
        let ((body, found, ended), rest) = decode(length, &out).unwrap();
        assert_eq!((&body[..], ended, rest.len()), (&b"hello world"[..], true, 0));
        assert_eq!(found.len(), usize::from(length == BodyLength::Unknown));
    }
}

#[test]
fn a_body_of_another_length_than_announced_is_an_error() {
    let mut out = BytesMut::new();
    assert!(BodyEncoder::new(BodyLength::Length(2)).append(b"abc", &mut out).is_err());
    assert!(BodyEncoder::new(BodyLength::Length(2)).end(None, &mut out).is_err());
    assert!(BodyEncoder::new(BodyLength::None).append(b"a", &mut out).is_err());
    assert!(out.is_empty());
    assert!(BodyEncoder::new(BodyLength::None).end(None, &mut out).is_ok());
}
