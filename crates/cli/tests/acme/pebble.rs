//! Pebble and its name server (`tests/cluster/go/acme`), each a process of one test.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::client::{config, tls};

/// The zone of all names.
pub(crate) const ZONE: &str = "test";
/// The key of updates of the zone (RFC 8945): its name and its secret, in base64.
pub(crate) const UPDATE_KEY: (&str, &str) = ("updates", "c2VlbiBieSBubyBvbmUgYnV0IHRoZSBuYW1lIHNlcnZlcg==");

/// Its profiles, which differ by nothing but their names.
pub(crate) const PROFILES: [&str; 2] = ["one", "other"];

/// How it behaves.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ways {
    /// The share of nonces that it refuses, in percent.
    pub(crate) refused_nonces: u32,
    /// It looks at proofs up to so many seconds after it was told to.
    pub(crate) slow: u32,
}

/// An authority.
pub(crate) struct Pebble {
    children: Vec<Child>,
    log: Arc<Mutex<String>>,
    folder: tempfile::TempDir,
    api: CertificateDer<'static>,
    port: u16,
    management: u16,
    dns: String,
}

/// Ports of loopback that nobody listens on, each given once: below those that the system gives to connections, or one of these could
/// take a port between this look and the start of the program that it is for.
pub(crate) fn free_ports(count: usize) -> Vec<u16> {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let next =
        || 10_000 + (std::process::id().wrapping_mul(97).wrapping_add(GIVEN.fetch_add(1, Relaxed)) % 20_000) as u16;
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(next).filter(is_free).take(count).collect()
}

impl Pebble {
    /// Starts it. It looks for proofs at the first two of `ports` (http, https).
    pub(crate) fn start(ports: &[u16], ways: Ways) -> Self {
        let programs: PathBuf = std::env::var_os("BAILEY_ACME_PROGRAMS").expect("run this by `make acme`").into();
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        let own = free_ports(3);
        let (port, management) = (own[0], own[1]);
        let at = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(at("api.pem"), certificate.pem()).unwrap();
        std::fs::write(at("api.key"), key.serialize_pem()).unwrap();
        let config = serde_json::json!({"pebble": {
            "listenAddress": format!("127.0.0.1:{port}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": at("api.pem"),
            "privateKey": at("api.key"),
            "httpPort": ports[0],
            "tlsPort": ports[1],
            "retryAfter": {"authz": 1, "order": 1},
            "keyAlgorithm": "ecdsa",
            "profiles": PROFILES.map(|name| (name, serde_json::json!({"description": name}))).into_iter().collect::<HashMap<_, _>>(),
        }});
        std::fs::write(at("config.json"), config.to_string()).unwrap();
        let log = Arc::<Mutex<String>>::default();
        let mut names = Command::new(programs.join("names"));
        let dns = format!("127.0.0.1:{}", own[2]);
        names.args(["-zone", ZONE, "-listen", &dns, "-self", "127.0.0.1", "-target", "127.0.0.1"]);
        names.args(["-key", UPDATE_KEY.0]);
        names.env("NAMES_KEY", UPDATE_KEY.1);
        let mut authority = Command::new(programs.join("pebble"));
        authority.args(["-strict", "-config", &at("config.json"), "-dnsserver", &dns]);
        authority.env("PEBBLE_AUTHZREUSE", "0").env("PEBBLE_WFE_NONCEREJECT", ways.refused_nonces.to_string());
        match ways.slow {
            0 => authority.env("PEBBLE_VA_NOSLEEP", "1"),
            slow => authority.env("PEBBLE_VA_SLEEPTIME", slow.to_string()),
        };
        let children = vec![spawn(names, &log), spawn(authority, &log)];
        let pebble = Self { children, log, folder, api: certificate.der().clone(), port, management, dns };
        pebble.wait_until_it_answers();
        pebble
    }

    fn wait_until_it_answers(&self) {
        for _ in 0..600 {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok()
                && TcpStream::connect(("127.0.0.1", self.management)).is_ok()
            {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("Pebble does not answer: {}", self.log());
    }

    /// Its directory.
    pub(crate) fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.port)
    }

    /// The file with the certificate of its API.
    pub(crate) fn roots(&self) -> PathBuf {
        self.folder.path().join("api.pem")
    }

    /// The root that it signs with.
    pub(crate) fn root(&self) -> CertificateDer<'static> {
        let mut roots = RootCertStore::empty();
        roots.add(self.api.clone()).unwrap();
        let mut stream = tls(&config(roots), "localhost", self.management).unwrap();
        stream.write_all(b"GET /roots/0 HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        // Whether the server says goodbye by TLS does not matter.
        let _ = stream.read_to_end(&mut answer);
        CertificateDer::from_pem_slice(&answer).unwrap()
    }

    /// The address of its name server.
    pub(crate) fn names(&self) -> &str {
        &self.dns
    }

    /// How many texts were set for proofs, and how many were taken away again.
    pub(crate) fn texts(&self) -> (usize, usize) {
        let log = self.log();
        (log.matches("text added").count(), log.matches("text removed").count())
    }

    /// How many orders it has taken.
    pub(crate) fn orders(&self) -> usize {
        self.log().matches("Added order").count()
    }

    /// How many proofs it was told to look at.
    pub(crate) fn proofs(&self) -> usize {
        self.log().matches("Pulled a task").count()
    }

    /// How many certificates it has signed.
    pub(crate) fn issued(&self) -> usize {
        self.log().matches("Issued certificate").count()
    }

    /// The tokens that it has looked for.
    pub(crate) fn tokens(&self) -> Vec<String> {
        let log = self.log();
        let found = log.split("/.well-known/acme-challenge/").skip(1);
        let token = |rest: &str| {
            rest.split(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c))).next().map(str::to_owned)
        };
        found.filter_map(token).filter(|token| token.len() > 20).collect()
    }

    /// What it has said.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Starts a program and collects what it says.
pub(crate) fn spawn(mut command: Command, log: &Arc<Mutex<String>>) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let outputs: [Box<dyn std::io::Read + Send>; 2] =
        [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
    for output in outputs {
        let to = log.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let mut log = to.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
    }
    child
}
