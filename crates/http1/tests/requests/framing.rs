//! Content-Length and Transfer-Encoding.

use bailey_http1::{BodyLength, Refusal};

use super::{accept, get, post, refuse, refuse_all};

#[test]
fn h1_content_length_and_transfer_encoding_together_are_refused() {
    let lengths = ["Content-Length: 0", "Content-Length: 5", "content-length:5", "CONTENT-LENGTH:\t4 "];
    let encodings = ["Transfer-Encoding: chunked", "transfer-encoding:Chunked", "TRANSFER-ENCODING:  CHUNKED\t"];
    for length in lengths {
        for encoding in encodings {
            for lines in [
                format!("{length}\r\n{encoding}"),
                format!("{encoding}\r\n{length}"),
                format!("{length}\r\nX: y\r\n{encoding}"),
                format!("{encoding}\r\nX: y\r\n{length}"),
            ] {
                assert_eq!(refuse(post(&lines)), Refusal::LengthAndEncoding, "{lines}");
                assert_eq!(refuse(get(&lines)), Refusal::LengthAndEncoding, "{lines}");
            }
        }
    }
    assert_eq!(Refusal::LengthAndEncoding.status(), 400);
}

#[test]
fn h2_content_length_is_one_plain_decimal_number() {
    for value in [
        "",
        " ",
        "+1",
        "-1",
        "+0",
        "-0",
        "1,1",
        "1, 1",
        "1,2",
        ",1",
        "1,",
        "0x1",
        "0X10",
        "0x",
        "1e1",
        "1.0",
        "1 1",
        "1\t1",
        "01",
        "00",
        "0001",
        "010",
        "1_0",
        "1 ;a",
        "1;a",
        "'1'",
        "\"1\"",
        "one",
        "NaN",
        "1a",
        "a1",
        "١",
        "1\u{a0}",
        "10000000000000000000",
        "18446744073709551616",
        "99999999999999999999",
        "00000000000000000000",
        "%31",
        "1%",
        "(1)",
        "1=1",
        "1/1",
        "1:1",
        "0b1",
        "0o7",
        "Infinity",
        "--1",
        "1-",
        "1+",
        "²",
        "1,chunked",
        "null",
        "0 0",
    ] {
        let line = format!("Content-Length: {value}");
        let refusal = refuse(post(&line));
        assert_eq!(refusal, Refusal::ContentLength, "{line}");
        assert_eq!(refusal.status(), 400);
    }
    for (first, second) in [("5", "5"), ("5", "6"), ("0", "5"), ("5", "0"), ("0", "0"), ("5", "x")] {
        for between in ["", "X: y\r\n"] {
            let lines = format!("Content-Length: {first}\r\n{between}content-length: {second}");
            assert_eq!(refuse(post(&lines)), Refusal::ContentLength, "{lines}");
        }
    }
}

#[test]
fn h2_plain_content_lengths_are_read() {
    for (value, length) in [
        ("0", 0),
        ("1", 1),
        (" 5", 5),
        ("5 ", 5),
        ("\t42\t", 42),
        ("1234567890", 1_234_567_890),
        ("9999999999999999999", 9_999_999_999_999_999_999),
    ] {
        assert_eq!(accept(post(&format!("Content-Length:{value}"))).body, BodyLength::Length(length));
    }
}

#[test]
fn h3_transfer_encoding_is_one_line_chunked_or_nothing() {
    for value in [
        "",
        " ",
        ",",
        ",chunked",
        "chunked,",
        "chunked, chunked",
        "chunked,chunked",
        "chunked, identity",
        "chunked, gzip",
        "chunked;q=1",
        "chunked ;",
        "chunked;",
        ";chunked",
        "\"chunked\"",
        "'chunked\"",
        "chunked chunked",
        "chunked\tchunked",
        "chun ked",
        "chunked,,",
        ",,chunked",
        "gzip,,chunked",
        "gzip, ,chunked",
        "chunked\u{a0}",
        "\u{a0}chunked",
        "chunked,\tchunked",
        "[chunked]",
        "(chunked)",
        "chunked=1",
        "chunked/1",
        "chunked:1",
        "chunked\\",
        "ﾁhunked",
        "chunked@",
        "chunked?",
        "{chunked}",
        "<chunked>",
        "chunkedſ, chunked",
        "x=y, chunked",
        "gzip;level=1, chunked",
        "chunked, cow",
        "cow, chunked, chunked",
        "identity, chunked, identity",
        "chunKed,chunKed",
    ] {
        let line = format!("Transfer-Encoding: {value}");
        let refusal = refuse(post(&line));
        assert_eq!(refusal, Refusal::TransferEncoding, "{line}");
        assert_eq!(refusal.status(), 400);
    }
    for (first, second) in [
        ("chunked", "chunked"),
        ("chunked", "identity"),
        ("chunked", "gzip"),
        ("chunked", ""),
        ("chunked", "x"),
        ("CHUNKED", "Chunked"),
    ] {
        for between in ["", "X: y\r\n"] {
            let lines = format!("Transfer-Encoding: {first}\r\n{between}transfer-encoding: {second}");
            assert_eq!(refuse(post(&lines)), Refusal::TransferEncoding, "{lines}");
        }
    }
}

