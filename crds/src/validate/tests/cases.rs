//! Objects of our kinds, each with what is to be said of it on apply. The offline rules are held to this beside here, a real API server in
//! `tests/cluster`.

use std::panic::Location;

use serde_json::{Value, json};

/// An object and the verdict on it.
pub(crate) struct Case {
    pub(crate) rule: &'static str,
    /// The line that states the case.
    pub(crate) at: &'static Location<'static>,
    pub(crate) object: Value,
    /// Where the one problem is and what the message says among other things; absent: there is none.
    pub(crate) refused: Option<(String, &'static str)>,
}

/// The cases stated so far, and the rule that the next ones are about.
struct Cases {
    rule: &'static str,
    stated: Vec<Case>,
}

impl Cases {
    #[track_caller]
    fn accepted(&mut self, object: &Value) {
        self.stated.push(Case { rule: self.rule, at: Location::caller(), object: object.clone(), refused: None });
    }

    #[track_caller]
    fn refused(&mut self, object: &Value, path: &str, part: &'static str) {
        let refused = Some((path.to_owned(), part));
        self.stated.push(Case { rule: self.rule, at: Location::caller(), object: object.clone(), refused });
    }
}

/// A rule's name, and what states its cases.
type Rule = (&'static str, fn(&mut Cases));

/// Every rule.
const RULES: &[Rule] = &[
    ("a_full_topology_is_accepted", a_full_topology_is_accepted),
    ("the_smallest_topology_is_accepted", the_smallest_topology_is_accepted),
    ("structure_is_checked_as_a_server_does", structure_is_checked_as_a_server_does),
    ("hostnames_must_be_canonical", hostnames_must_be_canonical),
    ("the_name_of_a_topology_is_bounded", the_name_of_a_topology_is_bounded),
    ("a_hostname_belongs_to_one_tenant", a_hostname_belongs_to_one_tenant),
    ("a_wildcard_must_not_cover_another_tenants_hostname", a_wildcard_must_not_cover_another_tenants_hostname),
    (
        "namespaces_belong_to_one_tenant_and_not_to_the_outer_tier",
        namespaces_belong_to_one_tenant_and_not_to_the_outer_tier,
    ),
    (
        "listeners_have_distinct_ports_and_a_tenant_where_one_is_needed",
        listeners_have_distinct_ports_and_a_tenant_where_one_is_needed,
    ),
    ("several_replicas_cannot_share_a_volume", several_replicas_cannot_share_a_volume),
    ("acme_has_one_challenge_that_can_work", acme_has_one_challenge_that_can_work),
    ("the_outer_tier_is_reached_in_one_way", the_outer_tier_is_reached_in_one_way),
    ("only_named_networks_may_tell_the_clients_address", only_named_networks_may_tell_the_clients_address),
    ("a_dropped_log_field_is_neither_kept_nor_redacted", a_dropped_log_field_is_neither_kept_nor_redacted),
    ("a_tier_has_what_its_role_needs", a_tier_has_what_its_role_needs),
    ("a_binding_is_accepted_and_its_hostname_checked", a_binding_is_accepted_and_its_hostname_checked),
];

/// All cases of all rules.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Cases { rule: "", stated: Vec::new() };
    for (rule, state) in RULES {
        cases.rule = rule;
        state(&mut cases);
    }
    cases.stated
}

/// A topology that uses most fields and breaks no rule.
pub(crate) fn topology() -> Value {
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

pub(crate) fn tier(role: &str) -> Value {
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

fn a_full_topology_is_accepted(cases: &mut Cases) {
    cases.accepted(&topology());
}

fn the_smallest_topology_is_accepted(cases: &mut Cases) {
    cases.accepted(&json!({
        "apiVersion": "bailey.dev/v1alpha1", "kind": "IngressTopology", "metadata": {"name": "a"},
        "spec": {"outer": {"namespace": "edge", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]}},
    }));
}

fn structure_is_checked_as_a_server_does(cases: &mut Cases) {
    let t = topology;
    cases.refused(&with(t(), "/spec/outer/replicas", json!("2")), "spec.outer.replicas", "type integer");
    cases.refused(&with(t(), "/spec/outer/replicas", json!(101)), "spec.outer.replicas", "at most 100");
    cases.refused(&with(t(), "/spec/outer/nmespace", json!("a")), "spec.outer.nmespace", "not a field");
    cases.refused(&with(t(), "/spec/outer/namespace", Value::Null), "spec.outer.namespace", "required");
    cases.refused(
        &with(t(), "/spec/outer/listeners/0/protocol", json!("SCTP")),
        "spec.outer.listeners[0].protocol",
        "one of",
    );
    cases.refused(&with(t(), "/spec/outer/listeners", json!([])), "spec.outer.listeners", "at least 1 items");
    cases.refused(
        &with(t(), "/spec/outer/listeners/1/name", json!("http")),
        "spec.outer.listeners[1]",
        "name \"http\" is there twice",
    );
    cases.refused(&with(t(), "/spec/tenants/1/name", json!("team-a")), "spec.tenants[1]", "twice");
    cases.refused(
        &with(t(), "/spec/tenants/0/hostnames/1", json!("a.example.com")),
        "spec.tenants[0].hostnames[1]",
        "twice",
    );
    cases.refused(&with(t(), "/spec/tracing/sampling", json!(101)), "spec.tracing.sampling", "at most 100");
    cases.refused(&with(t(), "/spec/tracing/sampling", json!(-0.1)), "spec.tracing.sampling", "at least 0");
    cases.refused(&with(t(), "/spec/tracing/propagation", json!([])), "spec.tracing.propagation", "at least 1");
    cases.refused(&with(t(), "/spec/tracing/propagation", json!(["b3", "b3"])), "spec.tracing.propagation[1]", "twice");
    cases.refused(&with(t(), "/spec/tracing/propagation", json!(["jaeger"])), "spec.tracing.propagation[0]", "b3multi");
    let never = with(t(), "/spec/tracing/always", json!({"slowerThanMs": 0}));
    cases.refused(&never, "spec.tracing.always.slowerThanMs", "at least 1");
    let alone = with(with(t(), "/spec/tracing", Value::Null), "/spec/tenants/0/tracing", json!({"sampling": 1}));
    cases.refused(&alone, "spec.tenants", "spec.tracing, which is missing");
    let secret = with(t(), "/spec/tracing/endpoint", json!("http://me:secret@c:4318"));
    cases.refused(&secret, "spec.tracing.endpoint", "does not match");
    cases.refused(
        &with(t(), "/spec/tracing/endpoint", json!("collector:4318")),
        "spec.tracing.endpoint",
        "does not match",
    );
}

fn hostnames_must_be_canonical(cases: &mut Cases) {
    for bad in
        ["A.example.com", "a.example.com.", "a..b", "-a.b", "*", "a.*.b", "a_b.example.com", "bücher.example", "a b"]
    {
        cases.refused(
            &with(topology(), "/spec/tenants/1/hostnames/0", json!(bad)),
            "spec.tenants[1].hostnames[0]",
            "does not match",
        );
    }
    for good in ["x", "*.c.example.com", "xn--bcher-kva.example"] {
        cases.accepted(&with(topology(), "/spec/tenants/1/hostnames/0", json!(good)));
    }
}

fn the_name_of_a_topology_is_bounded(cases: &mut Cases) {
    cases.accepted(&with(topology(), "/metadata/name", json!("a".repeat(40))));
    cases.refused(&with(topology(), "/metadata/name", json!("a".repeat(41))), "", "at most 40");
    cases.refused(&with(topology(), "/metadata/name", json!("a.b")), "", "at most 40");
}

fn a_hostname_belongs_to_one_tenant(cases: &mut Cases) {
    cases.refused(
        &with(topology(), "/spec/tenants/1/hostnames/0", json!("a.example.com")),
        "spec.tenants",
        "one tenant only",
    );
}

fn a_wildcard_must_not_cover_another_tenants_hostname(cases: &mut Cases) {
    for covered in ["x.a.example.com", "x.y.a.example.com", "*.x.a.example.com", "*.x.y.a.example.com"] {
        cases.refused(
            &with(topology(), "/spec/tenants/1/hostnames/0", json!(covered)),
            "spec.tenants",
            "must not cover",
        );
    }
    for free in ["example.com", "aa.example.com", "*.b.example.com"] {
        cases.accepted(&with(topology(), "/spec/tenants/1/hostnames/0", json!(free)));
    }
    cases.accepted(&with(topology(), "/spec/tenants/0/hostnames/-", json!("x.y.a.example.com")));
}

fn namespaces_belong_to_one_tenant_and_not_to_the_outer_tier(cases: &mut Cases) {
    let names = |names: Value| with(topology(), "/spec/tenants/1/namespaces", json!({"names": names}));
    cases.accepted(&names(json!(["team-b"])));
    cases.refused(&names(json!(["team-b", "team-a"])), "spec.tenants", "one tenant only");
    cases.refused(&names(json!(["ingress-main"])), "spec.tenants", "private keys");
    let both = json!({"names": ["b"], "selector": {}});
    cases.refused(&with(topology(), "/spec/tenants/1/namespaces", both), "spec.tenants[1].namespaces", "exactly one");
    cases.refused(
        &with(topology(), "/spec/tenants/1/namespaces", json!({})),
        "spec.tenants[1].namespaces",
        "exactly one",
    );
}

fn listeners_have_distinct_ports_and_a_tenant_where_one_is_needed(cases: &mut Cases) {
    let listener = |listener: Value| with(topology(), "/spec/outer/listeners/3", listener);
    cases.accepted(&listener(json!({"name": "tls", "port": 8443, "protocol": "TLS"})));
    cases.refused(&listener(json!({"name": "b", "port": 443, "protocol": "TLS"})), "spec.outer.listeners", "same port");
    cases.refused(
        &listener(json!({"name": "b", "port": 8443, "protocol": "HTTPS", "tenant": "team-a"})),
        "spec.outer.listeners[3].tenant",
        "no tenant of their own",
    );
    cases.refused(
        &listener(json!({"name": "b", "port": 1, "protocol": "UDP"})),
        "spec.outer.listeners[3]",
        "must name its tenant",
    );
    cases.refused(
        &listener(json!({"name": "b", "port": 1, "protocol": "TCP", "tenant": "team-c"})),
        "spec.outer.listeners",
        "one of spec.tenants",
    );
}

fn several_replicas_cannot_share_a_volume(cases: &mut Cases) {
    let volume = with(topology(), "/spec/outer/certificates/store", json!({"volume": {"size": "64Mi"}}));
    cases.refused(&volume, "spec.outer.replicas", "cannot share a volume");
    cases.accepted(&with(volume, "/spec/outer/replicas", json!(1)));
    for store in [json!({}), json!({"volume": {}, "secrets": {}})] {
        cases.refused(
            &with(with(topology(), "/spec/outer/replicas", json!(1)), "/spec/outer/certificates/store", store),
            "spec.outer.certificates.store",
            "exactly one",
        );
    }
}

fn acme_has_one_challenge_that_can_work(cases: &mut Cases) {
    let challenge = |challenge: Value| with(topology(), "/spec/outer/acme/challenge", challenge);
    let at = "spec.outer.acme.challenge";
    cases.accepted(&challenge(json!({"http01": {}})));
    cases.accepted(&challenge(json!({"tlsAlpn01": {}})));
    cases.accepted(&challenge(json!({"dns01": {"webhook": {"url": "https://dns.example.com/"}}})));
    cases.refused(&challenge(json!({})), at, "exactly one");
    cases.refused(&challenge(json!({"http01": {}, "tlsAlpn01": {}})), at, "exactly one");
    cases.refused(&challenge(json!({"dns01": {"provider": "alidns"}})), &format!("{at}.dns01"), "needs credentialsRef");
    cases.refused(
        &challenge(json!({"dns01": {"credentialsRef": {"name": "a"}}})),
        &format!("{at}.dns01"),
        "exactly one of provider",
    );
    let only = |protocol: &str| json!([{"name": "a", "port": 1, "protocol": protocol}]);
    cases.refused(
        &with(challenge(json!({"http01": {}})), "/spec/outer/listeners", only("HTTPS")),
        at,
        "needs an HTTP listener",
    );
    cases.refused(
        &with(challenge(json!({"tlsAlpn01": {}})), "/spec/outer/listeners", only("HTTP")),
        at,
        "needs an HTTPS listener",
    );
    cases.refused(
        &with(topology(), "/spec/outer/certificates", Value::Null),
        "spec.outer.acme",
        "needs certificates.store",
    );
    cases.refused(
        &with(topology(), "/spec/outer/acme/directory", json!("http://ca")),
        "spec.outer.acme.directory",
        "does not match",
    );
}

fn the_outer_tier_is_reached_in_one_way(cases: &mut Cases) {
    let exposure = |exposure: Value| with(topology(), "/spec/outer/exposure", exposure);
    let at = "spec.outer.exposure";
    cases.accepted(&exposure(json!({"hostPorts": {"nodeSelector": {"edge": "true"}}})));
    cases.accepted(&exposure(json!({"service": {"type": "NodePort", "nodePorts": {"https": 30443}}})));
    cases.refused(&exposure(json!({})), at, "exactly one");
    cases.refused(&exposure(json!({"service": {}, "hostPorts": {"nodeSelector": {}}})), at, "exactly one");
    cases.refused(
        &exposure(json!({"service": {"type": "ClusterIP", "nodePorts": {"https": 30443}}})),
        &format!("{at}.service.nodePorts"),
        "no node ports",
    );
    cases.refused(
        &exposure(json!({"service": {"type": "NodePort", "loadBalancerClass": "a"}})),
        &format!("{at}.service.loadBalancerClass"),
        "only a LoadBalancer",
    );
}

fn only_named_networks_may_tell_the_clients_address(cases: &mut Cases) {
    let address = |address: Value| with(topology(), "/spec/outer/clientAddress", address);
    let at = "spec.outer.clientAddress";
    cases.accepted(&address(json!({"forwardedFor": {"from": ["192.0.2.1/32"], "hops": 2}})));
    cases.refused(&address(json!({})), at, "exactly one");
    let both = json!({"forwardedFor": {"from": ["192.0.2.0/24"]}, "proxyProtocol": {"from": ["192.0.2.0/24"]}});
    cases.refused(&address(both), at, "exactly one");
    for way in ["forwardedFor", "proxyProtocol"] {
        let from = |from: Value| address(json!({way: {"from": from}}));
        let at = format!("{at}.{way}.from");
        cases.refused(&from(json!([])), &at, "at least 1");
        cases.refused(&from(json!(["0.0.0.0/0"])), &at, "/0 network");
        cases.refused(&from(json!(["::/0"])), &at, "/0 network");
        cases.refused(&from(json!(["192.0.2.1"])), &at, "must be a network");
        cases.refused(&from(json!(["192.0.2.0/24", "192.0.2.0/24"])), &format!("{at}[1]"), "twice");
    }
}

fn a_dropped_log_field_is_neither_kept_nor_redacted(cases: &mut Cases) {
    let fields = |fields: Value| with(topology(), "/spec/accessLog/fields", fields);
    cases.accepted(&fields(json!({"drop": ["a"], "keep": ["b"], "redact": ["b"]})));
    cases.refused(&fields(json!({"drop": ["a"], "keep": ["a"]})), "spec.accessLog.fields", "neither kept");
    cases.refused(&fields(json!({"drop": ["a"], "redact": ["a"]})), "spec.accessLog.fields", "neither kept");
}

fn a_tier_has_what_its_role_needs(cases: &mut Cases) {
    for role in ["Outer", "Inner", "Gateway"] {
        cases.accepted(&tier(role));
    }
    cases.refused(&with(tier("Outer"), "/spec/link", Value::Null), "spec", "has a link");
    cases.refused(&with(tier("Gateway"), "/spec/topology", json!("main")), "spec", "neither topology nor link");
    cases.refused(&with(tier("Inner"), "/spec/tenant", Value::Null), "spec", "has a tenant");
    cases.refused(&with(tier("Outer"), "/spec/tenant", json!("team-a")), "spec", "has a tenant");
    cases.refused(
        &with(tier("Inner"), "/spec/tenants", tier("Outer")["spec"]["tenants"].clone()),
        "spec",
        "list of tenants",
    );
    cases.refused(&with(tier("Inner"), "/spec/listeners/0/protocol", json!("HTTPS")), "spec", "for the link");
    cases.refused(&with(tier("Outer"), "/spec/listeners/0/protocol", json!("Link")), "spec", "for the link");
    cases.refused(&with(tier("Inner"), "/spec/link/peer", Value::Null), "spec", "only peer");
}

fn a_binding_is_accepted_and_its_hostname_checked(cases: &mut Cases) {
    let binding = json!({
        "apiVersion": "bailey.dev/v1alpha1", "kind": "HostnameBinding", "metadata": {"name": "host-x", "namespace": "x"},
        "spec": {"hostname": "a.example.com", "tenant": "team-a", "service": {"namespace": "a", "name": "b", "port": 7443}},
    });
    cases.accepted(&binding);
    cases.refused(&with(binding.clone(), "/spec/hostname", json!("A.example.com")), "spec.hostname", "does not match");
    cases.refused(&with(binding, "/spec/service/port", json!(0)), "spec.service.port", "at least 1");
}
