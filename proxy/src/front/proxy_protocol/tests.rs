use super::*;

/// Feeds a header as the front reads it, and gives what it says and how many bytes were taken.
fn read(bytes: &[u8]) -> Result<(Header, usize), Option<Invalid>> {
    let mut have = 0;
    loop {
        match step(&bytes[..have], 536).map_err(Some)? {
            Step::Done(header) => return Ok((header, have)),
            Step::Read(more) if have + more > bytes.len() => return Err(None),
            Step::Read(more) => {
                assert!(more > 0);
                have += more;
            }
        }
    }
}

fn v2(version: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let len = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [&SIGNATURE[..], &[version, family], &len, rest].concat()
}

fn proxied(source: &str, destination: &str) -> Header {
    Header::Proxied { source: source.parse().unwrap(), destination: destination.parse().unwrap() }
}

#[test]
fn version_1_gives_the_address_and_takes_nothing_that_follows() {
    let line = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n";
    let all = [&line[..], b"\x16\x03\x01GET / HTTP/1.1\r\n"].concat();
    assert_eq!(read(&all), Ok((proxied("192.0.2.7:56324", "198.51.100.1:443"), line.len())));
    let line = b"PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n";
    assert_eq!(read(line), Ok((proxied("[2001:db8::1]:1", "[2001:db8::2]:65535"), line.len())));
    assert_eq!(read(b"PROXY UNKNOWN\r\nGET"), Ok((Header::Local, 15)));
    assert_eq!(read(b"PROXY UNKNOWN ffff::1 x\r\nGET"), Ok((Header::Local, 25)));
}

#[test]
fn version_2_gives_the_address_and_skips_extensions() {
    let v4 = [192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x34, 1, 0xbb];
    let header = proxied("192.0.2.7:4660", "198.51.100.1:443");
    assert_eq!(read(&v2(0x21, 0x11, &v4)), Ok((header, 28)));
    let extended = v2(0x21, 0x11, &[&v4[..], &[4, 0, 1, 9]].concat());
    assert_eq!(read(&[&extended[..], b"GET"].concat()), Ok((header, 32)));
    let v6 = [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[1], &[0; 15], &[1], &[0, 80, 0, 90]].concat();
    assert_eq!(read(&v2(0x21, 0x21, &v6)), Ok((proxied("[2001:db8::1]:80", "[::1]:90"), 52)));
    assert_eq!(read(&v2(0x20, 0x00, &[])), Ok((Header::Local, 16)));
    assert_eq!(read(&v2(0x21, 0x00, &[1, 2])), Ok((Header::Local, 18)));
}

#[test]
fn what_is_no_strict_header_is_refused() {
    let lines: [&[u8]; 12] = [
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03abcdefgh",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\n",
        b"PROXY TCP4 192.0.2.07 198.51.100.1 56324 443\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 056324 443\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 +5632 443\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n",
        b"PROXY TCP4 192.0.2.7  198.51.100.1 1 443\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 1 443 5\r\n",
        b"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
        b"PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n",
        b"proxy TCP4 192.0.2.7 198.51.100.1 1 2\r\n",
    ];
    for line in lines {
        let more = [line, b"GET"].concat();
        assert_eq!(read(&more), Err(Some(Invalid)), "{}", String::from_utf8_lossy(line));
    }
    let long = [b"PROXY TCP4 ", &[b'1'; 200][..], b"\r\n"].concat();
    assert_eq!(read(&long), Err(Some(Invalid)));
    let v4 = [192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x34, 1, 0xbb];
    for (version, family, rest) in [
        (0x11, 0x11, &v4[..]),
        (0x22, 0x11, &v4),
        (0x21, 0x12, &v4),
        (0x21, 0x31, &[0; 216]),
        (0x21, 0x11, &v4[..8]),
        (0x21, 0x11, &[0; 521]),
    ] {
        assert_eq!(read(&v2(version, family, rest)), Err(Some(Invalid)), "{version:x} {family:x}");
    }
}

#[test]
fn a_header_cut_anywhere_only_asks_for_more() {
    let v4 = [192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x34, 1, 0xbb];
    for whole in [b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n".to_vec(), v2(0x21, 0x11, &v4)] {
        for cut in 0..whole.len() {
            assert_eq!(read(&whole[..cut]), Err(None), "cut at {cut}");
        }
    }
}
