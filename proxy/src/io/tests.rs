use super::*;
use std::future::poll_fn;
use std::sync::Arc;

use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connect = TcpStream::connect(listener.local_addr().unwrap());
    let (client, server) = tokio::join!(connect, listener.accept());
    (client.unwrap(), server.unwrap().0)
}

fn tls(client: TcpStream, server: TcpStream) -> (Io, Io) {
    let made = rcgen::generate_simple_self_signed(vec!["a.test".into()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into();
    let server_config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let client_config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = "a.test".try_into().unwrap();
    (
        Io::tls(client, Session::client(Arc::new(client_config), name).unwrap()),
        Io::tls(server, Session::server(Arc::new(server_config)).unwrap()),
    )
}

async fn send(io: &mut Io, parts: &[&'static [u8]]) {
    for part in parts {
        io.queue_bytes(Bytes::from_static(part));
    }
    poll_fn(|cx| io.poll_shutdown(cx)).await.unwrap();
}

async fn receive(io: &mut Io) -> Vec<u8> {
    let mut all = BytesMut::new();
    while poll_fn(|cx| io.poll_read(cx, &mut all, 4096)).await.unwrap() > 0 {}
    all.to_vec()
}

static LONG: [u8; 300_000] = [7; 300_000];

#[tokio::test]
async fn plain_pieces_arrive_in_order_whatever_their_size() {
    let (client, server) = pair().await;
    let (mut client, mut server) = (Io::plain(client), Io::plain(server));
    let parts: [&[u8]; 4] = [b"head", &LONG, b"", b"tail"];
    let ((), got) = tokio::join!(send(&mut client, &parts), receive(&mut server));
    assert_eq!(got, parts.concat());
    assert_eq!(client.unsent(), 0);
}

#[tokio::test]
async fn tls_pieces_arrive_in_order_both_ways() {
    let (client, server) = pair().await;
    let (mut client, mut server) = tls(client, server);
    let (a, b) = tokio::join!(poll_fn(|cx| client.poll_handshake(cx)), poll_fn(|cx| server.poll_handshake(cx)));
    a.unwrap();
    b.unwrap();
    let parts: [&[u8]; 4] = [b"head", &LONG, b"", b"tail"];
    let ((), got) = tokio::join!(send(&mut client, &parts), receive(&mut server));
    assert_eq!(got, parts.concat());
    let ((), got) = tokio::join!(send(&mut server, &parts), receive(&mut client));
    assert_eq!(got, parts.concat());
}

#[tokio::test]
async fn a_tls_connection_cut_without_goodbye_is_an_error() {
    let (client, server) = pair().await;
    let (mut client, mut server) = tls(client, server);
    let (a, b) = tokio::join!(poll_fn(|cx| client.poll_handshake(cx)), poll_fn(|cx| server.poll_handshake(cx)));
    a.unwrap();
    b.unwrap();
    client.queue(b"half of it");
    poll_fn(|cx| client.poll_flush(cx)).await.unwrap();
    AsyncWriteExt::shutdown(&mut client.stream).await.unwrap();
    let mut all = BytesMut::new();
    let error = loop {
        match poll_fn(|cx| server.poll_read(cx, &mut all, 4096)).await {
            Ok(0) => panic!("taken for a clean end"),
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(&all[..], b"half of it");
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn the_async_traits_carry_bytes_over_tls() {
    let (client, server) = pair().await;
    let (mut client, mut server) = tls(client, server);
    let (a, b) = tokio::join!(poll_fn(|cx| client.poll_handshake(cx)), poll_fn(|cx| server.poll_handshake(cx)));
    a.unwrap();
    b.unwrap();
    let sending = async {
        AsyncWriteExt::write_all(&mut client, &LONG).await.unwrap();
        AsyncWriteExt::shutdown(&mut client).await.unwrap();
    };
    let mut got = Vec::new();
    let receiving = AsyncReadExt::read_to_end(&mut server, &mut got);
    let ((), read) = tokio::join!(sending, receiving);
    read.unwrap();
    assert_eq!(got, LONG);
}
