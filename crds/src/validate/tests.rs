//! Every rule of the definitions, with what it lets through and what it refuses.

use serde_json::{Value, json};

use super::{complete, validate};

/// A topology that uses most fields and breaks no rule.
fn topology() -> Value {
    serde_saphyr::from_str(
        r#"
        apiVersion: bailey.dev/v1alpha1
        kind: IngressTopology
        metadata: {name: main}
        spec:
          outer:
            namespace: ingress-main
            replicas: 2
            exposure:
              service: {type: LoadBalancer, externalTrafficPolicy: Local, annotations: {}, loadBalancerClass: null, nodePorts: {}}
              internalService: {type: ClusterIP}
            listeners:
              - {name: http, port: 80, protocol: HTTP}
              - {name: https, port: 443, protocol: HTTPS}
              - {name: mongo, port: 27017, protocol: TCP, tenant: team-a}
              - {name: dns, port: 443, protocol: UDP, tenant: team-a}
            clientAddress: {proxyProtocol: {from: ["192.0.2.0/24", "2001:db8::/32"]}}
            acme:
              directory: letsencrypt-staging
              email: ops@example.com
              challenge: {dns01: {provider: alidns, credentialsRef: {name: alidns}}}
              externalAccount: {keyId: a, secretRef: {name: a, key: b}}
              renewal: {askAuthority: true}
              untilIssued: Refuse
            certificates: {store: {secrets: {}}, secrets: [given]}
            limits: {http1: {headerBytes: 65536}}
            pod:
              resources: {requests: {cpu: 1, memory: 64Mi}}
              tolerations: [{key: edge, operator: Exists}]
              affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname}]}}
          inner: {replicas: 1, placement: TenantNamespace, pod: {}}
          tenants:
            - name: team-a
              namespaces: {names: [team-a, team-a-jobs]}
              hostnames: ["a.example.com", "*.a.example.com"]
              inner: {replicas: 3}
              limits: {connections: 2000, requestsPerSecond: 500, routes: 200, certificates: 20}
              suspended: false
            - name: team-b
              namespaces: {selector: {matchLabels: {tenant: b}}}
              hostnames: ["b.example.com", "localhost"]
          tracing: {endpoint: "http://collector.observability:4318", sampling: 10}
          accessLog: {format: json, fields: {drop: [user_agent]}}
        "#,
    )
    .unwrap()
}

fn tier(role: &str) -> Value {
    let mut tier = json!({
        "apiVersion": "bailey.dev/v1alpha1", "kind": "TierConfig", "metadata": {"name": "main", "namespace": "x"},
        "spec": {"role": role, "topology": "main", "link": {"identity": "bailey://main/outer"}, "listeners": []},
    });
    match role {
        "Inner" => {
            tier["spec"]["tenant"] = json!("team-a");
            tier["spec"]["link"] = json!({"identity": "bailey://main/tenant/team-a", "peer": "bailey://main/outer"});
            tier["spec"]["listeners"] = json!([{"name": "link", "port": 7443, "protocol": "Link"}]);
        }
        "Outer" => {
            tier["spec"]["tenants"] = json!([{"name": "team-a", "identity": "bailey://main/tenant/team-a",
                "service": {"namespace": "team-a", "name": "main-team-a", "port": 7443}}]);
            tier["spec"]["listeners"] = json!([{"name": "https", "port": 443, "bindPort": 8443, "protocol": "HTTPS"}]);
        }
        _ => tier["spec"] = json!({"role": role}),
    }
    tier
}

/// `object` with the value at `pointer` replaced or added; a null removes it.
fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match object.pointer_mut(parent).unwrap() {
        Value::Object(fields) => drop(fields.insert(key.to_owned(), value)),
        Value::Array(items) if key == "-" => items.push(value),
        Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => panic!("no place for {pointer}"),
    }
    object
}

fn problems(object: &Value) -> Vec<String> {
    validate(object["kind"].as_str().unwrap(), object).iter().map(ToString::to_string).collect()
}

#[track_caller]
fn accepted(object: &Value) {
    assert_eq!(problems(object), Vec::<String>::new());
}

/// Asserts that one problem, at `path`, is found whose message contains `part`.
#[track_caller]
fn refused(object: &Value, path: &str, part: &str) {
    let found = validate(object["kind"].as_str().unwrap(), object);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].message.contains(part), "{found:#?}");
    assert_eq!(found[0].path, path, "{found:#?}");
}

