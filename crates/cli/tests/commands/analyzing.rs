//! `bailey analyze`.

use std::fs;

use serde_json::Value;

use crate::program::{assert_all, bailey, bailey_with_input, root, text};

const TOPOLOGY: &str = "
apiVersion: bailey.dev/v1alpha1
kind: IngressTopology
metadata: {name: main}
spec:
  outer:
    namespace: edge
    exposure: {service: {type: LoadBalancer, externalTrafficPolicy: Cluster}}
    listeners: [{name: http, port: 80, protocol: HTTP}]
  tenants:
    - {name: a, namespaces: {names: [a]}, hostnames: [a.example.com, unused.example.com]}
";

const ROUTES: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: a}
spec:
  parentRefs: [{name: main}]
  hostnames: [a.example.com]
  rules:
    - matches: [{path: {value: /a}}]
      backendRefs: [{name: app, port: 80}]
    - matches: [{path: {value: /a}}]
      backendRefs: [{name: app, namespace: b, port: 80}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: app, namespace: a}
---
kind: [
";

fn folder() -> tempfile::TempDir {
    let kept = tempfile::tempdir().unwrap();
    fs::create_dir(kept.path().join("tenants")).unwrap();
    fs::write(kept.path().join("topology.yaml"), TOPOLOGY).unwrap();
    let (good, bad) = ROUTES.rsplit_once("---").unwrap();
    fs::write(kept.path().join("tenants/a.yaml"), good).unwrap();
    fs::write(kept.path().join("tenants/b.yaml"), bad).unwrap();
    kept
}

#[test]
fn everything_is_said_with_code_object_line_and_remedy() {
    let kept = folder();
    let output = bailey(&["analyze", kept.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert_all(
        &text(&output.stdout),
        &[
            "tenants/a.yaml:11: warning BLY0215 HTTPRoute a/web spec.rules[1]",
            "no request reaches the rule: spec.rules[0].matches[0] of the same route takes all of them",
            "tenants/a.yaml:12: error BLY0313 HTTPRoute a/web spec.rules[1].backendRefs[0]",
            "→ use a Service in one of the tenant's namespaces",
            "tenants/a.yaml:14:1: info BLY0106\n    Bailey does not read Deployment of apps/v1",
            "tenants/b.yaml:2:7: error BLY0105\n    not valid YAML",
            "topology.yaml:8: warning BLY0710 IngressTopology main spec.outer.exposure.service.externalTrafficPolicy",
            "topology.yaml:11: info BLY0507 IngressTopology main spec.tenants[0].hostnames[1]",
            "note: there is no Service among the files",
            "2 errors, 2 warnings, 2 infos in 3 objects of 3 files",
        ],
    );
    assert!(!text(&output.stdout).contains('\u{1b}'), "colours only on a terminal");
}

#[test]
fn the_severity_that_fails_is_chosen() {
    let kept = tempfile::tempdir().unwrap();
    let path = kept.path().join("t.yaml");
    let codes = |objects: &str| {
        fs::write(&path, objects).unwrap();
        let code = |on: &str| bailey(&["analyze", path.to_str().unwrap(), "--fail-on", on]).status.code().unwrap();
        ["error", "warning", "info", "never"].map(code)
    };
    assert_eq!(codes(TOPOLOGY), [0, 1, 1, 0]);
    assert_eq!(codes(&TOPOLOGY.replace("Cluster", "Local")), [0, 0, 1, 0]);
    assert_eq!(codes(&TOPOLOGY.replace("port: 80", "port: 0")), [1, 1, 1, 0]);
}

#[test]
fn programs_read_the_same_from_standard_input_as_json_and_yaml() {
    let json = bailey_with_input(&["analyze", "-", "-o", "json"], TOPOLOGY);
    let whole: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(whole["summary"], serde_json::json!({"errors": 0, "warnings": 1, "infos": 2, "objects": 1, "files": 1}));
    let finding = &whole["findings"][0];
    assert_eq!(finding["code"], "BLY0710");
    assert_eq!(finding["object"], serde_json::json!({"kind": "IngressTopology", "namespace": "", "name": "main"}));
    assert_eq!(finding["location"], serde_json::json!({"file": "<stdin>", "line": 8, "column": 0}));
    let yaml = bailey_with_input(&["analyze", "-", "-o", "yaml"], TOPOLOGY);
    let same: Value = serde_saphyr::from_str(&text(&yaml.stdout)).unwrap();
    assert_eq!(same, whole);
}

#[test]
fn routes_alone_are_analysed_and_what_cannot_be_known_is_said() {
    let route = ROUTES.split("---").next().unwrap();
    let output = bailey_with_input(&["analyze", "-"], route);
    let said = text(&output.stdout);
    assert_all(
        &said,
        &[
            "BLY0215",
            "BLY0303",
            "note: there is no IngressTopology and no Gateway among the files",
            "a/main is taken to accept every route",
        ],
    );
}

#[test]
fn sarif_has_rules_with_help_and_results_with_places() {
    let kept = folder();
    let output = bailey(&["analyze", kept.path().to_str().unwrap(), "-o", "sarif"]);
    let log: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let (rules, results) = (run["tool"]["driver"]["rules"].as_array().unwrap(), run["results"].as_array().unwrap());
    assert_eq!((rules.len(), results.len()), (6, 6));
    for result in results {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(!rule["help"]["text"].as_str().unwrap().is_empty());
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()));
        let place = &result["locations"][0]["physicalLocation"];
        assert!(place["artifactLocation"]["uri"].as_str().unwrap().contains(".yaml"), "{result}");
        assert!(place["region"]["startLine"].as_u64().unwrap() > 0);
    }
    let notes = run["invocations"][0]["toolExecutionNotifications"].as_array().unwrap();
    assert_eq!(notes.len(), 2, "{notes:#?}");
}

#[test]
fn the_samples_have_nothing_to_complain_of() {
    for sample in ["samples/single", "samples/two-tier"] {
        let output = bailey(&["analyze", root().join(sample).to_str().unwrap(), "--fail-on", "info"]);
        assert_eq!(output.status.code(), Some(0), "{sample}: {}", text(&output.stdout));
    }
}

#[test]
fn a_path_that_leads_nowhere_is_wrong_use_and_the_nearest_is_named() {
    let kept = folder();
    let wrong = kept.path().join("topolgy.yaml");
    let output = bailey(&["analyze", wrong.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert_all(&text(&output.stderr), &["topolgy.yaml: cannot be read", "topology.yaml"]);
    let empty = tempfile::tempdir().unwrap();
    let output = bailey(&["analyze", empty.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert_all(&text(&output.stderr), &["has no .yaml"]);
}

/// Rules of one host, all with the path `/`, would be compared with each other by a naive search.
#[test]
fn ten_thousand_rules_of_one_host_are_analysed() {
    let route = |route: usize| {
        let rule = |rule: usize| {
            format!("    - matches: [{{headers: [{{name: x, value: v{}}}]}}]\n", (route * 16 + rule) % 9999)
        };
        let rules: String = (0..16).map(rule).collect();
        format!(
            "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: r{route:03}, namespace: a}}\nspec:\n  \
             parentRefs: [{{name: main}}]\n  hostnames: [a.example.com]\n  rules:\n{rules}"
        )
    };
    let routes: String = (0..625).map(route).collect();
    let output = bailey_with_input(&["analyze", "-", "-o", "json"], &routes);
    let whole: Value = serde_json::from_slice(&output.stdout).unwrap();
    let hidden: Vec<&Value> =
        whole["findings"].as_array().unwrap().iter().filter(|finding| finding["code"] == "BLY0215").collect();
    assert_eq!(hidden.len(), 1, "the last rule repeats the first");
    assert_eq!(hidden[0]["object"]["name"], "r624");
}
