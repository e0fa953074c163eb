//! `bailey test`.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

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

/// `bailey up` on these ports, until it is dropped.
struct Up(Child);

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn up(state: &std::path::Path, http: u16, https: u16) -> Up {
    let folder = root().join("samples/two-tier");
    let mut command = Command::new(env!("CARGO_BIN_EXE_bailey"));
    command.arg("up").arg(folder).arg("--state").arg(state).args(["--admin-port", "0"]);
    command.args(["--http-port", &http.to_string(), "--https-port", &https.to_string()]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let up = Up(child);
    let mut said = lines.map_while(Result::ok);
    assert!(said.any(|line| line.contains("Ctrl-C")), "it did not start");
    // Whoever reads no more would stop it when it prints more.
    std::thread::spawn(move || said.for_each(drop));
    up
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn the_sample_passes_live_and_a_wrong_expectation_fails() {
    let kept = tempfile::tempdir().unwrap();
    let (state, path) = (kept.path().join("state"), kept.path().join("tests.yaml"));
    let (http, https) = (free_port(), free_port());
    let _up = up(&state, http, https);
    let cases = fs::read_to_string(sample()).unwrap();
    let cases = cases.replace("8080}", &format!("{http}}}")).replace(":8080/", &format!(":{http}/"));
    let cases = cases.replace("8443", &https.to_string()).replace(&format!("80: {http}"), "80: 8080");
    fs::write(&path, &cases).unwrap();
    let ca = state.join("ca/ca.crt");
    let live = || {
        let output =
            bailey(&["test", path.to_str().unwrap(), "--live", "--cacert", ca.to_str().unwrap(), "-o", "json"]);
        let results: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
        (output.status.code(), results)
    };
    let (code, results) = live();
    assert_eq!((code, &results["failed"]), (Some(0), &0.into()), "{results:#}");
    let checks: Vec<&Value> =
        results["tests"].as_array().unwrap().iter().flat_map(|test| test["checks"].as_array().unwrap()).collect();
    let result = |what: &str| checks.iter().find(|check| check["what"] == what).unwrap()["result"].clone();
    for seen in [
        "status",
        "location",
        "backend",
        "clientAddress",
        "requestHeaders.x-forwarded-for",
        "responseHeaders.cache-control",
    ] {
        assert_eq!(result(seen), "passed", "{seen}");
    }
    for unseen in ["tenant", "route", "rule"] {
        assert_eq!(result(unseen), "unseen", "{unseen}");
    }
    fs::write(
        &path,
        cases.replace("max-age=60", "max-age=61").replace("clientAddress: 127.0.0.77", "clientAddress: 6.6.6.6"),
    )
    .unwrap();
    let (code, results) = live();
    assert_eq!((code, &results["failed"]), (Some(1), &2.into()), "{results:#}");
}

#[test]
fn whoever_cannot_be_reached_is_named_with_a_code_of_its_own() {
    let kept = tempfile::tempdir().unwrap();
    let path = kept.path().join("t.yaml");
    let port = free_port();
    fs::write(
        &path,
        format!("tests:\n- name: a\n  request: {{url: \"http://a.localhost:{port}/\"}}\n  expect: {{status: 200}}\n"),
    )
    .unwrap();
    let output = bailey(&["test", path.to_str().unwrap(), "--live"]);
    assert_eq!(output.status.code(), Some(3));
    assert_all(&text(&output.stderr), &[&format!("cannot connect to 127.0.0.1:{port}")]);
}
