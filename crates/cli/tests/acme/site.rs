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

use super::client::{ask, config, status, tls};
use super::pebble::{Pebble, spawn};

/// A folder and its state.
pub(crate) struct Site {
    kept: tempfile::TempDir,
    /// How certificates are ordered, as `spec.outer.acme` has it.
    acme: RefCell<String>,
    /// Other objects, as YAML.
    more: String,
    /// Names, each with its tenant.
    names: RefCell<Vec<(String, String)>>,
}

impl Site {
    /// Names of tenants, proven by a challenge.
    pub(crate) fn new(challenge: &str, names: &[(&str, &str)]) -> Self {
        let names = names.iter().map(|(tenant, host)| ((*tenant).to_owned(), (*host).to_owned())).collect();
        Self::with(&format!("challenge: {{{challenge}: {{}}}}"), names, "")
    }

    /// The same with settings of `spec.outer.acme`, and more objects.
    pub(crate) fn with(settings: &str, names: Vec<(String, String)>, more: &str) -> Self {
        let kept = tempfile::tempdir().unwrap();
        let site =
            Self { kept, acme: RefCell::new(settings.to_owned()), more: more.to_owned(), names: RefCell::new(names) };
        std::fs::create_dir(site.objects()).unwrap();
        site.write();
        site
    }

    /// One name more of a tenant.
    pub(crate) fn add(&self, tenant: &str, host: &str) {
        self.names.borrow_mut().push((tenant.to_owned(), host.to_owned()));
        self.write();
    }

    /// Other settings of `spec.outer.acme`.
    pub(crate) fn set(&self, settings: &str) {
        settings.clone_into(&mut self.acme.borrow_mut());
        self.write();
    }

    /// All names.
    pub(crate) fn hosts(&self) -> Vec<String> {
        self.names.borrow().iter().map(|(_, host)| host.clone()).collect()
    }

    /// Writes all objects, in one file, so that no reader sees a part of them.
    fn write(&self) {
        let names = self.names.borrow();
        let acme = self.acme.borrow();
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
    acme: {{directory: letsencrypt, {acme}}}
    certificates: {{store: {{volume: {{}}}}}}
  tenants:
"
        );
        let tenants: BTreeSet<&str> = names.iter().map(|(tenant, _)| &**tenant).collect();
        for tenant in &tenants {
            let own = names.iter().filter(|(owner, _)| owner == *tenant);
            let hosts: Vec<String> = own.map(|(_, host)| format!("\"{host}\"")).collect();
            let hosts = hosts.join(", ");
            let _ = writeln!(text, "    - {{name: {tenant}, namespaces: {{names: [{tenant}]}}, hostnames: [{hosts}]}}");
        }
        for tenant in &tenants {
            let own = names.iter().filter(|(owner, _)| owner == *tenant);
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
        text.push_str(&self.more);
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
        self.up_with(pebble, ports, &[], &[("BAILEY_LOG", "info")])
    }

    /// The same with more arguments, in an environment of its own.
    pub(crate) fn up_with(
        &self,
        pebble: &Pebble,
        ports: &[u16],
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bailey"));
        command.arg("up").arg(self.objects()).arg("--state").arg(self.state());
        command.args(["--acme", &pebble.directory()]).arg("--acme-ca").arg(pebble.roots());
        for (option, port) in ["--http-port", "--https-port", "--admin-port"].iter().zip(ports) {
            command.args([*option, &port.to_string()]);
        }
        command.args(arguments).envs(environment.iter().copied());
        let log = Arc::<Mutex<String>>::default();
        Running { child: spawn(command, &log), log, http: ports[0], https: ports[1], admin: ports[2] }
    }

    fn store(&self) -> PathBuf {
        self.state().join("acme/main")
    }

    /// Has the store take nothing from the next process, root or not: where it would write that the store is its own there is a folder.
    pub(crate) fn block(&self) {
        std::fs::create_dir_all(self.store().join(".new-fence/full")).unwrap();
    }

    /// Ends that.
    pub(crate) fn unblock(&self) {
        std::fs::remove_dir_all(self.store().join(".new-fence")).unwrap();
    }

    /// The keys in its store, as they are written there: in base64.
    pub(crate) fn keys(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.store()).unwrap();
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
    /// Where it serves by TLS.
    pub(crate) https: u16,
    /// Where its page and its metrics are.
    pub(crate) admin: u16,
}

impl Running {
    /// What it has said.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until a name has a certificate that leads to this root; the certificate.
    pub(crate) fn waits_for(&self, root: &CertificateDer<'static>, host: &str) -> Vec<u8> {
        let mut last = None;
        within(Duration::from_mins(2), &|| format!("a certificate for {host}\n{}", self.log()), || {
            last = self.shown(root, host).ok();
            last.is_some()
        });
        last.unwrap()
    }

    /// The certificate that a client which trusts this root gets for a name.
    pub(crate) fn shown(&self, root: &CertificateDer<'static>, host: &str) -> std::io::Result<Vec<u8>> {
        let stream = tls(&config(trusted(root)), host, self.https)?;
        Ok(stream.conn.peer_certificates().unwrap()[0].to_vec())
    }

    /// The status of a request by TLS.
    pub(crate) fn get(&self, root: &CertificateDer<'static>, host: &str) -> u16 {
        let mut stream = tls(&config(trusted(root)), host, self.https).unwrap();
        status(&ask(&mut stream, host, "/"))
    }

    /// The status of the question for a proof, in plain text.
    pub(crate) fn ask_for_proof(&self, host: &str, token: &str) -> u16 {
        let mut stream = TcpStream::connect(("127.0.0.1", self.http)).unwrap();
        status(&ask(&mut stream, host, &format!("/.well-known/acme-challenge/{token}")))
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

/// Waits until something holds, or panics with what was waited for.
pub(crate) fn within(longest: Duration, what: &dyn Fn() -> String, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + longest;
    while !holds() {
        assert!(Instant::now() < until, "not within {} s: {}", longest.as_secs(), what());
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// This root alone.
pub(crate) fn trusted(root: &CertificateDer<'static>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    roots
}
