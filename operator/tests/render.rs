//! Rendered manifests: golden files of whole topologies, and what holds for every topology.
//!
//! `BAILEY_GOLDEN=write` writes the golden files again (`make golden`).

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bailey_crds::IngressTopology;
use bailey_operator::labels;
use bailey_operator::ledger::{self, Asking, Wish};
use bailey_operator::manifest::{Child, Manifests, Rendered};
use bailey_operator::render::{Facts, Rendering, binding, render};
use bailey_operator::validate::{ValidTopology, validate};
use bailey_translate::{Object, Objects};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt as _;
use proptest::prelude::*;
use serde_json::{Value, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/operator")
}

fn namespace(name: &str) -> Namespace {
    serde_json::from_value(json!({"metadata": {"name": name}})).unwrap()
}

/// The topology with the namespaces it names, as if all were in the cluster.
fn prepare(topology: &IngressTopology, mut namespaces: Objects) -> (ValidTopology, Facts) {
    let spec = &topology.spec;
    let named = spec.tenants.iter().flat_map(|tenant| tenant.namespaces.names.iter().flatten());
    for name in named.chain([&spec.outer.namespace]) {
        namespaces.insert(namespace(name), None);
    }
    let wish =
        |tenant: &str, hostname: &bailey_crds::Hostname| Wish { hostname: hostname.clone(), tenant: tenant.to_owned() };
    let wishes: Vec<Wish> =
        spec.tenants.iter().flat_map(|tenant| tenant.hostnames.iter().map(|host| wish(&tenant.name, host))).collect();
    let hostnames = ledger::decide(
        Asking { topology: &topology.name_any(), namespace: &topology.spec.outer.namespace },
        &wishes,
        &[],
        Timestamp::UNIX_EPOCH,
    );
    let valid = validate(topology, &namespaces, &hostnames).expect("the topology is valid");
    let facts = Facts {
        inner_image: "bailey.test/proxy:1".to_owned(),
        outer_image: "bailey.test/proxy:1".to_owned(),
        namespaces: namespaces.all::<Namespace>().map(|(key, _)| key.name.clone()).collect(),
        gateway_api: true,
    };
    (valid, facts)
}

fn rendered(topology: &IngressTopology, namespaces: Objects) -> (ValidTopology, Rendering) {
    let (valid, facts) = prepare(topology, namespaces);
    let rendering = render(&valid, &facts);
    (valid, rendering)
}

fn read(path: &Path) -> (IngressTopology, Objects) {
    let text = fs::read_to_string(path).unwrap();
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let mut objects = Objects::default();
    let mut topology = None;
    for document in documents {
        if document["kind"] == "IngressTopology" {
            topology = Some(serde_json::from_value(document).unwrap());
        } else {
            objects.insert_any(Object::from_value(document).unwrap(), None);
        }
    }
    (topology.expect("a case has a topology"), objects)
}

#[test]
fn topologies_are_rendered_as_the_golden_files_say() {
    let write = std::env::var("BAILEY_GOLDEN").is_ok_and(|value| value == "write");
    let mut cases = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        cases += 1;
        let (topology, namespaces) = read(&path);
        let (valid, rendering) = rendered(&topology, namespaces);
        assert_eq!(rendering.problems, [], "{}", path.display());
        let bindings = valid.bindings.iter().map(|resolved| binding(&valid, resolved));
        let objects = rendering.manifests.iter().map(|manifest| manifest.object.clone()).chain(bindings);
        let text = objects.fold(String::new(), |text, object| text + "---\n" + &bailey_crds::yaml(&object));
        let expected = path.with_extension("rendered");
        if write {
            fs::write(&expected, &text).unwrap();
        }
        let before = fs::read_to_string(&expected).unwrap_or_default();
        assert!(before == text, "{} is not what is rendered now; look at `make golden`", expected.display());
    }
    assert!(cases >= 3, "the golden files are not where they should be");
}

