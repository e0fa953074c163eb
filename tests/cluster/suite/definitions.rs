//! Bailey's definitions on a real API server: it accepts and refuses what the offline rules say, and explains every field.

#[path = "../../../crds/src/validate/tests/cases.rs"]
mod cases;

use http::Request;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::client::Body;
use serde_json::Value;

use self::cases::Case;
use crate::bed::{bed, repository};
use crate::kubernetes::{Kubernetes, documents};

pub(crate) fn the_server_agrees_with_the_offline_rules() {
    bed().run(async |cluster| {
        let namespace = cluster.namespace("rules").await;
        let mut wrong = Vec::new();
        let cases = cases::cases();
        assert!(cases.len() > 90, "{}", cases.len());
        for case in cases {
            wrong.extend(disagreement(&cluster, &namespace, case).await.err());
        }
        assert!(wrong.is_empty(), "{} cases differ:\n{}", wrong.len(), wrong.join("\n"));
        cluster.delete_namespace(&namespace).await;
    });
}

/// What is wrong with the server's verdict on a case. Its words are its own, except for our CEL rules; the field it names must be the same.
async fn disagreement(cluster: &Kubernetes, namespace: &str, mut case: Case) -> Result<(), String> {
    if case.object.pointer("/metadata/namespace").is_some() {
        case.object["metadata"]["namespace"] = namespace.into();
    }
    let verdict = create(cluster, &case.object).await;
    let Case { rule, at, refused, .. } = &case;
    match (refused, &verdict) {
        (None, Ok(())) => Ok(()),
        (Some((path, part)), Err(status)) if names(status, path, part) => Ok(()),
        (None | Some(_), Ok(()) | Err(_)) => {
            Err(format!("{at} {rule}: wanted {refused:?}, the server says {verdict:?}"))
        }
    }
}

/// Whether the server's refusal is about the field at `path`, or of our rule that says `part`.
fn names(status: &Status, path: &str, part: &str) -> bool {
    let message = status.message.clone().unwrap_or_default();
    let causes = status.details.as_ref().and_then(|details| details.causes.clone()).unwrap_or_default();
    let fields: Vec<_> = causes.iter().filter_map(|cause| cause.field.as_deref()).collect();
    let at = if path.is_empty() { fields.contains(&"<nil>") } else { fields.contains(&path) || message.contains(path) };
    at || message.contains(part)
}

/// Asks the server to create an object, without storing it, and to be strict about unknown fields as `kubectl apply` is.
async fn create(cluster: &Kubernetes, object: &Value) -> Result<(), Status> {
    let kind = object["kind"].as_str().expect("a kind").to_lowercase();
    let plural = if kind.ends_with('y') { format!("{}ies", &kind[..kind.len() - 1]) } else { format!("{kind}s") };
    let namespace = object.pointer("/metadata/namespace").and_then(Value::as_str);
    let scope = namespace.map(|namespace| format!("namespaces/{namespace}/")).unwrap_or_default();
    let uri = format!("/apis/bailey.dev/v1alpha1/{scope}{plural}?dryRun=All&fieldValidation=Strict");
    let request = Request::post(uri).header("content-type", "application/json");
    let request = request.body(Body::from(serde_json::to_vec(object).expect("JSON"))).expect("a request");
    let answer = cluster.client.send(request).await.expect("an answer");
    let created = answer.status().is_success();
    let body = http_body_util::BodyExt::collect(answer.into_body()).await.expect("an answer").to_bytes();
    if created { Ok(()) } else { Err(serde_json::from_slice(&body).expect("a status")) }
}

pub(crate) fn samples_are_accepted() {
    bed().run(async |cluster| {
        let mut accepted = 0;
        for folder in ["samples/two-tier", "samples/single"] {
            for file in std::fs::read_dir(repository(folder)).unwrap().map(|file| file.unwrap().path()) {
                if file.extension().is_none_or(|extension| extension != "yaml") {
                    continue;
                }
                for mut object in documents(&std::fs::read_to_string(&file).unwrap()) {
                    // Only bailey up has local backends.
                    if object["kind"] == "LocalBackend" {
                        continue;
                    }
                    if let Some(namespace) = object.pointer_mut("/metadata/namespace") {
                        *namespace = "default".into();
                    }
                    let created = cluster.try_create(&object).await;
                    created.unwrap_or_else(|error| panic!("{}: {error}: {object}", file.display()));
                    accepted += 1;
                }
            }
        }
        assert!(accepted > 5, "{accepted}");
    });
}

/// `kubectl explain` has a sentence on every field just below `spec`; that every field below those has one is held beside the types.
pub(crate) fn fields_are_explained() {
    for kind in ["ingresstopologies", "tierconfigs", "hostnamebindings"] {
        let fields = bed().kubectl(&["explain", kind, "--recursive"]);
        assert!(fields.contains("FIELDS:"), "{fields}");
        for path in paths(&fields).iter().filter(|path| path.starts_with("spec") && path.matches('.').count() == 1) {
            let text = bed().kubectl(&["explain", &format!("{kind}.{path}")]);
            let description = text.split("DESCRIPTION:").nth(1).unwrap_or_else(|| panic!("{kind}.{path}: {text}"));
            let description = description.split("FIELDS:").next().unwrap_or_default().trim();
            assert!(
                !description.is_empty() && !description.contains("<empty>"),
                "{kind}.{path} is not explained: {text}"
            );
        }
    }
}

/// The paths of the fields that `kubectl explain --recursive` lists, by their indentation.
fn paths(list: &str) -> Vec<String> {
    let mut stack: Vec<(usize, &str)> = Vec::new();
    let mut paths = Vec::new();
    for line in list.split("FIELDS:").nth(1).unwrap_or_default().lines() {
        let Some((name, _)) = line.trim_start().split_once('\t') else { continue };
        let depth = line.len() - line.trim_start().len();
        while stack.last().is_some_and(|(above, _)| *above >= depth) {
            stack.pop();
        }
        stack.push((depth, name));
        paths.push(stack.iter().map(|(_, name)| *name).collect::<Vec<_>>().join("."));
    }
    paths
}
