//! Files of both settings, and files that lack what a cluster has.

use std::fs;

use super::*;

const TOPOLOGY: &str = "
apiVersion: bailey.dev/v1alpha1
kind: IngressTopology
metadata: {name: main}
spec:
  outer:
    namespace: edge
    exposure: {service: {type: LoadBalancer}}
    listeners: [{name: http, port: 80, protocol: HTTP}]
  tenants:
    - {name: a, namespaces: {names: [a]}, hostnames: [a.example.com]}
";

const ROUTE: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: a}
spec:
  parentRefs: [{name: main}]
  hostnames: [a.example.com]
  rules: [{backendRefs: [{name: app, port: 80}]}]
";

const BACKEND: &str = "
apiVersion: bailey.dev/v1alpha1
kind: LocalBackend
metadata: {name: app, namespace: a}
spec: {echo: {}}
";

const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: other, namespace: a}
spec: {ports: [{port: 80}]}
";

fn read(texts: &[&str]) -> Folder {
    let kept = tempfile::tempdir().unwrap();
    for (index, text) in texts.iter().enumerate() {
        fs::write(kept.path().join(format!("{index}.yaml")), text).unwrap();
    }
    Folder::read(&[kept.path().to_owned()], None).unwrap()
}

fn said(folder: &Folder) -> Vec<&'static str> {
    folder.diagnostics.iter().map(|found| found.code.name()).collect()
}

#[test]
fn local_backends_make_a_folder_local_and_count_as_services() {
    let folder = read(&[TOPOLOGY, ROUTE, BACKEND]);
    assert_eq!((folder.setting, said(&folder)), (Setting::Local, Vec::new()));
    assert!(folder.assumed.is_empty());
    assert_eq!(folder.fronts().count(), 1);
    let inner = folder.inner("main", "a").unwrap();
    assert_eq!(inner.snapshot.table.route_count(), 1);
    assert_eq!(inner.snapshot.table.upstreams().map(|upstream| upstream.endpoints.len()).collect::<Vec<_>>(), [1]);
    let outer = &folder.fronts().next().unwrap().snapshot;
    assert!(outer.table.upstreams().all(|upstream| !upstream.endpoints.is_empty()));
}

#[test]
fn files_for_a_cluster_are_taken_to_have_what_files_lack() {
    let folder = read(&[TOPOLOGY, ROUTE]);
    assert_eq!((folder.setting, said(&folder)), (Setting::Cluster, Vec::new()));
    assert_eq!(folder.assumed, [Assumption::Services, Assumption::Endpoints]);
    // A kind of which there are some is complete.
    assert_eq!(said(&read(&[TOPOLOGY, ROUTE, SERVICE])), ["BackendNotFound"]);
}

#[test]
fn routes_alone_are_read_as_if_their_gateway_took_everything() {
    let folder = read(&[ROUTE]);
    assert_eq!(said(&folder), [""; 0]);
    assert_eq!(folder.assumed[0], Assumption::Gateways { names: vec!["a/main".to_owned()] });
    let tiers: Vec<_> = folder.fronts().map(|tier| tier.snapshot.table.route_count()).collect();
    assert_eq!(tiers, [1]);
}

#[test]
fn what_cannot_be_used_does_not_hide_the_rest() {
    let kept = tempfile::tempdir().unwrap();
    fs::write(kept.path().join("a.yaml"), ROUTE).unwrap();
    fs::write(kept.path().join("b.yaml"), "kind: [").unwrap();
    let (folder, problems) = Folder::read_usable(&[kept.path().to_owned()], None);
    assert_eq!((folder.fronts().count(), problems.len()), (1, 1));
    assert!(Folder::read(&[kept.path().to_owned()], None).unwrap_err().to_string().contains("b.yaml:1"));
}
