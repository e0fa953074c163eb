//! A folder with tenants and names, and the program that runs it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use super::pebble::{Pebble, spawn, tls};

/// A folder and its state.
pub(crate) struct Site {
    kept: tempfile::TempDir,
    challenge: &'static str,
    names: RefCell<Vec<(&'static str, &'static str)>>,
}

impl Site {
    /// Tenants with a name each.
    pub(crate) fn new(challenge: &'static str, names: &[(&'static str, &'static str)]) -> Self {
        let kept = tempfile::tempdir().unwrap();
        let site = Self { kept, challenge, names: RefCell::new(names.to_vec()) };
        std::fs::create_dir(site.objects()).unwrap();
        site.write();
        site
    }

    /// One name more of a tenant.
    pub(crate) fn add(&self, tenant: &'static str, host: &'static str) {
        self.names.borrow_mut().push((tenant, host));
        self.write();
    }

    /// Writes all objects, in one file, so that no reader sees a part of them.
    fn write(&self) {
        let names = self.names.borrow();
        let challenge = self.challenge;
        let mut text = format!(
            "apiVersion: bailey.dev/v1alpha1
kind: IngressTopology
metadata: {{name: main}}
spec:
  outer:
    namespace: ingress-main
    exposure: {{service: {{type: ClusterIP}}}}
    listeners:
      - {{name: http, port: 80, protocol: HTTP}}
      - {{name: https, port: 443, protocol: HTTPS}}
    acme: {{directory: letsencrypt, challenge: {{{challenge}: {{}}}}}}
    certificates: {{store: {{volume: {{}}}}}}
  tenants:
"
        );
        let tenants: BTreeSet<&str> = names.iter().map(|(tenant, _)| *tenant).collect();
        for tenant in &tenants {
            let own = names.iter().filter(|(owner, _)| owner == tenant);
            let hosts: Vec<String> = own.map(|(_, host)| format!("\"{host}\"")).collect();
            let hosts = hosts.join(", ");
            let _ = writeln!(text, "    - {{name: {tenant}, namespaces: {{names: [{tenant}]}}, hostnames: [{hosts}]}}");
        }
        for tenant in &tenants {
            let own = names.iter().filter(|(owner, _)| owner == tenant);
            let hosts: Vec<String> = own.map(|(_, host)| format!("\"{host}\"")).collect();
            let hosts = hosts.join(", ");
            let _ = write!(
                text,
                "---
apiVersion: v1
kind: Namespace
metadata: {{name: {tenant}}}
---
apiVersion: bailey.dev/v1alpha1
kind: LocalBackend
metadata: {{name: app, namespace: {tenant}}}
spec: {{port: 80, echo: {{}}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: all, namespace: {tenant}}}
spec:
  parentRefs: [{{name: main}}]
  hostnames: [{hosts}]
  rules: [{{backendRefs: [{{name: app, port: 80}}]}}]
"
            );
        }
        let new = self.kept.path().join("new.yaml");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.objects().join("site.yaml")).unwrap();
    }

    fn objects(&self) -> PathBuf {
        self.kept.path().join("objects")
    }

    fn state(&self) -> PathBuf {
        self.kept.path().join("state")
    }

    /// Starts `bailey up` on these ports (http, https, admin).
    pub(crate) fn up(&self, pebble: &Pebble, ports: &[u16]) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bailey"));
        command.arg("up").arg(self.objects()).arg("--state").arg(self.state());
        command.args(["--acme", &pebble.directory()]).arg("--acme-ca").arg(pebble.roots());
        for (option, port) in ["--http-port", "--https-port", "--admin-port"].iter().zip(ports) {
            command.args([*option, &port.to_string()]);
        }
        command.env("BAILEY_LOG", "trace");
        let log = Arc::<Mutex<String>>::default();
        Running { child: spawn(command, &log), log, http: ports[0], https: ports[1] }
    }

    /// The keys in its store, as they are written there.
    pub(crate) fn keys(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.state().join("acme/main")).unwrap();
        let texts =
            files.map(|file| String::from_utf8_lossy(&std::fs::read(file.unwrap().path()).unwrap()).into_owned());
        let key = |text: String| text.lines().find_map(|line| line.strip_prefix("key ").map(str::to_owned));
        texts.filter_map(key).collect()
    }
}

/// The program at work.
pub(crate) struct Running {
    child: Child,
    log: Arc<Mutex<String>>,
    http: u16,
    https: u16,
}

impl Running {
    /// What it has said.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until a name has a certificate that leads to this root; the certificate.
    pub(crate) fn waits_for(&self, root: &CertificateDer<'static>, host: &str) -> Vec<u8> {
        let until = Instant::now() + Duration::from_mins(2);
        loop {
            match self.shown(root, host) {
                Ok(leaf) => return leaf,
                Err(error) => assert!(Instant::now() < until, "{host}: {error}\n{}", self.log()),
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The certificate that a client which trusts this root gets for a name.
    pub(crate) fn shown(&self, root: &CertificateDer<'static>, host: &str) -> std::io::Result<Vec<u8>> {
        let stream = tls(trusted(root), host, self.https)?;
        Ok(stream.conn.peer_certificates().unwrap()[0].to_vec())
    }

    /// The status of a request by TLS.
    pub(crate) fn get(&self, root: &CertificateDer<'static>, host: &str) -> u16 {
        let mut stream = tls(trusted(root), host, self.https).unwrap();
        ask(&mut stream, host, "/")
    }

    /// The status of the question for a proof, in plain text.
    pub(crate) fn ask_for_proof(&self, host: &str, token: &str) -> u16 {
        let mut stream = TcpStream::connect(("127.0.0.1", self.http)).unwrap();
        ask(&mut stream, host, &format!("/.well-known/acme-challenge/{token}"))
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn trusted(root: &CertificateDer<'static>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    roots
}

fn ask(stream: &mut (impl std::io::Read + std::io::Write), host: &str, path: &str) -> u16 {
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    // Whether the server says goodbye by TLS does not matter.
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer);
    text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
}
