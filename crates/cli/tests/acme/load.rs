//! Clients that go on while certificates come and go: some connect anew for each request, with and without a session from before, some
//! keep a connection.

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::pki_types::CertificateDer;

use super::client::{Stream, ask, config, status, tls};
use super::site::trusted;

/// Between two requests of a client: the load is there all the time, and leaves the machine to those who make certificates.
const PACE: Duration = Duration::from_millis(10);

/// Clients at work.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Tally>>,
}

/// What became of their requests.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) handshakes: usize,
    pub(crate) requests: usize,
    /// What was not answered with 200, and why.
    pub(crate) lost: Vec<String>,
}

struct Client {
    config: Arc<ClientConfig>,
    hosts: Arc<[String]>,
    port: u16,
    next: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    tally: Tally,
}

impl Load {
    /// Asks for all hosts in turn, and takes no certificate that does not lead to this root.
    pub(crate) fn start(hosts: &[String], port: u16, root: &CertificateDer<'static>) -> Self {
        let (stop, next, hosts) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default(), Arc::from(hosts));
        let client = |resumes: bool| {
            let mut config = config(trusted(root));
            if !resumes {
                Arc::make_mut(&mut config).resumption = Resumption::disabled();
            }
            let (hosts, next, stop) = (Arc::clone(&hosts), next.clone(), stop.clone());
            Client { config, hosts, port, next, stop, tally: Tally::default() }
        };
        let (anew, resuming, keeping) = (client(false), client(true), client(false));
        let clients = vec![
            std::thread::spawn(move || anew.connects()),
            std::thread::spawn(move || resuming.connects()),
            std::thread::spawn(move || keeping.keeps()),
        ];
        Self { stop, clients }
    }

    /// Ends it.
    pub(crate) fn stop(self) -> Tally {
        self.stop.store(true, Relaxed);
        let mut all = Tally::default();
        for client in self.clients {
            let one = client.join().unwrap();
            all.handshakes += one.handshakes;
            all.requests += one.requests;
            all.lost.extend(one.lost);
        }
        all
    }
}

impl Client {
    fn ended(&self) -> bool {
        std::thread::sleep(PACE);
        self.stop.load(Relaxed)
    }

    /// A new connection for each request.
    fn connects(mut self) -> Tally {
        while !self.ended() {
            let host = self.hosts[self.next.fetch_add(1, Relaxed) % self.hosts.len()].clone();
            let Some(mut stream) = self.connect(&host) else { continue };
            self.count(&host, &ask(&mut stream, &host, "/"));
        }
        self.tally
    }

    /// One connection for each host, kept to the end.
    fn keeps(mut self) -> Tally {
        let hosts = self.hosts.clone();
        let mut streams: Vec<_> = hosts.iter().filter_map(|host| Some((host, self.connect(host)?))).collect();
        while self.tally.lost.is_empty() {
            for (host, stream) in &mut streams {
                if self.ended() {
                    return self.tally;
                }
                let answer = head(stream, host).unwrap_or_else(|error| error.to_string());
                self.count(host, &answer);
            }
        }
        self.tally
    }

    fn connect(&mut self, host: &str) -> Option<Stream> {
        self.tally.handshakes += 1;
        let stream = tls(&self.config, host, self.port);
        stream.map_err(|error| self.tally.lost.push(format!("{host}: handshake: {error}"))).ok()
    }

    fn count(&mut self, host: &str, answer: &str) {
        self.tally.requests += 1;
        if status(answer) != 200 {
            self.tally.lost.push(format!("{host}: {answer}"));
        }
    }
}

/// The head of an answer on a connection that goes on.
fn head(stream: &mut Stream, host: &str) -> std::io::Result<String> {
    write!(stream, "HEAD / HTTP/1.1\r\nhost: {host}\r\n\r\n")?;
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        answer.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
