//! `bailey translate`.

use serde_json::Value;

use crate::program::{assert_all, bailey, root, text};

fn two_tier() -> String {
    root().join("samples/two-tier").display().to_string()
}

#[test]
fn routes_are_printed_in_the_order_they_are_tried() {
    let folder = two_tier();
    let output = bailey(&["translate", &folder]);
    assert!(output.status.success());
    let said = text(&output.stdout);
    let order = ["/checkout/*", "/api/*", "/old/*"].map(|path| said.find(path).unwrap());
    let storefront = said.find("rule storefront").unwrap();
    assert!(order[0] < order[1] && order[1] < storefront && order[2] < storefront, "{said}");
    assert_all(
        &said,
        &["team-a/storefront-v1:80 3/4, team-a/storefront-v2:80 1/4", "copies 50/100 to team-a/audit:80"],
    );
    let json: Value = serde_json::from_slice(&bailey(&["translate", &folder, "-o", "json"]).stdout).unwrap();
    let api = json["routes"].as_array().unwrap().iter().find(|row| row["ruleName"] == "api").unwrap();
    assert_eq!(
        (&api["host"], &api["path"], &api["tenant"]),
        (&"shop.localhost".into(), &"/api/*".into(), &"team-a".into())
    );
    assert_eq!(api["effects"], serde_json::json!(["rewrites prefix /"]));
    assert_eq!(api["hidden"], Value::Null);
}

#[test]
fn the_topology_is_drawn() {
    let folder = two_tier();
    let svg = text(&bailey(&["translate", &folder, "--to", "svg"]).stdout);
    assert_all(&svg, &["<svg", "team-a", "</svg>"]);
    let mermaid = text(&bailey(&["translate", &folder, "--to", "mermaid"]).stdout);
    assert!(mermaid.starts_with("flowchart LR\n"));
    assert_all(&mermaid, &["subgraph inner", "team-b", " --> "]);
    let json: Value =
        serde_json::from_slice(&bailey(&["translate", &folder, "--to", "mermaid", "-o", "json"]).stdout).unwrap();
    assert_eq!(json["drawing"], mermaid.as_str());
}
