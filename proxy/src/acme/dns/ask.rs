//! One question to one server, with a deadline: by UDP, and by TCP where the answer is cut or none comes (RFC 7766).

use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// How long an answer by UDP may take; there are two tries.
const BY_UDP: Duration = Duration::from_secs(2);
/// How long an exchange by TCP may take.
const BY_TCP: Duration = Duration::from_secs(5);
/// The longest answer by UDP that is read: no server sends more without being asked to.
const DATAGRAM: usize = 1500;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(in crate::acme) enum AskError {
    /// Nothing came, or nothing that is an answer.
    #[error("{server}: {why}")]
    NoAnswer {
        /// Who was asked.
        server: String,
        /// What went wrong.
        why: String,
    },
    /// The server does not answer for this name.
    #[error("{server} says {code}")]
    Refused {
        /// Who was asked.
        server: String,
        /// What it said.
        code: ResponseCode,
    },
}

impl AskError {
    fn new(server: &dyn ToString, why: &dyn ToString) -> Self {
        Self::NoAnswer { server: server.to_string(), why: why.to_string() }
    }

    /// A server without an address.
    pub(super) fn none(server: &str) -> Self {
        Self::new(&server, &"it has no address")
    }
}

/// A name, absolute.
pub(super) fn name_of(text: &str) -> Result<Name, super::DnsError> {
    let name = Name::from_ascii(text).map_err(|_| super::DnsError::Name(text.to_owned()));
    name.map(|mut name| {
        name.set_fqdn(true);
        name
    })
}

/// Asks a server. That a name is not there is an answer; that the server does not want to say is none.
pub(super) async fn ask(
    server: SocketAddr,
    name: &Name,
    kind: RecordType,
    recursive: bool,
) -> Result<Message, AskError> {
    let mut question = Message::query();
    question.metadata.recursion_desired = recursive;
    question.add_query(Query::query(name.clone(), kind));
    let sent = question.to_vec().map_err(|error| AskError::new(&server, &error))?;
    let mut answer = None;
    for _ in 0..2 {
        match timeout(BY_UDP, by_udp(server, &sent, &question)).await {
            Ok(Ok(one)) => {
                answer = Some(one).filter(|one| !one.truncation);
                break;
            }
            Ok(Err(_)) => break,
            Err(_) => {}
        }
    }
    let answer = if let Some(answer) = answer {
        answer
    } else {
        let bytes = by_tcp(server, &sent).await?;
        read(&bytes, &question).ok_or_else(|| AskError::new(&server, &"no answer that can be read"))?
    };
    let code = answer.response_code;
    if code == ResponseCode::NoError || code == ResponseCode::NXDomain {
        return Ok(answer);
    }
    Err(AskError::Refused { server: server.to_string(), code })
}

/// Whether a server shows a text under a name.
pub(super) async fn shows(server: SocketAddr, name: &str, text: &str) -> Result<bool, AskError> {
    let name = name_of(name).map_err(|error| AskError::new(&server, &error))?;
    let answer = ask(server, &name, RecordType::TXT, false).await?;
    let is_it =
        |data: &RData| if let RData::TXT(txt) = data { txt.txt_data.concat() == text.as_bytes() } else { false };
    Ok(answer.answers.iter().any(|record| record.name == name && is_it(&record.data)))
}

async fn by_udp(server: SocketAddr, sent: &[u8], question: &Message) -> std::io::Result<Message> {
    let from: SocketAddr = if server.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = UdpSocket::bind(from).await?;
    socket.connect(server).await?;
    socket.send(sent).await?;
    let mut buffer = [0; DATAGRAM];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if let Some(answer) = read(&buffer[..length], question) {
            return Ok(answer);
        }
    }
}

/// Sends a message by TCP; the answer as it came.
pub(super) async fn by_tcp(server: SocketAddr, message: &[u8]) -> Result<Vec<u8>, AskError> {
    let exchange = async {
        let mut stream = TcpStream::connect(server).await?;
        let length = u16::try_from(message.len()).map_err(std::io::Error::other)?;
        stream.write_all(&[&length.to_be_bytes(), message].concat()).await?;
        let length = stream.read_u16().await?;
        let mut answer = vec![0; length.into()];
        stream.read_exact(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    match timeout(BY_TCP, exchange).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(AskError::new(&server, &error)),
        Err(_) => Err(AskError::new(&server, &format!("no answer within {} s", BY_TCP.as_secs()))),
    }
}

/// An answer to this question; anything else is not ours.
fn read(bytes: &[u8], question: &Message) -> Option<Message> {
    let answer = Message::from_vec(bytes).ok()?;
    let ours =
        answer.id == question.id && answer.message_type == MessageType::Response && answer.queries == question.queries;
    ours.then_some(answer)
}
