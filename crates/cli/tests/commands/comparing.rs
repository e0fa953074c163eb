//! `bailey diff`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::program::{assert_all, bailey, root, text};

/// The sample, with one text for another.
fn edited(edits: &[(&str, &str, &str)]) -> tempfile::TempDir {
    let kept = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(root().join("samples/two-tier")).unwrap() {
        let path = entry.unwrap().path();
        let mut text = fs::read_to_string(&path).unwrap();
        for (file, old, new) in edits {
            if path.ends_with(file) {
                assert!(text.contains(old), "{old}");
                text = text.replace(old, new);
            }
        }
        fs::write(kept.path().join(path.file_name().unwrap()), text).unwrap();
    }
    kept
}

fn diff(new: &Path, more: &[&str]) -> (i32, String) {
    let old = root().join("samples/two-tier");
    let mut arguments = vec!["diff", old.to_str().unwrap(), new.to_str().unwrap()];
    arguments.extend(more);
    let output = bailey(&arguments);
    (output.status.code().unwrap(), text(&output.stdout))
}

#[test]
fn what_no_request_can_tell_apart_is_no_difference() {
    let renamed = edited(&[("team-a.yaml", "{name: shop, namespace: team-a}", "{name: store, namespace: team-a}")]);
    assert_eq!(diff(renamed.path(), &[]), (0, "no difference in behaviour\n".to_owned()));
}

#[test]
fn what_is_lost_moved_changed_and_gained_is_said_with_requests_that_show_it() {
    let new = edited(&[
        ("team-a.yaml", "value: /api}", "value: /v2}"),
        ("team-a.yaml", "storefront-v1, port: 80, weight: 3", "storefront-v1, port: 80, weight: 1"),
        ("team-b.yaml", "max-age=60", "max-age=5"),
    ]);
    let (code, said) = diff(new.path(), &[]);
    assert_eq!(code, 1);
    assert_all(
        &said,
        &[
            "- rule inner main team-a shop.localhost /api/*: team-a/api:8080; rewrites prefix /",
            "~ rule inner main team-a shop.localhost /*: team-a/storefront-v1:80 3/4, team-a/storefront-v2:80 1/4\n    → team-a/storefront-v1:80 1/2",
            "~ rule inner main team-b blog.localhost /*: team-b/pages:80; response headers cache-control=max-age=60",
            "+ rule inner main team-a shop.localhost /v2/*",
            "curl https://shop.localhost/api\n    before: ",
            "curl https://blog.localhost/\n",
        ],
    );
    let (_, json) = diff(new.path(), &["-o", "json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    let kinds: Vec<_> =
        json["changes"].as_array().unwrap().iter().map(|change| change["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["lost", "moved", "changed", "gained"]);
    assert_eq!(diff(new.path(), &["--fail-on", "never"]).0, 0);
    assert_eq!(diff(new.path(), &["--fail-on", "lost"]).0, 1);
}

#[test]
fn a_tenant_its_names_and_its_requests_go_together() {
    let new = edited(&[(
        "topology.yaml",
        "    - name: team-b\n      namespaces: {names: [team-b]}\n      hostnames: [\"blog.localhost\", \"chat.localhost\"]\n",
        "",
    )]);
    let (code, said) = diff(new.path(), &[]);
    assert_eq!(code, 1);
    assert_all(
        &said,
        &[
            "- tenant team-b of main",
            "- hostname blog.localhost: tenant team-b of main",
            "curl https://chat.localhost/",
        ],
    );
}

#[test]
fn a_rule_that_takes_requests_from_another_shows_in_the_answers() {
    let new = edited(&[("team-a.yaml", "hostnames: [\"*.shop.localhost\"]", "hostnames: [\"x.shop.localhost\"]")]);
    let (code, said) = diff(new.path(), &["--fail-on", "lost"]);
    assert_eq!(code, 1);
    assert_all(&said, &["curl https://any.shop.localhost/\n", "404"]);
}