#[test]
fn the_sample_for_a_cluster_is_rendered_without_a_problem() {
    let text = fs::read_to_string(folder().join("../../../samples/cluster/two-tenants.yaml")).unwrap();
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let topology = documents.iter().find(|document| document["kind"] == "IngressTopology").unwrap();
    let (valid, rendering) = rendered(&serde_json::from_value(topology.clone()).unwrap(), Objects::default());
    assert_eq!((valid.diagnostics.len(), rendering.problems.len()), (0, 0));
    for route in documents.iter().filter(|document| document["kind"] == "HTTPRoute") {
        let hosts = route["spec"]["hostnames"].as_array().unwrap();
        assert!(
            hosts.iter().all(|host| valid.bindings.iter().any(|one| one.spec.hostname.as_str() == host)),
            "{route}"
        );
    }
}

#[test]
fn the_samples_of_certificates_are_rendered_without_a_problem() {
    let mut samples = 0;
    for entry in fs::read_dir(folder().join("../../../samples/certificates")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let documents: Vec<Value> = serde_saphyr::from_multiple(&fs::read_to_string(&path).unwrap()).unwrap();
        let topology = documents.iter().find(|document| document["kind"] == "IngressTopology").unwrap();
        let (valid, rendering) = rendered(&serde_json::from_value(topology.clone()).unwrap(), Objects::default());
        let problems: Vec<String> = rendering.problems.iter().map(ToString::to_string).collect();
        assert!(valid.diagnostics.is_empty() && problems.is_empty(), "{}: {problems:?}", path.display());
        samples += 1;
    }
    assert_eq!(samples, 6);
}

#[test]
fn a_namespace_that_is_missing_costs_only_what_would_be_in_it() {
    let (topology, namespaces) = read(&folder().join("two-tenants.yaml"));
    let (valid, mut facts) = prepare(&topology, namespaces);
    facts.namespaces.remove("team-a");
    let rendering = render(&valid, &facts);
    let messages: Vec<String> = rendering.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        messages,
        ["namespace of tenant team-a: there is no namespace team-a; create it, or take it out of IngressTopology main"]
    );
    assert!(rendering.manifests.iter().all(|manifest| manifest.key.namespace != "team-a"));
    let deployments = of(&rendering.manifests, Child::Deployment).count();
    assert_eq!(deployments, 2, "the outer tier and team-b's");
}

#[test]
fn without_the_gateway_api_the_rest_is_made_and_it_is_said() {
    let (topology, namespaces) = read(&folder().join("two-tenants.yaml"));
    let (valid, mut facts) = prepare(&topology, namespaces);
    facts.gateway_api = false;
    let rendering = render(&valid, &facts);
    assert!(rendering.problems[0].message.contains("Gateway API"));
    assert!(rendering.manifests.iter().all(|manifest| !manifest.key.child.is_gateway_api()));
}

#[test]
fn what_the_api_server_would_refuse_is_refused_with_all_reasons_at_once() {
    let (mut topology, namespaces) = read(&folder().join("two-tenants.yaml"));
    topology.spec.outer.listeners.clear();
    topology.spec.tenants[0].namespaces.names = Some(vec!["ingress-main".to_owned()]);
    topology.spec.tenants[0].name = "Bad".to_owned();
    let refused = validate(&topology, &namespaces, &ledger::Decision::default()).unwrap_err();
    assert!(refused.len() >= 2, "{refused:?}");
}

