//! `bailey up` as a process: its log is rotated, its spans go to a collector over TLS, its page is opened; and `bailey trace` with the
//! address that it is told.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bailey::up::authority::{Authority, ROOT_FILE};

use crate::program::{assert_all, bailey, text};

/// A tenant whose host needs no resolver that would know it.
const TOPOLOGY: &str = "
apiVersion: bailey.dev/v1alpha1
kind: IngressTopology
metadata: {name: main}
spec:
  outer:
    namespace: edge
    exposure: {service: {type: LoadBalancer}}
    listeners:
      - {name: http, port: 80, protocol: HTTP}
      - {name: https, port: 443, protocol: HTTPS}
    certificates: {store: {volume: {size: 64Mi}}}
  tenants:
    - {name: a, namespaces: {names: [a]}, hostnames: [shop.test]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: a}
spec:
  parentRefs: [{name: main}]
  rules: [{backendRefs: [{name: app, port: 80}]}]
---
apiVersion: bailey.dev/v1alpha1
kind: LocalBackend
metadata: {name: app, namespace: a}
spec: {echo: {}}
";

/// One tier, which speaks plain HTTP and writes one line for each request.
const GATEWAY: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: web, namespace: a}
spec:
  gatewayClassName: bailey
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: a}
spec:
  parentRefs: [{name: web}]
  hostnames: [shop.test]
  rules: [{backendRefs: [{name: app, port: 80}]}]
---
apiVersion: bailey.dev/v1alpha1
kind: LocalBackend
metadata: {name: app, namespace: a}
spec: {echo: {}}
";

/// The process, with files of its own. It ends with the test.
struct Up {
    child: Child,
    kept: tempfile::TempDir,
}

impl Drop for Up {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Up {
    fn start(objects: &str, more: &[&str], environment: &[(&str, &str)]) -> Self {
        let kept = tempfile::tempdir().unwrap();
        let folder = kept.path().join("objects");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("all.yaml"), objects).unwrap();
        let file = |name: &str| fs::File::create(kept.path().join(name)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_bailey"));
        command.arg("up").arg(&folder).arg("--state").arg(kept.path().join("state"));
        command.args(["--http-port", "0", "--https-port", "0", "--admin-port", "0"]).args(more);
        command.envs(environment.iter().copied());
        command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err"));
        let up = Self { child: command.spawn().unwrap(), kept };
        eventually("it starts", || up.said("out").contains("Edits").then_some(()));
        up
    }

    fn said(&self, stream: &str) -> String {
        fs::read_to_string(self.kept.path().join(stream)).unwrap()
    }

    fn ca(&self) -> PathBuf {
        self.kept.path().join("state/ca").join(ROOT_FILE)
    }

    /// The port of the first URL that begins so.
    fn port(&self, begin: &str) -> u16 {
        let said = self.said("out");
        let rest = said.split(begin).nth(1).unwrap_or_else(|| panic!("no {begin} in {said}"));
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or_else(|_| panic!("no port after {begin} in {said}"))
    }

    fn http(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port("http://shop.test:")).into()
    }

    fn admin(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port("http://127.0.0.1:")).into()
    }

    fn metrics(&self) -> String {
        ask(self.admin(), "127.0.0.1", "/metrics")
    }

    fn metric(&self, name: &str) -> f64 {
        let text = self.metrics();
        let samples = text.lines().filter(|line| line.starts_with(&format!("{name}{{")));
        samples.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }
}

