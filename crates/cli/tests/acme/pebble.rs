//! Pebble and the name server of its challenge test server, each a process of one test.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// An authority.
pub(crate) struct Pebble {
    children: Vec<Child>,
    log: Arc<Mutex<String>>,
    folder: tempfile::TempDir,
    api: CertificateDer<'static>,
    port: u16,
    management: u16,
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
    /// Starts it. It looks for proofs at the first two of `ports` (http, https), and refuses this share of nonces, in
    /// percent.
    pub(crate) fn start(ports: &[u16], refused_nonces: u32) -> Self {
        let programs: PathBuf = std::env::var_os("BAILEY_ACME_PROGRAMS").expect("run this by `make acme`").into();
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        let own = free_ports(4);
        let (port, management, dns, dns_management) = (own[0], own[1], own[2], own[3]);
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
        }});
        std::fs::write(at("config.json"), config.to_string()).unwrap();
        let log = Arc::<Mutex<String>>::default();
        let mut names = Command::new(programs.join("pebble-challtestsrv"));
        let dns = format!("127.0.0.1:{dns}");
        names.args(["-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-dnsserver", &dns, "-doh", ""]);
        names.args(["-http01", "", "-https01", "", "-tlsalpn01", ""]);
        names.args(["-management", &format!("127.0.0.1:{dns_management}")]);
        let mut authority = Command::new(programs.join("pebble"));
        authority.args(["-strict", "-config", &at("config.json"), "-dnsserver", &dns]);
        authority.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_AUTHZREUSE", "0");
        authority.env("PEBBLE_WFE_NONCEREJECT", refused_nonces.to_string());
        let children = vec![spawn(names, &log), spawn(authority, &log)];
        let pebble = Self { children, log, folder, api: certificate.der().clone(), port, management };
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
        let mut stream = tls(roots, "localhost", self.management).unwrap();
        stream.write_all(b"GET /roots/0 HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        // Whether the server says goodbye by TLS does not matter.
        let _ = stream.read_to_end(&mut answer);
        CertificateDer::from_pem_slice(&answer).unwrap()
    }

    /// How many orders it has taken.
    pub(crate) fn orders(&self) -> usize {
        self.log().lines().filter(|line| line.contains("Added order")).count()
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

/// A connection to loopback by TLS, with the handshake done.
pub(crate) fn tls(
    roots: RootCertStore,
    host: &str,
    port: u16,
) -> std::io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let mut session = ClientConnection::new(Arc::new(config), name).map_err(std::io::Error::other)?;
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    while session.is_handshaking() {
        session.complete_io(&mut stream)?;
    }
    Ok(StreamOwned::new(session, stream))
}
