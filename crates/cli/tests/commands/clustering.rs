//! Commands that ask a cluster, against an API server that knows what a test tells it: objects by path, and what is refused.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::program::{assert_all, bailey};

/// What the server knows.
#[derive(Default)]
struct Api {
    /// Lists and objects by path.
    answers: BTreeMap<String, Value>,
    /// Paths that are refused; all of them when there is an empty one.
    refused: Vec<&'static str>,
    /// Every question is answered with this status.
    always: Option<u16>,
    /// Resources that no account may list.
    lacking: Vec<&'static str>,
}

impl Api {
    /// Adds objects to the list at `path`.
    fn list(mut self, path: &str, items: &[Value]) -> Self {
        self.answers
            .insert(path.to_owned(), json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items}));
        self
    }

    fn answer(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let status = |code: u16, message: &str| {
            (code, json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message}))
        };
        if let Some(code) = self.always {
            return status(code, "no");
        }
        if self.refused.contains(&path) {
            let name = path.rsplit('/').next().unwrap_or_default();
            let verb = if method == "POST" { "create" } else { "list" };
            let message = format!(
                "{name} is forbidden: User \"jane\" cannot {verb} resource \"{name}\" in API group \"\" at the cluster scope"
            );
            return status(403, &message);
        }
        if method == "POST" {
            let asked = &body["spec"]["resourceAttributes"];
            let lacks = self.lacking.iter().any(|resource| asked["resource"] == *resource && asked["verb"] == "list");
            let mut review = body.clone();
            review["status"] = json!({"allowed": !lacks});
            return (201, review);
        }
        let known = self.answers.get(path).cloned();
        known.map_or_else(|| status(404, "the server could not find the requested resource"), |found| (200, found))
    }
}

/// A server that runs until the test ends, and the kubeconfig that leads to it.
struct Server {
    folder: tempfile::TempDir,
}