#[test]
fn a_full_topology_is_accepted() {
    accepted(&topology());
    let typed: crate::IngressTopology = serde_json::from_value(complete("IngressTopology", &topology())).unwrap();
    assert_eq!(typed.spec.outer.limits.unwrap().http1.header_bytes, 65536);
    assert_eq!(typed.spec.outer.limits.unwrap().http1.header_fields, 100);
    assert!(typed.spec.https_redirect);
    accepted(&serde_json::to_value(typed).unwrap());
}

#[test]
fn the_smallest_topology_is_accepted() {
    accepted(&json!({
        "apiVersion": "bailey.dev/v1alpha1", "kind": "IngressTopology", "metadata": {"name": "a"},
        "spec": {"outer": {"namespace": "edge", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]}},
    }));
}

#[test]
fn structure_is_checked_as_a_server_does() {
    let t = topology;
    refused(&with(t(), "/spec/outer/replicas", json!("2")), "spec.outer.replicas", "type integer");
    refused(&with(t(), "/spec/outer/replicas", json!(101)), "spec.outer.replicas", "at most 100");
    refused(&with(t(), "/spec/outer/nmespace", json!("a")), "spec.outer.nmespace", "not a field");
    refused(&with(t(), "/spec/outer/namespace", Value::Null), "spec.outer.namespace", "required");
    refused(
        &with(t(), "/spec/outer/listeners/0/protocol", json!("SCTP")),
        "spec.outer.listeners[0].protocol",
        "one of",
    );
    refused(&with(t(), "/spec/outer/listeners", json!([])), "spec.outer.listeners", "at least 1 items");
    refused(
        &with(t(), "/spec/outer/listeners/1/name", json!("http")),
        "spec.outer.listeners[1]",
        "name \"http\" is there twice",
    );
    refused(&with(t(), "/spec/tenants/1/name", json!("team-a")), "spec.tenants[1]", "twice");
    refused(&with(t(), "/spec/tenants/0/hostnames/1", json!("a.example.com")), "spec.tenants[0].hostnames[1]", "twice");
    refused(&with(t(), "/spec/tracing/sampling", json!(101)), "spec.tracing.sampling", "at most 100");
    refused(&with(t(), "/spec/tracing/endpoint", json!("collector:4318")), "spec.tracing.endpoint", "does not match");
    refused(&with(t(), "/apiVersion", json!("bailey.dev/v1")), "apiVersion", "must be bailey.dev/v1alpha1");
    refused(&json!({"apiVersion": "x/v1", "kind": "Nothing"}), "kind", "not a kind");
}

#[test]
fn hostnames_must_be_canonical() {
    for bad in
        ["A.example.com", "a.example.com.", "a..b", "-a.b", "*", "a.*.b", "a_b.example.com", "bücher.example", "a b"]
    {
        refused(
            &with(topology(), "/spec/tenants/1/hostnames/0", json!(bad)),
            "spec.tenants[1].hostnames[0]",
            "does not match",
        );
    }
    for good in ["x", "*.c.example.com", "xn--bcher-kva.example"] {
        accepted(&with(topology(), "/spec/tenants/1/hostnames/0", json!(good)));
    }
}

#[test]
fn the_name_of_a_topology_is_bounded() {
    accepted(&with(topology(), "/metadata/name", json!("a".repeat(40))));
    refused(&with(topology(), "/metadata/name", json!("a".repeat(41))), "", "at most 40");
    refused(&with(topology(), "/metadata/name", json!("a.b")), "", "at most 40");
}

#[test]
fn a_hostname_belongs_to_one_tenant() {
    refused(
        &with(topology(), "/spec/tenants/1/hostnames/0", json!("a.example.com")),
        "spec.tenants",
        "one tenant only",
    );
}

#[test]
fn a_wildcard_must_not_cover_another_tenants_hostname() {
    for covered in ["x.a.example.com", "x.y.a.example.com", "*.x.a.example.com", "*.x.y.a.example.com"] {
        refused(&with(topology(), "/spec/tenants/1/hostnames/0", json!(covered)), "spec.tenants", "must not cover");
    }
    for free in ["example.com", "aa.example.com", "*.b.example.com"] {
        accepted(&with(topology(), "/spec/tenants/1/hostnames/0", json!(free)));
    }
    accepted(&with(topology(), "/spec/tenants/0/hostnames/-", json!("x.y.a.example.com")));
}

