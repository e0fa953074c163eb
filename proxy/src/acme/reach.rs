//! Whether a name leads to us, before the authority looks. At the start of a tier its Service and its load balancer take a while to lead
//! anywhere, and a proof that fails counts against the authority's limits.
//!
//! What is seen from here need not be what the authority sees: names may mean something else within, and the way to one's own address
//! may be closed. So after a while the authority is asked all the same.

use std::time::Duration;

use bailey_acme::challenge::HTTP_PREFIX;
use bailey_acme::names::Challenge;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

/// How long the name may take to lead here.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// How long one look may take.
const LOOK: Duration = Duration::from_secs(3);
/// The most that is read of an answer.
const ANSWER: u64 = 8 * 1024;

/// Waits until the name leads to the proof of this token, or long enough.
pub(super) async fn wait(challenge: Challenge, host: &str, token: &str, proof: &str) {
    let until = Instant::now() + PATIENCE;
    loop {
        let seen = match challenge {
            Challenge::Http01 => timeout(LOOK, by_http(host, 80, token, proof)).await,
            Challenge::TlsAlpn01 => timeout(LOOK, by_connection(host, 443)).await,
            // It is seen at the name servers.
            Challenge::Dns01 => return,
        };
        let why = match seen {
            Ok(Ok(())) => return,
            Ok(Err(why)) => why.to_string(),
            Err(_) => format!("no answer in {} s", LOOK.as_secs()),
        };
        if Instant::now() >= until {
            tracing::warn!(host, why, "the name does not lead here as seen from here; the authority looks now");
            return;
        }
        sleep(PAUSE).await;
    }
}

/// The answer to the authority's request is the proof.
async fn by_http(host: &str, port: u16, token: &str, proof: &str) -> std::io::Result<()> {
    let mut stream = TcpStream::connect((host, port)).await?;
    let request = format!("GET {HTTP_PREFIX}{token} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER).read_to_end(&mut answer).await?;
    let ours = answer.ends_with(proof.as_bytes());
    ours.then_some(()).ok_or_else(|| std::io::Error::other("somebody else answers on port 80"))
}

/// Somebody takes connections.
async fn by_connection(host: &str, port: u16) -> std::io::Result<()> {
    TcpStream::connect((host, port)).await.map(drop)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// A server that answers every request with this.
    async fn answering(body: &'static str) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 1024];
                let read = stream.read(&mut request).await.unwrap();
                let asked = request[..read].starts_with(b"GET /.well-known/acme-challenge/token HTTP/1.1\r\n");
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                stream.write_all(if asked { answer.as_bytes() } else { b"" }).await.unwrap();
            }
        });
        port
    }

    #[tokio::test]
    async fn only_the_proof_itself_shows_that_a_name_leads_here() {
        let (ours, theirs) = (answering("token.thumb").await, answering("welcome to nginx").await);
        by_http("127.0.0.1", ours, "token", "token.thumb").await.unwrap();
        let other = by_http("127.0.0.1", theirs, "token", "token.thumb").await.unwrap_err();
        assert!(other.to_string().contains("somebody else"), "{other}");
        by_connection("127.0.0.1", ours).await.unwrap();
        // Nobody listens on a port that was given back.
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        assert!(by_http("127.0.0.1", free, "token", "token.thumb").await.is_err());
        assert!(by_connection("127.0.0.1", free).await.is_err());
    }
}
