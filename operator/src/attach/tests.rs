//! Whole looks at a small world: what is written, and that nothing is written twice.

use bailey_crds::IngressTopology;
use bailey_translate::{CONTROLLER, Object};
use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::*;
use crate::testing::valid;

/// Two tenants, the first with two namespaces, and the Gateways that the operator makes for them.
struct Bed {
    world: World,
    topologies: Vec<Arc<ValidTopology>>,
    attachments: Attachments,
}

fn topology() -> Value {
    let listeners =
        json!([{"name": "http", "port": 80, "protocol": "HTTP"}, {"name": "https", "port": 443, "protocol": "HTTPS"}]);
    json!({
        "apiVersion": "bailey.dev/v1alpha1", "kind": "IngressTopology",
        "metadata": {"name": "main", "uid": "u", "generation": 1},
        "spec": {
            "outer": {"namespace": "out", "listeners": listeners},
            "tenants": [
                {"name": "a", "namespaces": {"names": ["team-a", "team-a2"]}, "hostnames": ["a.example.com"]},
                {"name": "b", "namespaces": {"names": ["team-b"]}, "hostnames": ["b.example.com"], "suspended": true},
            ],
        },
    })
}

fn gateway(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {"namespace": namespace, "name": name, "uid": format!("{namespace}/{name}"), "generation": 3, "resourceVersion": "g"},
        "spec": {"gatewayClassName": "main", "listeners": [
            {"name": "http", "port": 80, "protocol": "HTTP"},
            {"name": "https", "port": 443, "protocol": "HTTPS", "tls": {"options": {"bailey.dev/certificates": "outer"}}},
        ]},
    })
}

fn route(namespace: &str, name: &str, parents: &Value, backend: &str) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"namespace": namespace, "name": name, "generation": 7, "resourceVersion": "r"},
        "spec": {"parentRefs": parents, "hostnames": ["a.example.com"], "rules": [{"backendRefs": [{"name": backend, "port": 80}]}]},
    })
}

fn parent(value: Value) -> Value {
    let mut parent = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "main"});
    let Value::Object(fields) = value else { panic!("{value}") };
    parent.as_object_mut().unwrap().extend(fields);
    parent
}

impl Bed {
    fn new(routes: Vec<Value>) -> Self {
        let (topology_now, _) = valid(topology());
        let mut world = World::default();
        let object: IngressTopology = serde_json::from_value(topology()).unwrap();
        world.topologies.insert("main".to_owned(), Arc::new(object));
        for namespace in ["team-a", "team-b"] {
            let made: DynamicObject = serde_json::from_value(gateway(namespace, "main")).unwrap();
            let key = ChildKey { child: Child::Gateway, namespace: namespace.to_owned(), name: "main".to_owned() };
            world.children.insert(key, Arc::new(made));
        }
        let app = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "app", "namespace": "team-a"}, "spec": {"ports": [{"port": 80}]}});
        let service = tower::service_fn(|_: http::Request<kube::client::Body>| async {
            Err::<http::Response<kube::client::Body>, _>(std::io::Error::other("nobody is asked here"))
        });
        let attachments = Attachments::new(Client::new(service, "default"), Arc::new(Metrics::default()));
        let mut bed = Self { world, topologies: vec![Arc::new(topology_now)], attachments };
        for value in [gateway("team-a", "main"), gateway("team-b", "main"), app].into_iter().chain(routes) {
            bed.put(value);
        }
        bed
    }

    fn put(&mut self, value: Value) {
        Arc::make_mut(&mut self.world.routing).insert_any(Object::from_value(value).unwrap(), None);
    }

    fn tiers(&mut self, ready: u32) {
        let mut object = topology();
        let tier = |name: &str| json!({"name": name, "namespace": "n", "ready": ready, "desired": 2});
        object["status"] = json!({"tiers": [tier("outer"), tier("a"), tier("b")], "addresses": [{"type": "IPAddress", "value": "192.0.2.1"}]});
        self.world.topologies.insert("main".to_owned(), Arc::new(serde_json::from_value(object).unwrap()));
    }

    /// One look at everything; what is written is in the world afterwards.
    fn look(&mut self, second: i64) -> Vec<Write> {
        self.look_at(&Dirty { routes: true, ..Dirty::default() }, second)
    }

    fn look_at(&mut self, dirty: &Dirty, second: i64) -> Vec<Write> {
        let now = Timestamp::from_second(second).unwrap();
        let known = self.topologies.len() == self.world.topologies.len();
        let writes = self.attachments.decide(&self.world, &self.topologies.clone(), dirty, known, now);
        for write in &writes {
            let (kind, key) = match &write.target {
                Target::Route { kind, key } => (*kind, key),
                Target::Gateway { key } => (Gateway::KIND, key),
                Target::Class { .. } => panic!("there is no class in this world"),
            };
            let mut value = self.object(kind, &key.namespace, &key.name);
            let mut status = value["status"].as_object().cloned().unwrap_or_default();
            status.extend(write.status.as_object().unwrap().clone());
            value["status"] = status.into();
            self.put(value);
        }
        writes
    }

    fn object(&self, kind: &str, namespace: &str, name: &str) -> Value {
        let all = self.world.routing.to_values();
        let is = |one: &&Value| {
            one["kind"] == kind && one["metadata"]["namespace"] == namespace && one["metadata"]["name"] == name
        };
        all.iter().find(is).unwrap_or_else(|| panic!("{kind} {namespace}/{name}")).clone()
    }

    /// Status, reason and message of a condition of our entry for the parentRef at `index` of a route's status.
    fn told(&self, namespace: &str, name: &str, index: usize, type_: &str) -> (String, String, String) {
        let route = self.object("HTTPRoute", namespace, name);
        let entry = &route["status"]["parents"][index];
        assert_eq!(entry["controllerName"], CONTROLLER, "{route}");
        words(&entry["conditions"], type_)
    }
}