#[test]
fn namespaces_belong_to_one_tenant_and_not_to_the_outer_tier() {
    let names = |names: Value| with(topology(), "/spec/tenants/1/namespaces", json!({"names": names}));
    accepted(&names(json!(["team-b"])));
    refused(&names(json!(["team-b", "team-a"])), "spec.tenants", "one tenant only");
    refused(&names(json!(["ingress-main"])), "spec.tenants", "private keys");
    let both = json!({"names": ["b"], "selector": {}});
    refused(&with(topology(), "/spec/tenants/1/namespaces", both), "spec.tenants[1].namespaces", "exactly one");
    refused(&with(topology(), "/spec/tenants/1/namespaces", json!({})), "spec.tenants[1].namespaces", "exactly one");
}

#[test]
fn listeners_have_distinct_ports_and_a_tenant_where_one_is_needed() {
    let listener = |listener: Value| with(topology(), "/spec/outer/listeners/3", listener);
    accepted(&listener(json!({"name": "tls", "port": 8443, "protocol": "TLS"})));
    refused(&listener(json!({"name": "b", "port": 443, "protocol": "TLS"})), "spec.outer.listeners", "same port");
    refused(
        &listener(json!({"name": "b", "port": 8443, "protocol": "HTTPS", "tenant": "team-a"})),
        "spec.outer.listeners[3].tenant",
        "no tenant of their own",
    );
    refused(
        &listener(json!({"name": "b", "port": 1, "protocol": "UDP"})),
        "spec.outer.listeners[3]",
        "must name its tenant",
    );
    refused(
        &listener(json!({"name": "b", "port": 1, "protocol": "TCP", "tenant": "team-c"})),
        "spec.outer.listeners",
        "one of spec.tenants",
    );
}

#[test]
fn several_replicas_cannot_share_a_volume() {
    let volume = with(topology(), "/spec/outer/certificates/store", json!({"volume": {"size": "64Mi"}}));
    refused(&volume, "spec.outer.replicas", "cannot share a volume");
    accepted(&with(volume, "/spec/outer/replicas", json!(1)));
    for store in [json!({}), json!({"volume": {}, "secrets": {}})] {
        refused(
            &with(with(topology(), "/spec/outer/replicas", json!(1)), "/spec/outer/certificates/store", store),
            "spec.outer.certificates.store",
            "exactly one",
        );
    }
}

#[test]
fn acme_has_one_challenge_that_can_work() {
    let challenge = |challenge: Value| with(topology(), "/spec/outer/acme/challenge", challenge);
    let at = "spec.outer.acme.challenge";
    accepted(&challenge(json!({"http01": {}})));
    accepted(&challenge(json!({"tlsAlpn01": {}})));
    accepted(&challenge(json!({"dns01": {"webhook": {"url": "https://dns.example.com/"}}})));
    refused(&challenge(json!({})), at, "exactly one");
    refused(&challenge(json!({"http01": {}, "tlsAlpn01": {}})), at, "exactly one");
    refused(&challenge(json!({"dns01": {"provider": "alidns"}})), &format!("{at}.dns01"), "needs credentialsRef");
    refused(
        &challenge(json!({"dns01": {"credentialsRef": {"name": "a"}}})),
        &format!("{at}.dns01"),
        "exactly one of provider",
    );
    let only = |protocol: &str| json!([{"name": "a", "port": 1, "protocol": protocol}]);
    refused(
        &with(challenge(json!({"http01": {}})), "/spec/outer/listeners", only("HTTPS")),
        at,
        "needs an HTTP listener",
    );
    refused(
        &with(challenge(json!({"tlsAlpn01": {}})), "/spec/outer/listeners", only("HTTP")),
        at,
        "needs an HTTPS listener",
    );
    refused(&with(topology(), "/spec/outer/certificates", Value::Null), "spec.outer.acme", "needs certificates.store");
    refused(
        &with(topology(), "/spec/outer/acme/directory", json!("http://ca")),
        "spec.outer.acme.directory",
        "does not match",
    );
}