/// What one GET is answered.
fn ask(to: SocketAddr, host: &str, target: &str) -> String {
    let mut tcp = TcpStream::connect(to).unwrap();
    write!(tcp, "GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    tcp.read_to_end(&mut answer).unwrap();
    text(&answer)
}

/// Waits for what comes soon.
fn eventually<T>(what: &str, mut there: impl FnMut() -> Option<T>) -> T {
    for _ in 0..600 {
        if let Some(found) = there() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("in vain: {what}");
}

/// The targets of the lines of a log.
fn targets(log: &Path) -> Vec<String> {
    let text = fs::read_to_string(log).unwrap_or_default();
    let target =
        |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["target"].as_str().map(str::to_owned);
    text.lines().filter_map(target).collect()
}

#[test]
fn a_log_that_is_moved_away_goes_on_in_a_new_file_after_sighup_and_no_line_is_lost() {
    let logs = tempfile::tempdir().unwrap();
    let (log, moved) = (logs.path().join("access.log"), logs.path().join("access.log.1"));
    let up = Up::start(GATEWAY, &["--access-log-file", log.to_str().unwrap()], &[]);
    let ask_all = |numbers: std::ops::Range<u32>| {
        for n in numbers {
            assert!(ask(up.http(), "shop.test", &format!("/{n}")).starts_with("HTTP/1.1 200"), "{n}");
        }
    };
    ask_all(0..40);
    eventually("the first lines", || (targets(&log).len() == 40).then_some(()));
    fs::rename(&log, &moved).unwrap();
    ask_all(40..80);
    eventually("lines after the move", || (targets(&moved).len() == 80).then_some(()));
    assert!(!log.exists(), "nobody asked for a new file");
    let hangup = Command::new("sh").args(["-c", &format!("kill -HUP {}", up.child.id())]).status().unwrap();
    assert!(hangup.success());
    // The signal is on its way; requests go on all the same.
    let mut sent = 80;
    eventually("a new file", || {
        ask_all(sent..sent + 5);
        sent += 5;
        log.exists().then_some(())
    });
    ask_all(sent..sent + 20);
    sent += 20;
    let all = || [targets(&moved), targets(&log)].concat();
    eventually("all lines", || (all().len() >= sent as usize).then_some(()));
    let once: BTreeSet<String> = all().into_iter().collect();
    assert_eq!((all().len(), once.len()), (sent as usize, sent as usize), "each line once");
    assert!(targets(&log).contains(&format!("/{}", sent - 1)) && targets(&moved).contains(&"/79".to_owned()));
}

/// A collector over TLS with a certificate of this authority for `localhost`; each request's first line comes out of the channel.
fn collector(authority: &Authority) -> (u16, mpsc::Receiver<String>) {
    let leaf = authority.server("localhost").unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let config = Arc::new(config.with_single_cert(leaf.chain, leaf.key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (seen, taken) = mpsc::sync_channel(64);
    std::thread::spawn(move || {
        for tcp in listener.incoming() {
            let (config, seen) = (config.clone(), seen.clone());
            std::thread::spawn(move || take(tcp.unwrap(), config, &seen));
        }
    });
    (port, taken)
}

/// Takes the requests of one connection.
fn take(tcp: TcpStream, config: Arc<rustls::ServerConfig>, seen: &mpsc::SyncSender<String>) {
    let mut tls = rustls::StreamOwned::new(rustls::ServerConnection::new(config).unwrap(), tcp);
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            let Ok(1) = tls.read(&mut byte) else { return };
            head.push(byte[0]);
        }
        let head = text(&head).to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
        tls.read_exact(&mut vec![0; length.parse().unwrap()]).unwrap();
        tls.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        tls.flush().unwrap();
        if seen.send(head.lines().next().unwrap_or_default().to_owned()).is_err() {
            return;
        }
    }
}

#[test]
fn a_collector_over_tls_gets_spans_if_its_authority_is_known_and_else_log_and_metric_say_why_not() {
    let [known, other] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let authority = Authority::development(known.path()).unwrap();
    Authority::development(other.path()).unwrap();
    let (port, taken) = collector(&authority);
    let endpoint = format!("https://localhost:{port}");
    let started = |ca: &Path| {
        let ca = ca.join(ROOT_FILE);
        let environment =
            [("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint), ("OTEL_EXPORTER_OTLP_CERTIFICATE", ca.to_str().unwrap())];
        let up = Up::start(GATEWAY, &[], &environment);
        ask(up.http(), "shop.test", "/");
        up
    };
    let up = started(known.path());
    let first = taken.recv_timeout(Duration::from_secs(30)).unwrap();
    assert_eq!(first, "post /v1/traces http/1.1");
    eventually("exported", || (up.metric("bailey_spans_exported_total") > 0.5).then_some(()));
    drop(up);
    while taken.try_recv().is_ok() {}

    let up = started(other.path());
    eventually("failed", || (up.metric("bailey_spans_failed_total") > 0.5).then_some(()));
    assert_all(&up.said("err"), &["the collector did not take spans", "invalid peer certificate"]);
    assert!(taken.try_recv().is_err(), "a span went to somebody unknown");
    drop(up);

    let missing = Path::new("/nowhere");
    let up = started(missing);
    eventually("failed", || (up.metric("bailey_spans_failed_total") > 0.5).then_some(()));
    assert_all(&up.said("err"), &["OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere"]);
}

#[test]
fn a_trace_connects_where_and_from_where_it_is_told() {
    let up = Up::start(TOPOLOGY, &[], &[]);
    let port = up.port("https://shop.test:");
    let (url, ca, admin) = (format!("https://shop.test:{port}/x"), up.ca(), format!("http://{}", up.admin()));
    let resolve = format!("shop.test:{port}:127.0.0.1");
    let fixed = ["trace", &url, "--cacert", ca.to_str().unwrap(), "--admin", &admin, "-o", "json"];
    let output = bailey(&[&fixed[..], &["--resolve", &resolve, "--interface", "127.0.0.5"]].concat());
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["status"], 200, "{told}");
    assert!(told.to_string().contains("127.0.0.5"), "the client's address: {told}");
    // The scrape of the tier names the trace beside the bucket it fell into.
    let trace = told["trace"]["trace"].as_str().unwrap();
    eventually("an exemplar", || up.metrics().contains(&format!(" # {{trace_id=\"{trace}\"}}")).then_some(()));
    let output = bailey(&[&fixed[..], &["--resolve", "shop.test"]].concat());
    assert_eq!(output.status.code(), Some(2));
    assert_all(&text(&output.stderr), &["HOST:PORT:ADDRESS"]);
    let output = bailey(&[&fixed[..], &["--resolve", &resolve, "--interface", "192.0.2.1"]].concat());
    assert_eq!(output.status.code(), Some(3));
    assert_all(&text(&output.stderr), &["cannot connect to 127.0.0.1"]);
}

#[test]
fn the_page_is_opened_by_what_opens_addresses_here() {
    let programs = tempfile::tempdir().unwrap();
    let up = Up::start(GATEWAY, &["--open"], &[("PATH", programs.path().to_str().unwrap())]);
    let said = eventually("it says that there is none", || Some(up.said("err")).filter(|said| said.contains("note:")));
    assert_all(&said, &["no program that opens a browser"]);
    drop(up);
    let (opener, opened) = (programs.path().join("xdg-open"), programs.path().join("opened"));
    fs::write(&opener, format!("#!/bin/sh\necho \"$@\" > {}\n", opened.display())).unwrap();
    fs::set_permissions(&opener, fs::Permissions::from_mode(0o755)).unwrap();
    let up = Up::start(GATEWAY, &["--open"], &[("PATH", programs.path().to_str().unwrap())]);
    let address = eventually("it is opened", || fs::read_to_string(&opened).ok().filter(|text| text.ends_with('\n')));
    assert_eq!(address.trim(), format!("http://{}/", up.admin()));
    assert!(ask(up.admin(), "127.0.0.1", "/").contains("Bailey"));
}
