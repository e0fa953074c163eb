//! The program as its users run it: what it prints, what it answers to mistakes, and with which exit code.
#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "commands/analyzing.rs"]
mod analyzing;
#[path = "commands/clustering.rs"]
mod clustering;
#[path = "commands/comparing.rs"]
mod comparing;
#[path = "commands/explaining.rs"]
mod explaining;
#[path = "commands/program.rs"]
mod program;
#[path = "commands/running.rs"]
mod running;
#[path = "commands/testing.rs"]
mod testing;
#[path = "commands/translating.rs"]
mod translating;

use std::fs;

use program::{assert_all, bailey};

const FOLDER: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: g, namespace: a}
spec:
  gatewayClassName: bailey
  listeners:
    - {name: http, port: 80, protocol: HTTP}
    - {name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: c}]}}
";

#[test]
fn ports_in_use_are_named_with_the_option_that_chooses_another() {
    let kept = tempfile::tempdir().unwrap();
    let (folder, state) = (kept.path().join("objects"), kept.path().join("state"));
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("g.yaml"), FOLDER).unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for option in ["--http-port", "--https-port", "--admin-port"] {
        let mut arguments = vec!["up", folder.to_str().unwrap(), "--state", state.to_str().unwrap()];
        for other in ["--http-port", "--https-port", "--admin-port"] {
            arguments.extend([other, if other == option { &port } else { "0" }]);
        }
        let output = bailey(&arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{option}: {text}");
        assert_all(&text, &[&format!("127.0.0.1:{port}"), "Address already in use", option]);
    }
}

#[test]
fn the_other_commands_print_what_they_say() {
    let crds = bailey(&["generate", "crd"]);
    let text = String::from_utf8_lossy(&crds.stdout).into_owned();
    for kind in ["IngressTopology", "TierConfig", "HostnameBinding"] {
        assert_all(&text, &[&format!("kind: \"{kind}\"")]);
    }
    for shell in ["bash", "fish", "zsh"] {
        assert_all(&String::from_utf8_lossy(&bailey(&["generate", "completion", shell]).stdout), &["bailey"]);
    }
    assert_all(&String::from_utf8_lossy(&bailey(&["generate", "man"]).stdout), &[".TH bailey 1"]);
    let version = bailey(&["version"]);
    assert!(version.status.success() && version.stdout.starts_with(b"bailey "), "{version:?}");
    for wrong in [&["up"][..], &["frobnicate"], &["generate", "completion", "tcsh"]] {
        let output = bailey(wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert_all(&String::from_utf8_lossy(&output.stderr), &["--help"]);
    }
}

#[test]
fn the_version_is_printed_for_programs_too() {
    let json: serde_json::Value = serde_json::from_slice(&bailey(&["version", "-o", "json"]).stdout).unwrap();
    assert_eq!(json, serde_json::json!({"name": "bailey", "version": env!("CARGO_PKG_VERSION")}));
    assert_all(&program::text(&bailey(&["version", "-o", "yaml"]).stdout), &["name: bailey\n"]);
}

#[test]
fn slips_on_the_command_line_are_answered_with_the_nearest_word() {
    for (line, near) in [
        (&["analyse"][..], "analyze"),
        (&["analyze", "--fail-no", "error"], "--fail-on"),
        (&["translate", "--to", "mermiad"], "mermaid"),
    ] {
        let output = bailey(line);
        assert_eq!(output.status.code(), Some(2), "{line:?}");
        assert_all(&program::text(&output.stderr), &[near]);
    }
}

#[test]
fn called_as_a_plug_in_of_kubectl_it_says_so() {
    let kept = tempfile::tempdir().unwrap();
    let plugin = kept.path().join("kubectl-bailey");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_bailey"), &plugin).unwrap();
    let run = |arguments: &[&str]| std::process::Command::new(&plugin).args(arguments).output().unwrap();
    assert_all(&program::text(&run(&["analyze", "--help"]).stdout), &["Usage: kubectl bailey analyze"]);
    assert!(run(&["version"]).stdout.starts_with(b"bailey "));
    assert_all(&program::text(&bailey(&["analyze", "--help"]).stdout), &["Usage: bailey analyze"]);
}
