//! A topology in a temporary folder, running.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use bailey::up::local::{Local, LocalOptions};

use crate::client::Client;

/// A running folder. The servers stop with it.
pub struct Running {
    pub local: Local,
    pub folder: PathBuf,
    _kept: tempfile::TempDir,
}

/// Two tenants with an echo each: the smallest folder with everything that matters.
pub const TWO_TENANTS: &str = r#"
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
    - {name: a, namespaces: {names: [a]}, hostnames: ["a.localhost", "*.a.localhost"]}
    - {name: b, namespaces: {names: [b]}, hostnames: ["b.localhost"]}
"#;

/// A route for everything of one tenant's host, and its echo.
pub fn app(tenant: &str) -> String {
    format!(
        r"
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: web, namespace: {tenant}}}
spec:
  parentRefs: [{{name: main}}]
  rules:
    - backendRefs: [{{name: app-{tenant}, port: 80}}]
---
apiVersion: bailey.dev/v1alpha1
kind: LocalBackend
metadata: {{name: app-{tenant}, namespace: {tenant}}}
spec: {{echo: {{}}}}
"
    )
}

/// An `HTTPRoute` of tenant a for one of its hosts: the rules as YAML, indented by four.
pub fn route(name: &str, host: &str, rules: &str) -> String {
    format!(
        "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: {name}, namespace: a}}\nspec:\n  parentRefs: [{{name: main}}]\n  hostnames: [{host}]\n  rules:\n{rules}\n"
    )
}

/// An echo of tenant a.
pub fn echo(name: &str) -> String {
    crate::backend::local_backend("a", name, "echo: {}")
}

/// Starts the two tenants with these objects of tenant a; nothing in them may be worth a warning.
pub async fn tenant_a(objects: &str) -> Running {
    let running = start(&[("topology.yaml", TWO_TENANTS), ("a.yaml", objects)]).await;
    let warnings: Vec<_> = running.local.warnings().map(ToString::to_string).collect();
    assert!(warnings.is_empty(), "{warnings:#?}");
    running
}

/// Starts what these files describe.
pub async fn start(files: &[(&str, &str)]) -> Running {
    let kept = tempfile::tempdir().unwrap();
    let folder = kept.path().join("objects");
    fs::create_dir(&folder).unwrap();
    for (name, text) in files {
        fs::write(folder.join(name), text).unwrap();
    }
    let local = start_folder(&folder, kept.path()).await;
    Running { local, folder, _kept: kept }
}

/// Starts a folder with free ports and a CA of its own.
pub async fn start_folder(folder: &Path, state: &Path) -> Local {
    Local::start(LocalOptions::for_tests(folder, &state.join("state"))).await.unwrap_or_else(|e| panic!("{e}"))
}

/// Starts the two tenants of [`TWO_TENANTS`] with their echoes.
pub async fn two_tenants() -> Running {
    start(&[("topology.yaml", TWO_TENANTS), ("a.yaml", &app("a")), ("b.yaml", &app("b"))]).await
}

/// A client from an address that no part of Bailey has.
pub const CLIENT_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 9, 8, 7));

/// A client of what runs.
pub fn client(local: &Local) -> Client {
    Client {
        https: local.https().expect("an https listener"),
        http: local.http().expect("an http listener"),
        root: local.root().clone(),
        from: CLIENT_ADDRESS,
    }
}