fn words(conditions: &Value, type_: &str) -> (String, String, String) {
    let found = conditions.as_array().unwrap().iter().find(|one| one["type"] == type_).unwrap();
    let text = |key: &str| found[key].as_str().unwrap().to_owned();
    (text("status"), text("reason"), text("message"))
}

#[tokio::test]
async fn a_route_is_told_what_became_of_it_once() {
    let parents = json!([parent(json!({}))]);
    let mut bed = Bed::new(vec![route("team-a", "web", &parents, "app"), route("team-a", "lost", &parents, "nothing")]);
    assert_eq!(bed.look(100).len(), 4, "two routes and two Gateways");
    assert_eq!(
        bed.told("team-a", "web", 0, "Accepted"),
        ("True".into(), "Accepted".into(), "the route is served".into())
    );
    assert_eq!(bed.told("team-a", "web", 0, "ResolvedRefs").0, "True");
    let (status, reason, message) = bed.told("team-a", "lost", 0, "ResolvedRefs");
    assert_eq!((status.as_str(), reason.as_str()), ("False", "BackendNotFound"));
    assert!(
        message.contains("spec.rules[0].backendRefs[0]") && message.contains("there is no Service team-a/nothing"),
        "{message}"
    );
    assert_eq!(bed.look(200), [], "the same is not written again, whatever the time");
    // The Service comes: one route is told, and the time of its other condition stays.
    bed.put(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "nothing", "namespace": "team-a"}, "spec": {"ports": [{"port": 80}]}}));
    let writes = bed.look_at(&Dirty { namespaces: ["team-a".to_owned()].into(), ..Dirty::default() }, 300);
    let conditions = &writes[0].status["parents"][0]["conditions"];
    assert_eq!((writes.len(), conditions[0]["lastTransitionTime"].as_str()), (1, Some("1970-01-01T00:01:40Z")));
    assert_eq!(
        (conditions[1]["status"].as_str(), conditions[1]["lastTransitionTime"].as_str()),
        (Some("True"), Some("1970-01-01T00:05:00Z"))
    );
    assert_eq!((writes[0].version.as_deref(), conditions[0]["observedGeneration"].as_i64()), (Some("r"), Some(7)));
}

#[tokio::test]
async fn entries_of_other_controllers_stay_and_ours_goes_with_the_reference() {
    let theirs = json!({"parentRef": {"name": "edge"}, "controllerName": "example.org/other", "conditions": []});
    let both = json!([{"name": "edge"}, parent(json!({}))]);
    let mut web = route("team-a", "web", &both, "app");
    web["status"] = json!({"parents": [theirs]});
    let mut bed = Bed::new(vec![web.clone()]);
    bed.look(100);
    let parents = bed.object("HTTPRoute", "team-a", "web")["status"]["parents"].clone();
    assert_eq!((&parents[0], &parents[1]["parentRef"]["name"]), (&theirs, &json!("main")));
    let mut left = bed.object("HTTPRoute", "team-a", "web");
    left["spec"]["parentRefs"] = json!([{"name": "edge"}]);
    bed.put(left);
    bed.look(200);
    assert_eq!(bed.object("HTTPRoute", "team-a", "web")["status"], json!({"parents": [theirs]}));
    // A tenant that is gone takes its entries with it; one that is not understood yet does not.
    bed.put(web);
    bed.look(300);
    let kept = std::mem::take(&mut bed.topologies);
    bed.attachments.claims.clear();
    assert!(bed.look(400).is_empty(), "the topology exists and has not been understood");
    bed.topologies = kept;
    bed.look(500);
    bed.topologies.clear();
    bed.world.topologies.clear();
    bed.look(600);
    assert_eq!(bed.object("HTTPRoute", "team-a", "web")["status"], json!({"parents": [theirs]}));
}