#[test]
fn h3_unknown_transfer_codings_are_not_implemented() {
    for value in [
        "gzip",
        "deflate",
        "compress",
        "identity",
        "gzip, chunked",
        "identity, chunked",
        "xchunked",
        "chunkedx",
        "x-chunked",
        "chunke",
        "hunked",
        "chunked-x",
        "cow",
        "gzip,deflate",
        "trailers",
        "identity,gzip, chunked",
        "null",
        "chunked1",
        "1chunked",
        "chunk",
        "_chunked",
        "chunked_",
    ] {
        let refusal = refuse(post(&format!("Transfer-Encoding: {value}")));
        assert_eq!((refusal, refusal.status()), (Refusal::UnknownCoding, 501), "{value}");
    }
}

#[test]
fn h3_obfuscated_transfer_encoding_names_are_refused_or_are_another_field() {
    refuse_all(
        [
            "Transfer-Encoding : chunked",
            "Transfer-Encoding\t: chunked",
            "Transfer Encoding: chunked",
            " Transfer-Encoding: chunked",
            "\tTransfer-Encoding: chunked",
            ": chunked",
            "Transfer-Encoding chunked",
            "Transfer-Encoding",
            "Transfer-Encoding;: chunked",
            "Transfer-Encoding\u{b}: chunked",
            "Transfer-Encoding\u{0}: chunked",
            "\u{0}Transfer-Encoding: chunked",
            "Tr\u{e4}nsfer-Encoding: chunked",
            "Transfer-Encoding\u{a0}: chunked",
            "\"Transfer-Encoding\": chunked",
            "(Transfer-Encoding): chunked",
            "X: y\r\n Transfer-Encoding: chunked",
            "Transfer-Encoding:\r\n chunked",
            "Transfer-Encoding: chunked\r\n\t",
            "Transfer-Encoding:\u{b}chunked",
            "Transfer-Encoding:\u{c}chunked",
            "Transfer-Encoding: chunked\u{b}",
            "Transfer-Encoding: chunked\u{0}",
            "Transfer-Encoding:\u{0}chunked",
            "Transfer-Encoding: \u{8}chunked",
            "Transfer-Encoding: chunked\u{7f}",
            "Transfer-Encoding: chun\u{1f}ked",
            "Transfer_Encoding: chunked",
            "TRANSFER_ENCODING: chunked",
            "X: y\nTransfer-Encoding: chunked",
            "X: y\rTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\nX: y",
            "Transfer-Encoding: chunked\r\r\nX: y",
            "Transfer-Encoding:\nchunked",
            "@Transfer-Encoding: chunked",
            "[Transfer-Encoding: chunked",
            "Transfer-Encoding\\: chunked",
        ],
        post,
        &[
            Refusal::FieldName,
            Refusal::FoldedLine,
            Refusal::ControlCharacter,
            Refusal::BareLineBreak,
            Refusal::Underscore,
            Refusal::TransferEncoding,
        ],
    );
    // An end-to-end field to us and to everybody who reads names exactly.
    for name in
        ["Transfer-Encodin", "Transfer-Encoding-", "X-Transfer-Encoding", "TransferEncoding", "Transfer--Encoding"]
    {
        let head = accept(post(&format!("{name}: chunked")));
        assert_eq!((head.body, head.fields.len()), (BodyLength::None, 1), "{name}");
    }
}

#[test]
fn h3_cve_2026_2835_transfer_encoding_in_http_1_0_is_refused() {
    for lines in [
        "Transfer-Encoding: chunked",
        "Connection: keep-alive\r\nTransfer-Encoding: chunked",
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: Chunked\r\nConnection: close",
    ] {
        let refusal = refuse(format!("POST / HTTP/1.0\r\nHost: a\r\n{lines}\r\n\r\n0\r\n\r\n"));
        assert_eq!((refusal, refusal.status()), (Refusal::TransferEncoding, 400), "{lines}");
    }
}

#[test]
fn h3_chunked_is_read_in_any_letters() {
    for value in ["chunked", "Chunked", "CHUNKED", " chunked", "chunked ", "\tchunked\t"] {
        assert_eq!(accept(post(&format!("Transfer-Encoding:{value}"))).body, BodyLength::Unknown);
    }
}