impl Server {
    fn start(api: Api) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let api = Arc::new(api);
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let api = api.clone();
                std::thread::spawn(move || serve(&api, &socket));
            }
        });
        Self::at(address)
    }

    /// A kubeconfig for this address, whoever is there.
    fn at(address: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: main\n\
             clusters: [{{name: c, cluster: {{server: \"http://{address}\"}}}}]\nusers: [{{name: u, user: {{token: t}}}}]\n\
             contexts: [{{name: main, context: {{cluster: c, user: u, namespace: team-a}}}}]\n"
        );
        std::fs::write(folder.path().join("config"), text).unwrap();
        Self { folder }
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let path: PathBuf = self.folder.path().join("config");
        let mut all: Vec<&str> = arguments.to_vec();
        all.extend(["--kubeconfig", path.to_str().unwrap()]);
        let output = bailey(&all);
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    }
}

/// One request a connection: enough for a client that makes a new one when it must.
fn serve(api: &Api, socket: &TcpStream) {
    let mut reader = BufReader::new(socket);
    let (mut line, mut length) = (String::new(), 0);
    if reader.read_line(&mut line).unwrap_or_default() == 0 {
        return;
    }
    let mut parts = line.split(' ').map(str::to_owned);
    let (method, target) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    loop {
        let mut field = String::new();
        if reader.read_line(&mut field).unwrap_or_default() <= 2 {
            break;
        }
        if let Some(value) = field.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let (status, answer) = api.answer(&method, target.split('?').next().unwrap_or_default(), &body);
    let text = answer.to_string();
    let head = format!(
        "HTTP/1.1 {status} Answer\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        text.len()
    );
    let mut socket = socket;
    drop(socket.write_all((head + &text).as_bytes()));
}

const TOPOLOGIES: &str = "/apis/bailey.dev/v1alpha1/ingresstopologies";

fn topology(ready: &str) -> Value {
    json!({
        "apiVersion": "bailey.dev/v1alpha1", "kind": "IngressTopology",
        "metadata": {"name": "main", "uid": "u", "generation": 1},
        "spec": {
            "outer": {"namespace": "out", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
            "tenants": [{"name": "a", "namespaces": {"names": ["team-a"]}, "hostnames": ["a.invalid"]}],
        },
        "status": {
            "observedGeneration": 1, "tiersReady": "2/2",
            "conditions": [{"type": "Ready", "status": ready, "reason": "ProxiesNotReady", "message": "said", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
        },
    })
}

/// A cluster with one tenant's application, and an operator that has done its work.
fn cluster(ready: &str) -> Api {
    let service = json!({"namespace": "team-a", "name": "main-a", "port": 8443});
    let link = |identity: &str| json!({"identity": identity, "peer": "bailey://main/outer"});
    let config = |namespace: &str, name: &str, spec: &Value| json!({"apiVersion": "bailey.dev/v1alpha1", "kind": "TierConfig", "metadata": {"namespace": namespace, "name": name}, "spec": spec});
    let tenant = json!({"name": "a", "identity": "bailey://main/tenant/a", "service": service});
    let outer = json!({
        "role": "Outer", "topology": "main", "link": {"identity": "bailey://main/outer"}, "tenants": [tenant],
        "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}],
    });
    let inner = json!({
        "role": "Inner", "topology": "main", "tenant": "a", "namespaces": ["team-a"], "hostnames": ["a.invalid"],
        "link": link("bailey://main/tenant/a"), "listeners": [{"name": "link", "port": 8443, "protocol": "Link"}],
    });
    let binding = json!({
        "metadata": {"namespace": "out", "name": "h", "labels": {"bailey.dev/topology": "main", "bailey.dev/binding": "owned"}},
        "spec": {"hostname": "a.invalid", "topology": "main", "tenant": "a", "service": service},
    });
    let route = json!({
        "metadata": {"namespace": "team-a", "name": "web"},
        "spec": {"parentRefs": [{"name": "main"}], "hostnames": ["a.invalid"], "rules": [{"backendRefs": [{"name": "app", "port": 80}]}]},
    });
    let services = ["app", "main-a"].map(|name| {
        let port = if name == "app" { 80 } else { 8443 };
        json!({"metadata": {"namespace": "team-a", "name": name}, "spec": {"ports": [{"name": "p", "port": port}]}})
    });
    let slices = ["app", "main-a"].map(|name| {
        json!({
            "metadata": {"namespace": "team-a", "name": name, "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": true}}],
            "ports": [{"name": "p", "port": if name == "app" { 80 } else { 8443 }}],
        })
    });
    let gateway = "/apis/gateway.networking.k8s.io";
    Api::default()
        .list(TOPOLOGIES, &[topology(ready)])
        .list("/api/v1/namespaces/default/events", &[])
        .list("/apis/bailey.dev/v1alpha1/namespaces/out/tierconfigs", &[config("out", "main-outer", &outer)])
        .list("/apis/bailey.dev/v1alpha1/namespaces/team-a/tierconfigs", &[config("team-a", "main-a", &inner)])
        .list("/apis/bailey.dev/v1alpha1/namespaces/out/hostnamebindings", &[binding])
        .list(&format!("{gateway}/v1/namespaces/team-a/httproutes"), &[route])
        .list(&format!("{gateway}/v1/namespaces/team-a/grpcroutes"), &[])
        .list(&format!("{gateway}/v1/namespaces/team-a/gateways"), &[])
        .list(&format!("{gateway}/v1/namespaces/team-a/referencegrants"), &[])
        .list(&format!("{gateway}/v1/gatewayclasses"), &[])
        .list("/apis/networking.k8s.io/v1/namespaces/team-a/ingresses", &[])
        .list("/api/v1/namespaces/team-a/services", &services)
        .list("/apis/discovery.k8s.io/v1/namespaces/team-a/endpointslices", &slices)
        .list("/api/v1/namespaces", &["out", "team-a"].map(|name| json!({"metadata": {"name": name}})))
        .list("/api/v1/namespaces/out/pods", &[])
        .list("/api/v1/namespaces/team-a/pods", &[])
        .list("/api/v1/namespaces/bailey-system/pods", &[])
}

#[test]
fn the_status_is_the_exit_code() {
    let (code, text) = Server::start(cluster("True")).run(&["status"]);
    assert_eq!(code, Some(0), "{text}");
    let server = Server::start(cluster("False"));
    let (code, text) = server.run(&["status", "main"]);
    assert_eq!(code, Some(1), "{text}");
    assert_all(&text, &["main  not ready", "ProxiesNotReady: said"]);
    let (code, text) = server.run(&["status", "mian"]);
    assert_eq!(code, Some(1), "{text}");
    assert_all(&text, &["there is no IngressTopology mian (did you mean main?)"]);
    let (code, json) = server.run(&["status", "-o", "json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &json["topologies"][0]["ready"]), (Some(1), &Value::Bool(false)));
}

#[test]
fn a_cluster_that_cannot_be_asked_is_code_3_and_wrong_use_code_2() {
    let (code, text) = Server::start(Api { always: Some(401), ..Api::default() }).run(&["status"]);
    assert_eq!(code, Some(3), "{text}");
    assert_all(&text, &["does not know who you are (401)", "log in again"]);
    let (code, text) = Server::start(Api { refused: vec![TOPOLOGIES], ..cluster("True") }).run(&["status"]);
    assert_eq!(code, Some(3), "{text}");
    assert_all(&text, &["jane may not list ingresstopologies in the cluster", "ask an administrator"]);
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (code, text) = Server::at(gone).run(&["check"]);
    assert_eq!(code, Some(3), "{text}");
    assert_all(&text, &["cannot be reached", "refused"]);
    let (code, text) = Server::at(gone).run(&["status", "--context", "mani"]);
    assert_eq!(code, Some(2), "{text}");
    assert_all(&text, &["no context mani (did you mean main?)"]);
    let output = bailey(&["status", "--kubeconfig", "/nowhere/config"]);
    assert_eq!(output.status.code(), Some(2));
    assert_all(&String::from_utf8_lossy(&output.stderr), &["/nowhere/config cannot be read", "--kubeconfig"]);
    let (code, text) = Server::start(Api::default()).run(&["status"]);
    assert_eq!(code, Some(1), "{text}");
    assert_all(&text, &["is Bailey installed in it?", "bailey check --pre"]);
}

#[test]
fn a_request_is_explained_of_what_the_tiers_of_the_cluster_read() {
    let (code, text) = Server::start(cluster("True")).run(&["explain", "http://a.invalid/x"]);
    assert_eq!(code, Some(0), "{text}");
    assert_all(&text, &["HTTPRoute team-a/web", "Service team-a/app port 80", "10.0.0.1:80"]);
    assert!(!text.contains("note:"), "{text}");
}

#[test]
fn what_may_not_be_read_is_said_and_not_left_out_silently() {
    let services = "/api/v1/namespaces/team-a/services";
    let server = Server::start(Api { refused: vec![services], ..cluster("True") });
    let (_, text) = server.run(&["explain", "http://a.invalid/x"]);
    assert_all(&text, &["note: jane may not list services"]);
    let (_, text) = server.run(&["analyze"]);
    assert_all(&text, &["jane may not list services", "of the cluster"]);
}

#[test]
fn analyze_and_test_ask_the_cluster_and_diff_compares_files_with_it() {
    let server = Server::start(cluster("True"));
    let (code, text) = server.run(&["analyze"]);
    assert_eq!(code, Some(0), "{text}");
    assert_all(&text, &["0 errors"]);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let tests = "tests:\n  - name: web\n    request: {url: http://a.invalid/}\n    expect: {backend: team-a/app:80}\n";
    let (code, text) = server.run(&["test", &path("tests.yaml", tests)]);
    assert_eq!(code, Some(0), "{text}");
    let route = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: web, namespace: team-a}\n\
        spec: {parentRefs: [{name: main}], hostnames: [a.invalid], rules: [{matches: [{path: {value: /only}}], backendRefs: [{name: app, port: 80}]}]}\n";
    let (code, text) = server.run(&["diff", &path("route.yaml", route)]);
    assert_eq!(code, Some(1), "{text}");
    assert_all(&text, &["/only"]);
}

#[test]
fn a_missing_permission_is_named_with_its_account_and_a_remedy() {
    let server = Server::start(Api { lacking: vec!["httproutes"], ..cluster("True") });
    let (code, text) = server.run(&["check"]);
    assert_eq!(code, Some(1), "{text}");
    assert_all(
        &text,
        &[
            "BLY0901 ServiceAccount team-a/main-a",
            "system:serviceaccount:team-a:main-a may not list httproutes.gateway.networking.k8s.io in namespace team-a",
            "→ apply the installation again",
            "BLY0912",
            "a.invalid has no address in DNS",
        ],
    );
}

#[test]
fn whoever_may_not_ask_for_others_gets_the_answer_from_roles_or_is_told_that_there_is_none() {
    const REVIEWS: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let mut api = Api { refused: vec![REVIEWS], ..cluster("True") };
    for kind in ["roles", "rolebindings", "clusterroles", "clusterrolebindings"] {
        api = api.list(&format!("{rbac}/{kind}"), &[]);
    }
    let (_, text) = Server::start(api).run(&["check"]);
    assert_all(
        &text,
        &[
            "system:serviceaccount:bailey-system:bailey-operator may not watch ingresstopologies.bailey.dev in the cluster",
        ],
    );
    let (_, text) = Server::start(Api { refused: vec![REVIEWS], ..cluster("True") }).run(&["check"]);
    assert_all(&text, &["BLY0902"]);
}

#[test]
fn before_an_installation_the_cluster_is_looked_at() {
    let mut api = cluster("True")
        .list("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &[])
        .list("/apis/storage.k8s.io/v1/storageclasses", &[])
        .list("/api/v1/services", &[]);
    api.answers.insert(
        "/version".to_owned(),
        json!({
            "major": "1", "minor": "29+", "gitVersion": "", "gitCommit": "", "gitTreeState": "", "buildDate": "", "goVersion": "",
            "compiler": "", "platform": "",
        }),
    );
    let (code, text) = Server::start(api).run(&["check", "--pre"]);
    assert_eq!(code, Some(1), "{text}");
    assert_all(
        &text,
        &["BLY0904", "it is 1.29", "BLY0905 CustomResourceDefinition httproutes.gateway.networking.k8s.io", "BLY0910"],
    );
}

/// A cluster whose outer tier has ordered a certificate for `a.invalid` and waits for another.
fn ordering() -> Api {
    let mut main = topology("True");
    let source = "ordered from https://acme.invalid/dir";
    main["spec"]["outer"]["acme"] = json!({"directory": "https://acme.invalid/dir", "challenge": {"http01": {}}});
    main["status"]["certificates"] = json!([
        {"hosts": ["b.invalid"], "source": source, "nextStep": "order a certificate at 2999-01-01T00:00:00Z", "lastError": "dns: no address"},
        {"hosts": ["a.invalid"], "source": source, "issuer": "R10", "notAfter": "2999-01-01T00:00:00Z"},
    ]);
    let name = "a.invalid".parse::<bailey_crds::Hostname>().unwrap().binding_name();
    let mut api = Api::default().list(TOPOLOGIES, &[main]);
    let binding = json!({
        "apiVersion": "bailey.dev/v1alpha1", "kind": "HostnameBinding",
        "metadata": {"namespace": "out", "name": name, "uid": "u", "resourceVersion": "7"},
        "spec": {"hostname": "a.invalid", "tenant": "a", "service": {"namespace": "team-a", "name": "main-a", "port": 8443}},
    });
    api.answers.insert(format!("/apis/bailey.dev/v1alpha1/namespaces/out/hostnamebindings/{name}"), binding);
    api
}

#[test]
fn certificates_are_listed_shown_and_renewed_and_a_missing_one_is_a_no() {
    let server = Server::start(ordering());
    let (code, text) = server.run(&["cert", "list"]);
    assert_eq!(code, Some(1), "{text}");
    assert_all(&text, &["b.invalid", "none yet", "dns: no address", "2999-01-01T00:00:00Z"]);
    let (code, text) = server.run(&["cert", "show", "a.invalid"]);
    assert_eq!(code, Some(0), "{text}");
    assert_all(&text, &["issuer    R10", "source    ordered from https://acme.invalid/dir"]);
    let (code, text) = server.run(&["cert", "show", "c.invalid"]);
    assert_eq!(code, Some(1), "{text}");
    assert_all(&text, &["no outer tier has or waits for a certificate for c.invalid (did you mean"]);
    let (code, text) = server.run(&["cert", "renew", "a.invalid", "--dry-run"]);
    assert_eq!(code, Some(0), "{text}");
    assert_all(
        &text,
        &["would order a certificate for a.invalid, from https://acme.invalid/dir by http-01", "nothing was changed"],
    );
    let (code, json) = server.run(&["cert", "renew", "a.invalid", "-o", "json"]);
    assert_eq!(code, Some(0), "{json}");
    let json: Value = serde_json::from_str(&json).unwrap();
    assert!(json["requested"].is_string() && json["binding"].as_str().unwrap().starts_with("out/"), "{json}");
    // Nobody has that name in the ledger.
    let (code, text) = server.run(&["cert", "renew", "b.invalid"]);
    assert_eq!(code, Some(1), "{text}");
    assert_all(&text, &["no HostnameBinding for b.invalid in namespace out"]);
}
