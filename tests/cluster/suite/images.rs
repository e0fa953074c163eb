//! The images that the cluster runs: one static program and whom it trusts, no shell, no user with rights, small, and the same as the
//! Dockerfile makes.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::bed::repository;
use crate::site::read;

const PROGRAMS: [&str; 2] = ["bailey-proxy", "bailey-operator"];
/// The most that the proxy's image may have, compressed. The goal is 8 MB (CHANGELOG, known gaps); of the profile `quick`, which links without optimising.
const PROXY_BYTES: u64 = 9_000_000;

fn archive(program: &str) -> PathBuf {
    repository("target/images").join(format!("{program}.tar"))
}

/// A file of an archive.
fn member(archive: &Path, name: &str) -> Vec<u8> {
    let output =
        Command::new("tar").arg("--extract").arg("--to-stdout").arg("--file").arg(archive).arg(name).output().unwrap();
    assert!(output.status.success(), "{}: {name}", archive.display());
    output.stdout
}

fn blob(archive: &Path, descriptor: &Value) -> Vec<u8> {
    member(
        archive,
        &format!("blobs/sha256/{}", descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap()),
    )
}

fn json_of(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// The manifest and the settings of an image.
fn image(archive: &Path) -> (Value, Value) {
    let index = json_of(&member(archive, "index.json"));
    let manifest = json_of(&blob(archive, &index["manifests"][0]));
    let config = json_of(&blob(archive, &manifest["config"]));
    (manifest, config)
}

pub(crate) fn they_hold_one_static_program_and_no_shell() {
    for program in PROGRAMS {
        let archive = archive(program);
        let (manifest, config) = image(&archive);
        let settings = &config["config"];
        assert_eq!(
            (&settings["User"], &settings["Entrypoint"]),
            (&json!("65532:65532"), &json!([format!("/{program}")]))
        );
        let folder = tempfile::tempdir().unwrap();
        let layer = folder.path().join("layer.tar.zst");
        std::fs::write(&layer, blob(&archive, &manifest["layers"][0])).unwrap();
        let unpacked =
            Command::new("tar").args(["--zstd", "-xf"]).arg(&layer).current_dir(folder.path()).status().unwrap();
        assert!(unpacked.success());
        let list = Command::new("tar").args(["--zstd", "-tf"]).arg(&layer).output().unwrap();
        let list = String::from_utf8(list.stdout).unwrap();
        let mut files: Vec<_> = list.lines().filter(|line| !line.ends_with('/')).collect();
        files.sort_unstable();
        assert_eq!(files, [program, "etc/ssl/certs/ca-certificates.crt"]);
        // A static program names no interpreter.
        let program = std::fs::read(folder.path().join(program)).unwrap();
        assert!(!program.windows(10).any(|window| window == b"/lib64/ld-"), "it is linked dynamically");
    }
}

pub(crate) fn the_proxys_is_small() {
    let (manifest, _) = image(&archive("bailey-proxy"));
    let size = manifest["layers"][0]["size"].as_u64().unwrap();
    eprintln!("the proxy's image has {size} bytes, compressed");
    assert!(size <= PROXY_BYTES, "{size}");
}

pub(crate) fn the_same_files_make_the_same_archive() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str| {
        let out = folder.path().join(name);
        let program = repository("images/archive.py");
        let label = ["--label", "org.opencontainers.image.title=x"];
        let made = Command::new(&program).arg(&out).arg("bailey.test/x:1").arg(&program).args(label).status().unwrap();
        assert!(made.success());
        std::fs::read(out).unwrap()
    };
    assert!(make("one") == make("two"));
}

pub(crate) fn the_dockerfile_makes_the_same() {
    let dockerfile = read("images/Dockerfile");
    for program in PROGRAMS {
        let (_, config) = image(&archive(program));
        let settings = &config["config"];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let labels = settings["Labels"].as_object().unwrap();
        let mut lines = vec![
            format!("USER {}", text(&settings["User"])),
            format!("WORKDIR {}", text(&settings["WorkingDir"])),
            format!("ENV {}", text(&settings["Env"][0])),
            format!("FROM base AS {program}"),
            format!("COPY --from=build /out/{program} /{program}"),
            format!("ENTRYPOINT {}", settings["Entrypoint"]),
            "COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt".to_owned(),
        ];
        let fixed =
            |key: &str| (key != "org.opencontainers.image.version").then(|| format!("{key}={}", text(&labels[key])));
        let of: Vec<_> = labels.keys().filter_map(|key| fixed(key)).rev().collect();
        lines.push(format!("LABEL {}", of.join(" ")));
        for line in lines {
            assert!(dockerfile.lines().any(|one| one == line), "the Dockerfile has no line {line}");
        }
    }
}