#[tokio::test]
async fn whoever_belongs_to_no_tenant_is_told_so() {
    let by_name = route("strange", "by-name", &json!([parent(json!({}))]), "app");
    let by_gateway = route("strange", "by-gateway", &json!([parent(json!({"namespace": "team-a"}))]), "app");
    let elsewhere = route("strange", "elsewhere", &json!([{"name": "edge"}]), "app");
    let second = route("team-a2", "second", &json!([parent(json!({}))]), "app");
    let mut bed = Bed::new(vec![by_name, by_gateway, elsewhere, second]);
    bed.look(100);
    let (status, reason, message) = bed.told("strange", "by-name", 0, "Accepted");
    assert_eq!((status.as_str(), reason.as_str()), ("False", "NoMatchingParent"));
    assert!(message.contains("namespace strange belongs to no tenant of IngressTopology main"), "{message}");
    assert_eq!(bed.told("strange", "by-gateway", 0, "Accepted").1, "NotAllowedByListeners");
    assert!(bed.object("HTTPRoute", "strange", "elsewhere")["status"].is_null());
    assert_eq!(
        bed.told("team-a2", "second", 0, "Accepted").0,
        "True",
        "any namespace of the tenant may name the topology"
    );
}

#[tokio::test]
async fn a_host_that_is_not_the_tenant_s_and_a_listener_that_is_not_there_are_named() {
    let mut other = route("team-a", "other", &json!([parent(json!({}))]), "app");
    other["spec"]["hostnames"] = json!(["b.example.com"]);
    let missing = route("team-a", "missing", &json!([parent(json!({"sectionName": "ftp"}))]), "app");
    let mut bed = Bed::new(vec![other, missing]);
    bed.look(100);
    let (status, _, message) = bed.told("team-a", "other", 0, "Accepted");
    assert!(status == "False" && message.contains("b.example.com"), "{message}");
    let (status, reason, message) = bed.told("team-a", "missing", 0, "Accepted");
    assert_eq!((status.as_str(), reason.as_str()), ("False", "NoMatchingParent"));
    assert!(message.contains("has name ftp"), "{message}");
}

#[tokio::test]
async fn a_gateway_says_whether_its_tiers_serve_and_how_many_routes_each_listener_has() {
    let all = json!([parent(json!({}))]);
    let one = json!([parent(json!({"sectionName": "https"}))]);
    let mut bed = Bed::new(vec![route("team-a", "web", &all, "app"), route("team-a", "tls", &one, "app")]);
    bed.look(100);
    let gateway = |bed: &Bed, namespace| bed.object("Gateway", namespace, "main")["status"].clone();
    let status = gateway(&bed, "team-a");
    assert_eq!(words(&status["conditions"], "Accepted").0, "True");
    assert_eq!(words(&status["conditions"], "Programmed").1, "Pending");
    assert!(status["addresses"].is_null());
    bed.tiers(1);
    assert_eq!(bed.look_at(&Dirty::default(), 200).len(), 2, "the news of the tiers are enough");
    let status = gateway(&bed, "team-a");
    assert_eq!(words(&status["conditions"], "Programmed").0, "True");
    assert_eq!(status["addresses"], json!([{"type": "IPAddress", "value": "192.0.2.1"}]));
    let counts: Vec<_> =
        status["listeners"].as_array().unwrap().iter().map(|one| one["attachedRoutes"].as_u64().unwrap()).collect();
    assert_eq!(counts, [1, 2]);
    assert_eq!(words(&status["listeners"][0]["conditions"], "Conflicted").1, "NoConflicts");
    assert_eq!(
        status["listeners"][1]["supportedKinds"][0],
        json!({"group": "gateway.networking.k8s.io", "kind": "HTTPRoute"})
    );
    assert_eq!(words(&gateway(&bed, "team-b")["conditions"], "Programmed").1, "TenantSuspended");
    assert_eq!(bed.look(300), []);
}

#[tokio::test]
async fn a_gateway_of_our_class_that_we_have_not_made_is_told_what_to_do() {
    let mut bed = Bed::new(vec![gateway("team-a", "own")]);
    let writes = bed.look(100);
    assert_eq!(writes.len(), 3);
    let status = bed.object("Gateway", "team-a", "own")["status"].clone();
    let (status, reason, message) = words(&status["conditions"], "Accepted");
    assert_eq!((status.as_str(), reason.as_str()), ("False", "Invalid"));
    assert!(message.contains("name that one in the routes' parentRefs"), "{message}");
    assert_eq!(bed.look(200), []);
}

#[tokio::test]
async fn a_rule_that_is_left_out_is_told_beside_those_that_work() {
    let mut web = route("team-a", "web", &json!([parent(json!({}))]), "app");
    let broken = json!({"matches": [{"path": {"type": "RegularExpression", "value": "("}}], "backendRefs": [{"name": "app", "port": 80}]});
    web["spec"]["rules"].as_array_mut().unwrap().push(broken);
    let mut bed = Bed::new(vec![web]);
    bed.look(100);
    assert_eq!(bed.told("team-a", "web", 0, "Accepted").0, "True");
    let (status, reason, message) = bed.told("team-a", "web", 0, "PartiallyInvalid");
    assert_eq!((status.as_str(), reason.as_str()), ("True", "UnsupportedValue"));
    assert!(message.starts_with("Dropped Rule: spec.rules[1]"), "{message}");
}
