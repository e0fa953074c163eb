//! `bailey explain`: the examples of its documentation, its exit codes, its formats, and the page of what runs.

use std::fs;
use std::process::{Command, Output};

use bailey::up::local::{Local, LocalOptions};

use super::program::{assert_all, bailey, root, text};

/// Runs a line of the documentation where its reader would.
fn line(line: &str) -> Output {
    let mut words = line.split(" -H 'X-Forwarded-For: 6.6.6.6'");
    let mut arguments: Vec<&str> = words.next().unwrap().split(' ').skip(1).collect();
    if let Some(rest) = words.next() {
        arguments.extend(["-H", "X-Forwarded-For: 6.6.6.6"]);
        arguments.extend(rest.split(' ').filter(|word| !word.is_empty()));
    }
    Command::new(env!("CARGO_BIN_EXE_bailey")).args(arguments).current_dir(root()).output().unwrap()
}

#[test]
fn the_examples_of_the_documentation_are_what_is_printed() {
    let document = fs::read_to_string(root().join("docs/explain.md")).unwrap();
    let examples: Vec<_> =
        document.split("```console\n$ ").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(examples.len() >= 5, "the examples are gone");
    for example in examples {
        let (command, expected) = example.split_once('\n').unwrap();
        assert_eq!(text(&line(command).stdout), expected, "{command}");
    }
}

#[test]
fn every_option_is_documented() {
    let document = fs::read_to_string(root().join("docs/explain.md")).unwrap();
    let command = bailey::args::command();
    let explain = command.find_subcommand("explain").unwrap();
    for option in
        explain.get_arguments().filter_map(clap::Arg::get_long).filter(|name| !["help", "version"].contains(name))
    {
        let short = explain.get_arguments().find(|one| one.get_long() == Some(option)).and_then(clap::Arg::get_short);
        let named = document.contains(&format!("`--{option}"))
            || short.is_some_and(|short| document.contains(&format!("`-{short}")));
        assert!(named, "--{option} is not in docs/explain.md");
    }
}

#[test]
fn the_exit_code_tells_who_answers_and_wrong_use_from_a_refusal() {
    let kept = tempfile::tempdir().unwrap();
    let empty = kept.path().join("empty");
    fs::create_dir(&empty).unwrap();
    fs::write(empty.join("a.yaml"), "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n").unwrap();
    let (sample, empty) = (root().join("samples/two-tier"), empty.to_str().unwrap().to_owned());
    let sample = sample.to_str().unwrap();
    for (arguments, code, words) in [
        (vec!["https://shop.localhost/", "-f", sample], 0, "forwarded to Service team-a/storefront-v1"),
        (vec!["http://shop.localhost/", "-f", sample], 0, "301 from the outer tier"),
        (vec!["https://shop.localhost/a%2fb", "-f", sample], 1, "400 from the outer tier"),
        (vec!["httproute/team-b/blog", "-f", sample], 0, "is served on blog.localhost"),
        (vec!["route/team-a/shpo", "-f", sample], 1, "did you mean team-a/shop?"),
        (vec!["grpcroute/team-a/shop", "-f", sample], 1, "there is no"),
        (vec!["route/shop", "-f", sample], 2, "route/NAMESPACE/NAME"),
        (vec!["shop.localhost", "-f", sample], 2, "write https://shop.localhost"),
        (vec!["https://shop.localhost/", "-H", "nonsense", "-f", sample], 2, "'x-name: value'"),
        (vec!["https://shop.localhost/", "--from", "me", "-f", sample], 2, "is not an address"),
        (vec!["https://shop.localhost/", "-f", &empty], 2, "neither an IngressTopology nor a Gateway"),
        (vec!["https://shop.localhost/", "-f", "/nowhere"], 2, "/nowhere"),
        (vec!["https://shop.localhost/", "--admin", "http://127.0.0.1:1"], 3, "--admin"),
        (vec!["route/team-a/shop", "--admin", "http://127.0.0.1:1"], 3, "--admin"),
        (
            vec!["https://shop.localhost/", "--http2", "-H", "host: blog.localhost", "-f", sample],
            1,
            "400 from the outer tier",
        ),
        (vec!["https://shop.localhost/", "--http2", "-H", "connection: close", "-f", sample], 1, "resets the stream"),
        (vec!["http://shop.localhost/", "--http2", "-f", sample], 1, "its preface is no request"),
        (vec!["https://shop.localhost/", "--http2", "--sni", "blog.localhost", "-f", sample], 1, "cause: misdirected"),
    ] {
        let output = bailey(&[&["explain"][..], &arguments].concat());
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert_all(&said, &[words]);
    }
}

#[test]
fn programs_get_json_and_yaml_with_the_same_content() {
    let sample = root().join("samples/two-tier");
    let ask = |format| {
        let arguments = [
            "explain",
            "https://shop.localhost/api",
            "-H",
            "cookie: sid=1",
            "-f",
            sample.to_str().unwrap(),
            "-o",
            format,
        ];
        text(&bailey(&arguments).stdout)
    };
    let json: serde_json::Value = serde_json::from_str(&ask("json")).unwrap();
    assert_eq!(json["verdict"]["cause"], "forwarded");
    assert_eq!(json["tiers"][1]["won"]["route"], "HTTPRoute team-a/shop");
    assert!(!json.to_string().contains("sid=1"), "a cookie is shown");
    let yaml: serde_json::Value = serde_saphyr::from_str(&ask("yaml")).unwrap();
    assert_eq!(yaml, json);
}

#[test]
fn a_running_bailey_up_is_asked_by_its_page() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let state = tempfile::tempdir().unwrap();
    let sample = root().join("samples/two-tier");
    let local = runtime.block_on(Local::start(LocalOptions::for_tests(&sample, state.path()))).unwrap();
    let admin = local.fronts().find_map(|(_, tier)| tier.admin_address()).unwrap();
    let admin = format!("http://{admin}");
    let ask = |url: &str| {
        bailey(&["explain", url, "-X", "POST", "-H", "x-a: b&c", "--from", "198.51.100.7", "--admin", &admin])
    };
    let arrives = ask("https://shop.localhost/api/orders?x=1&y=2");
    let said = text(&arrives.stdout);
    assert_eq!(arrives.status.code(), Some(0), "{said}{}", text(&arrives.stderr));
    assert_all(&said, &["forwarded to Service team-a/api", "POST /orders?x=1&y=2", "application: 198.51.100.7"]);
    let refused = ask("https://nobody.localhost/");
    assert_eq!(refused.status.code(), Some(1));
    assert_all(&text(&refused.stdout), &["cause: server_name_unknown"]);
    let route = |name: &str| bailey(&["explain", name, "--admin", &admin]);
    let offline = bailey(&["explain", "route/team-a/shop", "-f", sample.to_str().unwrap()]);
    let shop = route("route/team-a/shop");
    assert_eq!(shop.status.code(), Some(0), "{}", text(&shop.stderr));
    // But for the port, which tests do not choose.
    assert_eq!(text(&shop.stdout).lines().count(), text(&offline.stdout).lines().count());
    assert_all(
        &text(&shop.stdout),
        &["HTTPRoute team-a/shop is served on shop.localhost", "such as", "its path is longer"],
    );
    let missing = route("grpcroute/team-a/shop");
    assert_eq!(missing.status.code(), Some(1), "{}", text(&missing.stdout));
    assert_all(&text(&missing.stderr), &["there is no route team-a/shop"]);
    runtime.block_on(local.stop());
}
