//! `bailey test`.

use std::fs;

use serde_json::Value;

use crate::program::{assert_all, bailey, root, text};

fn sample() -> String {
    root().join("samples/two-tier-tests.yaml").display().to_string()
}

#[test]
fn the_sample_passes_and_says_what_it_could_not_see() {
    let output = bailey(&["test", &sample()]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_all(
        &said,
        &["8 passed, 0 failed, 2 expectations not checked (offline)", "status not checked: the application's own"],
    );
}

/// The sample with expectations that do not hold.
fn wrong(old: &str, new: &str) -> (Option<i32>, Value, tempfile::TempDir) {
    let kept = tempfile::tempdir().unwrap();
    let path = kept.path().join("tests.yaml");
    let cases = fs::read_to_string(sample()).unwrap();
    assert!(cases.contains(old), "{old}");
    fs::write(&path, cases.replace(old, new)).unwrap();
    let folder = root().join("samples/two-tier");
    let output = bailey(&["test", path.to_str().unwrap(), "--folder", folder.to_str().unwrap(), "-o", "json"]);
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default(), kept)
}

#[test]
fn every_expectation_fails_when_it_does_not_hold() {
    for (old, new) in [
        ("status: 301, tier: outer", "status: 308, tier: outer"),
        ("tier: application", "tier: outer"),
        ("tenant: team-a", "tenant: team-b"),
        ("route: team-a/shop", "route: team-a/previews"),
        ("rule: moved", "rule: api"),
        ("rule: 0,", "rule: 1,"),
        ("backend: \"team-a/api:8080\"", "backend: \"team-a/api:80\""),
        ("\"team-a/storefront-v1:80\", ", ""),
        ("/new/page?x=1", "/new/page"),
        ("clientAddress: 127.0.0.77", "clientAddress: 6.6.6.6"),
        ("forwarded: null", "forwarded: for=6.6.6.6"),
        ("x-forwarded-proto: https", "x-forwarded-proto: null"),
        ("cache-control: max-age=60", "cache-control: max-age=61"),
    ] {
        let (code, results, _kept) = wrong(old, new);
        assert_eq!((code, &results["failed"]), (Some(1), &1.into()), "{new}: {results:#}");
    }
}

#[test]
fn other_tools_read_the_results() {
    let tap = text(&bailey(&["test", &sample(), "-o", "tap"]).stdout);
    assert!(tap.starts_with("TAP version 14\n1..8\nok 1 - "), "{tap}");
    let junit = text(&bailey(&["test", &sample(), "-o", "junit"]).stdout);
    assert_all(&junit, &["tests=\"8\" failures=\"0\"", "<testcase name=\"old paths have moved\"", "</testsuite>"]);
    let yaml: Value = serde_saphyr::from_str(&text(&bailey(&["test", &sample(), "-o", "yaml"]).stdout)).unwrap();
    assert_eq!((&yaml["mode"], &yaml["passed"], &yaml["unseen"]), (&"offline".into(), &8.into(), &2.into()));
}

#[test]
fn a_slip_in_a_key_is_wrong_use_and_the_nearest_key_is_named() {
    let kept = tempfile::tempdir().unwrap();
    let path = kept.path().join("t.yaml");
    fs::write(&path, "tests:\n- name: a\n  request: {url: http://a/}\n  expect: {teir: outer}\n").unwrap();
    let output = bailey(&["test", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert_all(&text(&output.stderr), &["t.yaml:4:", "unknown field `teir`", "did you mean tier?"]);
    fs::write(&path, "tests:\n- name: a\n  request: {url: http://a/}\n  expect: {tier: outer}\n").unwrap();
    let output = bailey(&["test", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert_all(&text(&output.stderr), &["names no folder", "--folder DIR"]);
}