#[test]
fn only_an_outer_tier_that_orders_certificates_into_secrets_may_write_secrets() {
    let (mut topology, namespaces) = read(&folder().join("two-tenants.yaml"));
    let store = |topology: &IngressTopology, namespaces: &Objects| -> Vec<String> {
        let (_, rendering) = rendered(topology, namespaces.clone());
        let keeps = |binding: &&Value| binding["roleRef"]["name"] == "bailey-certificate-store";
        let found = of(&rendering.manifests, Child::RoleBinding).filter(keeps);
        found
            .map(|binding| format!("{} {}", binding["metadata"]["namespace"], binding["subjects"][0]["name"]))
            .collect()
    };
    topology.spec.outer.acme = None;
    assert!(store(&topology, &namespaces).is_empty());
    let acme = json!({"directory": "https://pebble.acme:14000/dir", "challenge": {"http01": {}}});
    topology.spec.outer.acme = serde_json::from_value(acme).unwrap();
    topology.spec.outer.certificates = serde_json::from_value(json!({"store": {"volume": {"size": "64Mi"}}})).unwrap();
    topology.spec.outer.replicas = 1;
    assert!(store(&topology, &namespaces).is_empty(), "a volume needs no Secrets");
    topology.spec.outer.certificates = serde_json::from_value(json!({"store": {"secrets": {}}})).unwrap();
    assert_eq!(store(&topology, &namespaces), [r#""ingress-main" "main-outer""#]);
    // The authority is reached, wherever it listens.
    let (_, rendering) = rendered(&topology, namespaces);
    let policies: Vec<&Value> = of(&rendering.manifests, Child::NetworkPolicy).collect();
    let opens = |policy: &&&Value| policy["spec"]["egress"].to_string().contains("14000");
    let names: Vec<&Value> = policies.iter().filter(opens).map(|policy| &policy["metadata"]["name"]).collect();
    assert_eq!(names, ["main-outer"]);
}

fn of(manifests: &Manifests<Rendered>, child: Child) -> impl Iterator<Item = &Value> {
    manifests.iter().filter(move |manifest| manifest.key.child == child).map(|manifest| &manifest.object)
}

/// A topology of tenants with these names and numbers of namespaces.
fn topology_of(name: &str, tenants: &[(String, usize, bool)]) -> IngressTopology {
    let tenant = |(index, (name, count, managed)): (usize, &(String, usize, bool))| {
        let namespaces: Vec<String> = (0..*count).map(|n| format!("ns-{index}-{n}")).collect();
        let placement = if *managed { "Managed" } else { "TenantNamespace" };
        json!({
            "name": name,
            "namespaces": {"names": namespaces},
            "hostnames": [format!("host-{index}.example.com")],
            "inner": {"placement": placement},
        })
    };
    serde_json::from_value(json!({
        "apiVersion": "bailey.dev/v1alpha1",
        "kind": "IngressTopology",
        "metadata": {"name": name, "uid": "u", "generation": 1},
        "spec": {
            "outer": {"namespace": "outer-namespace", "listeners": [{"name": "https", "port": 443, "protocol": "HTTPS"}]},
            "tenants": tenants.iter().enumerate().map(tenant).collect::<Vec<_>>(),
        },
    }))
    .unwrap()
}

fn tenants() -> impl Strategy<Value = Vec<(String, usize, bool)>> {
    let tenant = ("[a-z][-a-z0-9]{0,38}[a-z0-9]", 1_usize..4, any::<bool>());
    prop::collection::vec(tenant, 1..6).prop_map(|mut tenants| {
        let mut seen = BTreeSet::new();
        tenants.retain(|(name, ..)| seen.insert(name.clone()));
        tenants
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn names_fit_labels_are_there_and_every_child_has_its_owner(name in "[a-z][-a-z0-9]{0,38}[a-z0-9]", tenants in tenants()) {
        let (valid, rendering) = rendered(&topology_of(&name, &tenants), Objects::default());
        prop_assert_eq!(valid.inners.len(), tenants.len());
        for manifest in rendering.manifests.iter() {
            let metadata = &manifest.object["metadata"];
            prop_assert!(manifest.key.name.len() <= 63, "{}", manifest.key);
            prop_assert_eq!(&metadata["labels"][labels::MANAGED_BY], labels::MANAGER);
            prop_assert_eq!(&metadata["labels"][labels::TOPOLOGY], name.as_str());
            prop_assert_eq!(&metadata["ownerReferences"][0]["uid"], "u");
            for label in metadata["labels"].as_object().unwrap().values() {
                prop_assert!(label.as_str().unwrap().len() <= 63);
            }
        }
    }

    #[test]
    fn no_two_tenants_share_a_child(name in "[a-z][-a-z0-9]{0,38}[a-z0-9]", tenants in tenants()) {
        let (valid, rendering) = rendered(&topology_of(&name, &tenants), Objects::default());
        // Were two of one name, the second would have taken the place of the first.
        let count = |child| of(&rendering.manifests, child).count();
        prop_assert_eq!(count(Child::Deployment), 1 + valid.inners.len());
        prop_assert_eq!(count(Child::ClusterRoleBinding), valid.inners.len());
        let managed = valid.inners.iter().filter(|tier| tier.managed_namespace).count();
        prop_assert_eq!(count(Child::Namespace), managed);
        let namespaces: usize = valid.inners.iter().map(|tier| tier.config.namespaces.len()).sum();
        prop_assert_eq!(count(Child::RoleBinding), 2 + valid.inners.len() + namespaces + managed);
    }

    #[test]
    fn every_binding_names_an_account_that_is_rendered_where_it_says(name in "[a-z]{1,40}", tenants in tenants()) {
        let (_, rendering) = rendered(&topology_of(&name, &tenants), Objects::default());
        let accounts: BTreeSet<(String, String)> = rendering
            .manifests
            .iter()
            .filter(|manifest| manifest.key.child == Child::ServiceAccount)
            .map(|manifest| (manifest.key.namespace.clone(), manifest.key.name.clone()))
            .collect();
        for child in [Child::RoleBinding, Child::ClusterRoleBinding] {
            for binding in of(&rendering.manifests, child) {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let subject = &binding["subjects"][0];
                prop_assert!(accounts.contains(&(text(&subject["namespace"]), text(&subject["name"]))), "{}", binding);
                prop_assert!(binding["subjects"].as_array().unwrap().len() == 1);
                let role = text(&binding["roleRef"]["name"]);
                prop_assert!(bailey_crds::access::TIER_ROLES.iter().any(|known| known.name == role), "{}", role);
            }
        }
    }

    #[test]
    fn the_order_of_tenants_changes_nothing_but_the_order_of_tenants(tenants in tenants()) {
        let forward = topology_of("main", &tenants);
        let mut backward = forward.clone();
        backward.spec.tenants.reverse();
        let digests = |topology: &IngressTopology| -> BTreeSet<(String, String)> {
            let (_, rendering) = rendered(topology, Objects::default());
            let inner = |value: &Value| value["metadata"]["labels"][labels::TIER] == "inner";
            rendering.manifests.iter().filter(|m| inner(&m.object)).map(|m| (m.key.to_string(), m.digest.clone())).collect()
        };
        prop_assert_eq!(digests(&forward), digests(&backward));
    }
}

#[test]
fn every_pod_is_restricted_and_nothing_of_the_proxies_may_write() {
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let (topology, namespaces) = read(&path);
        let (_, rendering) = rendered(&topology, namespaces);
        let workloads = of(&rendering.manifests, Child::Deployment).chain(of(&rendering.manifests, Child::DaemonSet));
        for workload in workloads {
            let pod = &workload["spec"]["template"]["spec"];
            assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
            assert_eq!(pod["securityContext"]["runAsUser"], 65532);
            assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
            let own = &pod["containers"][0]["securityContext"];
            assert_eq!(own["allowPrivilegeEscalation"], false);
            assert_eq!(own["readOnlyRootFilesystem"], true);
            assert_eq!(own["capabilities"], json!({"drop": ["ALL"]}));
            for port in pod["containers"][0]["ports"].as_array().unwrap() {
                assert!(port["containerPort"].as_u64().unwrap() >= 1024, "{port}");
            }
            assert!(pod["hostNetwork"].is_null() && pod["containers"][0]["resources"]["requests"]["cpu"].is_string());
        }
    }
    let keeps = bailey_crds::access::STORE;
    for role in bailey_crds::access::TIER_ROLES.into_iter().filter(|role| *role != keeps) {
        for access in role.may {
            assert!(access.verbs.iter().all(|verb| ["get", "list", "watch"].contains(verb)), "{}", role.name);
            assert!(access.resource != "secrets" || access.verbs == ["get"], "{}", role.name);
        }
    }
}
