//! HTTP/2 by hand: frames that no library would send, and what comes back.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::client::{Client, Protocol};
use crate::site::HOST;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

/// A frame that was received.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) kind: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

pub(crate) struct Reader(ReadHalf<TlsStream<TcpStream>>);
pub(crate) struct Writer(WriteHalf<TlsStream<TcpStream>>);

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("small").to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A request head in HPACK (RFC 7541) without Huffman codes or a dynamic table.
pub(crate) fn head(path: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x87];
    for (index, value) in [(4, path), (1, HOST)] {
        block.extend([index, u8::try_from(value.len()).expect("short")]);
        block.extend(value.as_bytes());
    }
    block
}

/// A connection with both prefaces sent: large windows, and nothing is acknowledged on its own.
pub(crate) async fn connect(client: &Client) -> io::Result<(Reader, Writer)> {
    let (read, write) = tokio::io::split(client.tls(Protocol::H2).await?);
    let mut writer = Writer(write);
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    let large_window = [[0, 4].as_slice(), &(1u32 << 30).to_be_bytes()].concat();
    bytes.extend(frame(SETTINGS, 0, 0, &large_window));
    bytes.extend(frame(WINDOW_UPDATE, 0, 0, &(1u32 << 30).to_be_bytes()));
    writer.send(&bytes).await?;
    Ok((Reader(read), writer))
}

impl Writer {
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).await?;
        self.0.flush().await
    }
}

impl Reader {
    /// The next frame; `None` at the end of the connection, clean or not.
    pub(crate) async fn next(&mut self) -> Option<Received> {
        let mut header = [0; 9];
        self.0.read_exact(&mut header).await.ok()?;
        let [a, b, c, kind, _, stream @ ..] = header;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.0.read_exact(&mut payload).await.ok()?;
        Some(Received { kind, stream: u32::from_be_bytes(stream), payload })
    }

    /// Reads until GOAWAY and gives its error code; `None` when the connection ends without one.
    pub(crate) async fn goaway(&mut self, within: Duration) -> Option<u32> {
        let reading = async {
            while let Some(received) = self.next().await {
                if received.kind == GOAWAY {
                    return Some(u32::from_be_bytes(received.payload[4..8].try_into().expect("a GOAWAY")));
                }
            }
            None
        };
        tokio::time::timeout(within, reading).await.expect("GOAWAY or the end of the connection")
    }
}
