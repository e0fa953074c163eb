//! A topology of one tenant as two processes, an outer and an inner tier, that read the same folder.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;

use data_encoding::BASE64;
use tempfile::TempDir;

use crate::certificates::{Authority, Leaf};
use crate::client::Client;
use crate::origin::Origin;
use crate::process::Process;

/// The one host.
pub(crate) const HOST: &str = "app.test";

/// Seconds that a draining tier goes on accepting.
pub(crate) const ACCEPT: u32 = 1;
/// Seconds that requests in progress then have, unless a test says otherwise.
pub(crate) const FINISH: u32 = 20;

pub(crate) struct Site {
    folder: TempDir,
    authority: Authority,
    https: u16,
    link: u16,
    finish: u32,
    pub(crate) origin: Origin,
    pub(crate) outer: Process,
    pub(crate) inner: Process,
}

impl Site {
    /// Both tiers, with a route that marks answers `x-route: first`.
    pub(crate) async fn start() -> Self {
        Self::start_with(FINISH).await
    }

    /// The same, with so many seconds for requests in progress when a tier drains.
    pub(crate) async fn start_with(finish: u32) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (authority, origin) = (Authority::new(), Origin::start().await);
        let (https, link) = (free_port(), free_port());
        let config = folder.path().join("config");
        std::fs::create_dir(&config).expect("a folder");
        let topology = topology(origin.address, link, &authority.server(HOST));
        std::fs::write(config.join("topology.yaml"), topology).expect("a file");
        std::fs::write(config.join("route.yaml"), route("first")).expect("a file");
        authority.write_link(&folder.path().join("outer"), "bailey://main/outer");
        authority.write_link(&folder.path().join("inner"), "bailey://main/tenant/team-a");
        let inner = Process::start(&arguments(&folder, "inner", https, link, finish)).await;
        let outer = Process::start(&arguments(&folder, "outer", https, link, finish)).await;
        Self { folder, authority, https, link, finish, origin, outer, inner }
    }

    /// One more process for the same tier, on the same ports.
    pub(crate) async fn another(&self, tier: &str) -> Process {
        Process::start(&arguments(&self.folder, tier, self.https, self.link, self.finish)).await
    }

    pub(crate) fn client(&self) -> Client {
        Client::new((Ipv4Addr::LOCALHOST, self.https).into(), &self.authority.root)
    }

    /// Replaces the route file as editors do: a new file, then a rename.
    pub(crate) fn edit(&self, text: &str) {
        let (new, file) = (self.config("route.yaml.new"), self.config("route.yaml"));
        std::fs::write(&new, text).expect("a file");
        std::fs::rename(new, file).expect("a rename");
    }

    fn config(&self, name: &str) -> PathBuf {
        self.folder.path().join("config").join(name)
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    socket.local_addr().expect("an address").port()
}

fn arguments(folder: &TempDir, tier: &str, https: u16, link: u16, finish: u32) -> Vec<String> {
    let path = |name: &str| folder.path().join(name).display().to_string();
    let mut arguments: Vec<String> = [
        "--tier",
        tier,
        "--topology",
        "main",
        "--config",
        &path("config"),
        "--link",
        &path(tier),
        "--local",
        "--address",
        "127.0.0.1",
        "--workers",
        "2",
        "--port",
        &format!("443={https}"),
        "--link-port",
        &link.to_string(),
        "--drain-accept",
        &ACCEPT.to_string(),
        "--drain-finish",
        &finish.to_string(),
    ]
    .map(str::to_owned)
    .into();
    if tier == "inner" {
        arguments.extend(["--tenant", "team-a"].map(str::to_owned));
    }
    arguments
}

/// A route for everything, whose answers carry this mark.
pub(crate) fn route(mark: &str) -> String {
    format!(
        r#"apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: app, namespace: team-a}}
spec:
  parentRefs: [{{name: main}}]
  hostnames: ["{HOST}"]
  rules:
    - filters:
        - type: ResponseHeaderModifier
          responseHeaderModifier: {{set: [{{name: x-route, value: "{mark}"}}]}}
      backendRefs: [{{name: app, port: 80}}]
"#
    )
}

fn service(name: &str, port: u16, port_name: &str, at: SocketAddr) -> String {
    format!(
        r#"---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: team-a}}
spec: {{ports: [{{name: {port_name}, port: {port}}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-1, namespace: team-a, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
endpoints: [{{addresses: ["{}"], conditions: {{ready: true}}}}]
ports: [{{name: {port_name}, port: {}}}]
"#,
        at.ip(),
        at.port()
    )
}

fn topology(origin: SocketAddr, link: u16, leaf: &Leaf) -> String {
    let encode = |text: &str| BASE64.encode(text.as_bytes());
    let app = service("app", 80, "http", origin);
    let inner = service("main-team-a", 8443, "link", (Ipv4Addr::LOCALHOST, link).into());
    format!(
        r#"apiVersion: bailey.dev/v1alpha1
kind: IngressTopology
metadata: {{name: main}}
spec:
  outer:
    namespace: edge
    listeners: [{{name: https, port: 443, protocol: HTTPS}}]
    certificates: {{store: {{secrets: {{}}}}, secrets: [app]}}
  tenants:
    - name: team-a
      namespaces: {{names: [team-a]}}
      hostnames: ["{HOST}"]
---
apiVersion: v1
kind: Secret
metadata: {{name: app, namespace: edge}}
type: kubernetes.io/tls
data: {{tls.crt: {}, tls.key: {}}}
{app}{inner}"#,
        encode(&leaf.chain),
        encode(&leaf.key)
    )
}