#[test]
fn the_outer_tier_is_reached_in_one_way() {
    let exposure = |exposure: Value| with(topology(), "/spec/outer/exposure", exposure);
    let at = "spec.outer.exposure";
    accepted(&exposure(json!({"hostPorts": {"nodeSelector": {"edge": "true"}}})));
    accepted(&exposure(json!({"service": {"type": "NodePort", "nodePorts": {"https": 30443}}})));
    refused(&exposure(json!({})), at, "exactly one");
    refused(&exposure(json!({"service": {}, "hostPorts": {"nodeSelector": {}}})), at, "exactly one");
    refused(
        &exposure(json!({"service": {"type": "ClusterIP", "nodePorts": {"https": 30443}}})),
        &format!("{at}.service.nodePorts"),
        "no node ports",
    );
    refused(
        &exposure(json!({"service": {"type": "NodePort", "loadBalancerClass": "a"}})),
        &format!("{at}.service.loadBalancerClass"),
        "only a LoadBalancer",
    );
}

#[test]
fn only_named_networks_may_tell_the_clients_address() {
    let address = |address: Value| with(topology(), "/spec/outer/clientAddress", address);
    let at = "spec.outer.clientAddress";
    accepted(&address(json!({"forwardedFor": {"from": ["192.0.2.1/32"], "hops": 2}})));
    refused(&address(json!({})), at, "exactly one");
    let both = json!({"forwardedFor": {"from": ["192.0.2.0/24"]}, "proxyProtocol": {"from": ["192.0.2.0/24"]}});
    refused(&address(both), at, "exactly one");
    for way in ["forwardedFor", "proxyProtocol"] {
        let from = |from: Value| address(json!({way: {"from": from}}));
        let at = format!("{at}.{way}.from");
        refused(&from(json!([])), &at, "at least 1");
        refused(&from(json!(["0.0.0.0/0"])), &at, "/0 network");
        refused(&from(json!(["::/0"])), &at, "/0 network");
        refused(&from(json!(["192.0.2.1"])), &at, "must be a network");
        refused(&from(json!(["192.0.2.0/24", "192.0.2.0/24"])), &format!("{at}[1]"), "twice");
    }
}

#[test]
fn a_dropped_log_field_is_neither_kept_nor_redacted() {
    let fields = |fields: Value| with(topology(), "/spec/accessLog/fields", fields);
    accepted(&fields(json!({"drop": ["a"], "keep": ["b"], "redact": ["b"]})));
    refused(&fields(json!({"drop": ["a"], "keep": ["a"]})), "spec.accessLog.fields", "neither kept");
    refused(&fields(json!({"drop": ["a"], "redact": ["a"]})), "spec.accessLog.fields", "neither kept");
}

#[test]
fn a_tier_has_what_its_role_needs() {
    for role in ["Outer", "Inner", "Gateway"] {
        accepted(&tier(role));
    }
    refused(&with(tier("Outer"), "/spec/link", Value::Null), "spec", "has a link");
    refused(&with(tier("Gateway"), "/spec/topology", json!("main")), "spec", "neither topology nor link");
    refused(&with(tier("Inner"), "/spec/tenant", Value::Null), "spec", "has a tenant");
    refused(&with(tier("Outer"), "/spec/tenant", json!("team-a")), "spec", "has a tenant");
    refused(&with(tier("Inner"), "/spec/tenants", tier("Outer")["spec"]["tenants"].clone()), "spec", "list of tenants");
    refused(&with(tier("Inner"), "/spec/listeners/0/protocol", json!("HTTPS")), "spec", "for the link");
    refused(&with(tier("Outer"), "/spec/listeners/0/protocol", json!("Link")), "spec", "for the link");
    refused(&with(tier("Inner"), "/spec/link/peer", Value::Null), "spec", "only peer");
    let typed: crate::TierConfig = serde_json::from_value(complete("TierConfig", &tier("Outer"))).unwrap();
    assert_eq!(typed.spec.link.unwrap().secret_ref.name, crate::LINK_SECRET);
    assert_eq!(typed.spec.limits, crate::TierLimits::default());
}

#[test]
fn a_binding_is_accepted_and_its_hostname_checked() {
    let binding = json!({
        "apiVersion": "bailey.dev/v1alpha1", "kind": "HostnameBinding", "metadata": {"name": "host-x", "namespace": "x"},
        "spec": {"hostname": "a.example.com", "tenant": "team-a", "service": {"namespace": "a", "name": "b", "port": 7443}},
    });
    accepted(&binding);
    refused(&with(binding.clone(), "/spec/hostname", json!("A.example.com")), "spec.hostname", "does not match");
    refused(&with(binding, "/spec/service/port", json!(0)), "spec.service.port", "at least 1");
}
