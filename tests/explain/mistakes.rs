//! Mistakes that people make, as data: each file under `mistakes/` has a question, what must be said of it, and the objects.
//! Every one is explained, and asked of real tiers.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bailey_proxy::explain::{Explanation, Question};
use serde::Deserialize;

use crate::running::{Answer, CLIENT, Running, TOPOLOGY};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    ask: Ask,
    expect: Expect,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    url: String,
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    headers: Vec<String>,
    #[serde(default)]
    sni: Option<String>,
    #[serde(default)]
    http2: bool,
}

/// What must be said; what is absent must be absent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    cause: String,
    #[serde(default)]
    status: Option<u16>,
    #[serde(default)]
    grpc_status: Option<u8>,
    /// The tier that answers; of what is forwarded it is `application`.
    #[serde(default)]
    tier: Option<String>,
    /// Code of the first related diagnostic.
    #[serde(default)]
    code: Option<String>,
    /// The echo that answers.
    #[serde(default)]
    backend: Option<String>,
    /// The address that the application sees.
    #[serde(default)]
    client: Option<String>,
    /// Words that stand somewhere in the explanation.
    #[serde(default)]
    words: Vec<String>,
}

fn question(ask: &Ask) -> Question {
    let mut question = Question::get(&ask.url).unwrap();
    for header in &ask.headers {
        question = question.header(header).unwrap();
    }
    question.method = ask.method.clone().unwrap_or(question.method);
    question.sni.clone_from(&ask.sni);
    question.http2 = ask.http2;
    question.from = (CLIENT, 50_000).into();
    question
}

fn differences(expect: &Expect, said: &Explanation, happened: Option<&Answer>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut same = |what: &str, wanted: String, got: String| {
        if wanted != got {
            wrong.push(format!("{what}: {wanted} is expected, {got} is said"));
        }
    };
    let json = serde_json::to_value(said).unwrap();
    let verdict = &json["verdict"];
    same("cause", expect.cause.clone(), verdict["cause"].as_str().unwrap_or_default().to_owned());
    same("status", format!("{:?}", expect.status), format!("{:?}", said.verdict.status));
    same("gRPC status", format!("{:?}", expect.grpc_status), format!("{:?}", said.verdict.grpc_status));
    let tier = expect.tier.as_deref().or(expect.backend.as_ref().map(|_| "application"));
    same("tier", format!("{tier:?}"), format!("{:?}", said.verdict.tier));
    if let Some(code) = &expect.code {
        same("code", code.clone(), said.verdict.related.first().map_or("none", |first| first.code).to_owned());
    }
    if let Some(client) = &expect.client {
        same("client", client.clone(), said.address.last().map(|step| step.client.clone()).unwrap_or_default());
    }
    let text = json.to_string().replace("\\\"", "\"");
    wrong.extend(
        expect.words.iter().filter(|words| !text.contains(*words)).map(|words| format!("{words:?} is not said")),
    );
    wrong.extend(disagreements(expect, said, happened));
    wrong
}

/// What is said and does not happen.
fn disagreements(expect: &Expect, said: &Explanation, happened: Option<&Answer>) -> Vec<String> {
    let mut wrong = Vec::new();
    let ways = said.tiers.last().map(|tier| &tier.ways[..]).unwrap_or_default();
    let of_ways = ways.iter().map(|way| way.answer.as_ref().map_or(200, |answer| answer.status));
    // Where several things may happen, any of them will do.
    let may: Vec<Option<u16>> = match (said.verdict.status, said.verdict.tier) {
        (status, _) if ways.len() < 2 && said.verdict.tier != Some("application") => vec![status],
        (_, _) => of_ways.map(Some).collect(),
    };
    if !may.contains(&happened.map(|answer| answer.status)) {
        wrong.push(format!("the answer is {happened:?}, said was {may:?}"));
    }
    let Some(answer) = happened else { return wrong };
    if let Some(told) = answer.field("proxy-status")
        && may.len() < 2
        && said.verdict.proxy_status.as_deref() != Some(told)
    {
        wrong.push(format!("Proxy-Status is {told}, said was {:?}", said.verdict.proxy_status));
    }
    if let (Some(backend), 200) = (&expect.backend, answer.status) {
        let seen = answer.seen();
        if seen["backend"] != **backend {
            wrong.push(format!("{} answers", seen["backend"]));
        }
        let way = ways.iter().find(|way| way.sent.is_some()).unwrap();
        wrong.extend(unlike(way.sent.as_ref().map(|sent| &sent.fields[..]).unwrap_or_default(), &seen["headers"]));
    }
    wrong
}

/// Fields that the application sees and that were not said, or otherwise.
pub fn unlike(said: &[(String, String)], seen: &serde_json::Value) -> Vec<String> {
    let mut told: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in said {
        told.entry(name).or_default().push(value);
    }
    let empty = serde_json::Map::new();
    let mut wrong = Vec::new();
    for (name, values) in seen.as_object().unwrap_or(&empty) {
        // Of the message and of the hop, not of the head that is told.
        if ["host", "connection", "content-length"].contains(&name.as_str()) {
            continue;
        }
        let values: Vec<&str> = values.as_array().unwrap().iter().filter_map(|value| value.as_str()).collect();
        match told.remove(name.as_str()) {
            // An id that nobody can know before.
            Some(said) if said == values || (said == ["(made for each request)"] && values.len() == 1) => {}
            said => wrong.push(format!("the application sees {name}: {values:?}, said was {said:?}")),
        }
    }
    wrong.extend(
        told.into_iter().map(|(name, said)| format!("{name}: {said:?} was said, and the application sees none")),
    );
    wrong
}

#[tokio::test]
async fn every_mistake_is_explained_by_its_true_cause_and_happens_as_explained() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("explain/mistakes");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let document = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/explain.md")).unwrap();
    let mut wrong = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        let (case, objects) = text.split_once("\n---\n").unwrap();
        let case: Case = serde_saphyr::from_str(case).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        assert!(
            document.contains(&format!("| `{}` |", case.expect.cause)),
            "{} is not in docs/explain.md",
            case.expect.cause
        );
        let mut files = vec![("objects.yaml", objects)];
        if !objects.contains("kind: IngressTopology") && !objects.contains("kind: Gateway\n") {
            files.push(("topology.yaml", TOPOLOGY));
        }
        let running = Running::start(&files).await;
        let asked = question(&case.ask);
        let (said, happened) = (running.explain(&asked), running.ask(&asked).await);
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let found = differences(&case.expect, &said, happened.as_ref());
        if !found.is_empty() {
            wrong.push(format!(
                "{name}: {}\n  {}\n  {:?}",
                said.verdict.sentence,
                found.join("\n  "),
                running.local.diagnostics().iter().map(ToString::to_string).collect::<Vec<_>>()
            ));
        }
        running.local.stop().await;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(files.len() >= 40, "the samples are gone");
}
