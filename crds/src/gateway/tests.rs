//! What the tolerant types keep, fill in and report.

use super::{
    FilterType, FromNamespaces, Gateway, GatewayClass, GrpcRoute, HttpRoute, ListenerProtocol, PathMatchType,
    ReferenceGrant, UnknownFields,
};

fn read<T: serde::de::DeserializeOwned>(yaml: &str) -> T {
    serde_saphyr::from_str(yaml).unwrap()
}

const EVERYTHING: &str = r#"
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop, namespace: team-a}
spec:
  parentRefs: [{name: main, sectionName: https, port: 443}]
  hostnames: ["shop.example.com"]
  rules:
    - name: checkout
      matches:
        - path: {type: Exact, value: /pay}
          headers: [{name: X-Kind, value: a.*, type: RegularExpression}]
          queryParams: [{name: q, value: "1"}]
          method: POST
      filters:
        - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: a, value: b}], add: [{name: c, value: d}], remove: [e]}}
        - {type: RequestMirror, requestMirror: {backendRef: {name: shadow, port: 80}, fraction: {numerator: 1, denominator: 3}}}
        - {type: CORS, cors: {allowOrigins: ["https://*.example.com"], allowCredentials: true, allowMethods: [GET], maxAge: 60}}
        - {type: URLRewrite, urlRewrite: {hostname: b.example.com, path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}
      backendRefs:
        - {name: shop, port: 8080, weight: 3, filters: [{type: RequestRedirect, requestRedirect: {scheme: https, statusCode: 308}}]}
        - {name: shop-new, namespace: team-b, port: 8080}
      timeouts: {request: 10s, backendRequest: 2s}
      retry: {codes: [502], attempts: 2, backoff: 100ms}
"#;

#[test]
fn a_standard_route_has_no_unknown_fields() {
    let route: HttpRoute = read(EVERYTHING);
    assert_eq!(route.unknown_fields(), Vec::<String>::new());
}

#[test]
fn what_is_read_is_written_back_unchanged() {
    let route: HttpRoute = read(EVERYTHING);
    let again: HttpRoute = serde_json::from_value(serde_json::to_value(&route).unwrap()).unwrap();
    assert_eq!(route, again);
}

#[test]
fn unknown_fields_are_kept_and_reported_with_their_path() {
    let route: HttpRoute = read(
        "
        spec:
          useDefaultGateways: All
          rules:
          - {}
          - matches:
            - path: {value: /a}
              hostname: a.example.com
            backendRefs:
            - {name: x, port: 80, filters: [{type: CORS, cors: {allowPrivateNetwork: true}}]}
            sessionPersistence: {type: Cookie}
        extra: 1
        ",
    );
    assert_eq!(
        route.unknown_fields(),
        [
            "spec.rules[1].matches[0].hostname",
            "spec.rules[1].backendRefs[0].filters[0].cors.allowPrivateNetwork",
            "spec.rules[1].sessionPersistence",
            "spec.useDefaultGateways",
            "extra",
        ]
    );
    assert_eq!(serde_json::to_value(&route).unwrap()["spec"]["useDefaultGateways"], "All");
}

#[test]
fn unknown_enum_values_are_kept_as_text() {
    let route: HttpRoute =
        read("{spec: {rules: [{filters: [{type: Teleport}], matches: [{path: {type: Glob, value: /*}}]}]}}");
    let rule = &route.spec.rules[0];
    assert_eq!(rule.filters[0].type_, FilterType::Other("Teleport".to_owned()));
    assert_eq!(rule.matches[0].path.as_ref().unwrap().type_.to_string(), "Glob");
}

#[test]
fn the_defaults_of_the_api_server_are_filled_in() {
    let route: HttpRoute =
        read("{spec: {parentRefs: [{name: main}], rules: [{matches: [{path: {}}], backendRefs: [{name: a}]}]}}");
    let rule = &route.spec.rules[0];
    let path = rule.matches[0].path.as_ref().unwrap();
    assert_eq!((&path.type_, path.value.as_str()), (&PathMatchType::PathPrefix, "/"));
    assert_eq!((rule.backend_refs[0].weight, rule.backend_refs[0].kind.as_str()), (1, "Service"));
    assert_eq!(route.spec.parent_refs[0].kind, "Gateway");
    assert_eq!((route.kind.as_str(), route.api_version.as_str()), ("HTTPRoute", "gateway.networking.k8s.io/v1"));
}

#[test]
fn a_route_without_rules_has_one_that_matches_everything() {
    let route: HttpRoute = read("{spec: {parentRefs: [{name: main}]}}");
    assert_eq!(route.spec.rules.len(), 1);
    assert!(route.spec.rules[0].matches.is_empty());
}

#[test]
fn a_gateway_with_everything_is_known() {
    let gateway: Gateway = read(
        r#"
        metadata: {name: main, namespace: team-a}
        spec:
          gatewayClassName: bailey
          addresses: [{type: IPAddress, value: 192.0.2.1}, {value: 192.0.2.2}]
          infrastructure: {labels: {a: b}, annotations: {c: d}, parametersRef: {group: bailey.dev, kind: TierPolicy, name: x}}
          allowedListeners: {namespaces: {from: None}}
          tls:
            backend: {clientCertificateRef: {name: c}}
            frontend:
              default: {validation: {caCertificateRefs: [{group: "", kind: ConfigMap, name: ca}]}}
              perPort: [{port: 8443, tls: {}}]
          listeners:
            - name: https
              hostname: "*.example.com"
              port: 443
              protocol: HTTPS
              tls: {mode: Terminate, certificateRefs: [{name: cert}], options: {x: y}}
              allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {a: b}}}, kinds: [{kind: HTTPRoute}]}
            - {name: odd, port: 9000, protocol: example.com/bar, tsl: {}}
        "#,
    );
    assert_eq!(gateway.unknown_fields(), ["spec.listeners[1].tsl"]);
    let [https, odd] = gateway.spec.listeners.as_slice() else { panic!("two listeners") };
    let namespaces = https.allowed_routes.as_ref().unwrap().namespaces.as_ref().unwrap();
    assert_eq!(namespaces.from, Some(FromNamespaces::Selector));
    assert_eq!(https.tls.as_ref().unwrap().certificate_refs[0].kind, "Secret");
    assert_eq!(odd.protocol, ListenerProtocol::Other("example.com/bar".to_owned()));
}

#[test]
fn the_other_kinds_are_read() {
    let grant: ReferenceGrant = read(
        "{apiVersion: gateway.networking.k8s.io/v1beta1, kind: ReferenceGrant, metadata: {name: g},
          spec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: a}], to: [{group: '', kind: Service}]}}",
    );
    assert_eq!((grant.api_version.as_str(), grant.unknown_fields()), ("gateway.networking.k8s.io/v1beta1", vec![]));
    let class: GatewayClass = read(
        "{spec: {controllerName: bailey.dev/gateway-controller, parametersRef: {group: bailey.dev, kind: IngressTopology, name: main}}}",
    );
    assert_eq!(class.unknown_fields(), Vec::<String>::new());
    let grpc: GrpcRoute = read(
        "{spec: {rules: [{name: r, matches: [{method: {service: a.B, method: C}, headers: [{name: a, value: b}]}], backendRefs: [{name: x, port: 1}]}]}}",
    );
    assert_eq!(grpc.unknown_fields(), Vec::<String>::new());
}
