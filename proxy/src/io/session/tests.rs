use std::sync::Arc;

use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use super::*;

fn configs() -> (Arc<ClientConfig>, Arc<ServerConfig>) {
    let made = rcgen::generate_simple_self_signed(vec!["a.test".into()]).unwrap();
    let certificate = made.cert.der().clone();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into();
    let server = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    (Arc::new(client), Arc::new(server))
}

/// Hands `sealed` to a session in pieces of `size`, as reads would bring them.
fn feed(to: &mut Session, sealed: &[u8], size: usize, plain: &mut BytesMut) -> io::Result<()> {
    let mut scratch = Scratch::new();
    for piece in sealed.chunks(size) {
        let staged = to.stage(&mut scratch.sealed);
        let end = staged + piece.len();
        scratch.sealed[staged..end].copy_from_slice(piece);
        to.open(&mut scratch.sealed[..end], plain)?;
    }
    Ok(())
}

/// Two ends after their handshake, whose bytes came in pieces of `size`.
fn pair(size: usize) -> (Session, Session) {
    let (client, server) = configs();
    let mut client = Session::client(client, "a.test".try_into().unwrap()).unwrap();
    let mut server = Session::server(server).unwrap();
    let mut nothing = BytesMut::new();
    while client.state().is_handshaking() || server.state().is_handshaking() || !server.outgoing.is_empty() {
        let (to_server, to_client) = (client.outgoing.split(), server.outgoing.split());
        assert!(!to_server.is_empty() || !to_client.is_empty(), "the handshake goes on");
        feed(&mut server, &to_server, size, &mut nothing).unwrap();
        feed(&mut client, &to_client, size, &mut nothing).unwrap();
    }
    assert!(nothing.is_empty());
    (client, server)
}

fn sealed(by: &mut Session, slices: &[&[u8]]) -> Vec<u8> {
    let slices: Vec<_> = slices.iter().map(|slice| IoSlice::new(slice)).collect();
    let mut scratch = Scratch::new();
    let (taken, made) = by.seal(&slices, &mut scratch).unwrap();
    assert_eq!(taken, slices.iter().map(|slice| slice.len()).sum::<usize>());
    scratch.sealed[..made].to_vec()
}

#[test]
fn it_does_not_matter_how_reads_cut_the_ciphertext() {
    for size in [1, 7, 1000, 100_000] {
        let (mut client, mut server) = pair(size);
        let long = vec![7; 40_000];
        let bytes = sealed(&mut client, &[b"head", &long, b"tail"]);
        let mut plain = BytesMut::new();
        feed(&mut server, &bytes, size.max(100), &mut plain).unwrap();
        assert_eq!(plain, [b"head", &long[..], b"tail"].concat());
    }
}

#[test]
fn nothing_is_held_between_messages_and_only_the_rest_of_one_within() {
    let (mut client, mut server) = pair(100_000);
    let bytes = sealed(&mut client, &[b"a message"]);
    let mut plain = BytesMut::new();
    feed(&mut server, &bytes[..10], 10, &mut plain).unwrap();
    assert!(server.has_partial() && plain.is_empty());
    feed(&mut server, &bytes[10..], 1000, &mut plain).unwrap();
    assert_eq!(plain, &b"a message"[..]);
    assert_eq!((server.partial.capacity(), server.outgoing.len()), (0, 0));
}

#[test]
fn an_end_that_was_not_announced_is_an_error_and_an_announced_one_is_not() {
    let (mut client, mut server) = pair(100_000);
    assert_eq!(server.cut().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    client.close();
    let goodbye = client.outgoing.split();
    feed(&mut server, &goodbye, 1000, &mut BytesMut::new()).unwrap();
    assert!(server.ended);
    server.cut().unwrap();
    // The other direction goes on.
    let bytes = sealed(&mut server, &[b"last words"]);
    let mut plain = BytesMut::new();
    feed(&mut client, &bytes, 1000, &mut plain).unwrap();
    assert_eq!(plain, &b"last words"[..]);
}

#[test]
fn who_breaks_the_protocol_is_told_so() {
    let (mut client, mut server) = pair(100_000);
    let mut bytes = sealed(&mut client, &[b"a message"]);
    *bytes.last_mut().unwrap() ^= 1;
    let error = feed(&mut server, &bytes, 1000, &mut BytesMut::new()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert!(!server.outgoing.is_empty(), "an alert waits to be sent");
}

#[test]
fn a_message_that_grows_without_end_is_refused() {
    let (_, config) = configs();
    let mut server = Session::server(config).unwrap();
    // A handshake message of 65,000 bytes in records of 16,000, which never ends.
    let mut first = vec![22, 3, 1, 0x3e, 0x80, 1, 0, 0xfd, 0xe8];
    first.resize(5 + 16_000, 0);
    let mut more = vec![22, 3, 1, 0x3e, 0x80];
    more.resize(5 + 16_000, 0);
    let mut result = Ok(());
    for record in [&first, &more, &more] {
        result = result.and_then(|()| feed(&mut server, record, 100_000, &mut BytesMut::new()));
    }
    assert_eq!(result.unwrap_err().kind(), io::ErrorKind::InvalidData);
}

#[test]
fn every_record_but_the_last_is_full() {
    let long = vec![1; 40_000];
    let parts: [&[u8]; 5] = [b"head", &long[..20_000], b"", &long, b"tail"];
    let slices = parts.map(IoSlice::new);
    let (mut pieces, mut gathered) = (Pieces { slices: &slices, at: 0 }, vec![0; RECORD]);
    let (mut all, mut lengths) = (Vec::new(), Vec::new());
    loop {
        let record = pieces.next_record(&mut gathered);
        if record.is_empty() {
            break;
        }
        lengths.push(record.len());
        all.extend_from_slice(record);
    }
    assert_eq!(all, parts.concat());
    let last = lengths.pop().unwrap();
    assert!(last <= RECORD && lengths.iter().all(|length| *length == RECORD), "{lengths:?} {last}");
}
