//! Every metric of the table shows up in a scrape of a running tier, away from its resting value because of what it counts; nothing
//! else does. The log of the same run tells plausible times.

mod queries;
mod tiers;

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::path::Path;

use bailey::up::local::Local;
use bailey_kit::kube::Denied;
use bailey_proxy::metrics::table::{Kind, TABLE};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::backend::{answering, scripted};
use crate::client::{Client, PROTOCOLS, eventually, request};
use crate::folder::{client, echo, route};
use tiers::{flooded, lost, ordering, started, with_secret};

const HOST: &str = "t.a.localhost";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const TAKEN: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
/// A collector's answer that is not worth a repetition.
const REFUSED: &str = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";

/// What one tier shows: the sum of the samples of each name.
#[derive(Debug, Default)]
struct Scraped {
    types: BTreeMap<String, String>,
    sums: BTreeMap<String, f64>,
    text: String,
}

fn scraped(text: String) -> Scraped {
    let mut scraped = Scraped::default();
    for line in text.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').unwrap();
            assert!(scraped.types.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} twice");
        } else if !line.starts_with('#') {
            let sample = line.split(" # ").next().unwrap();
            let (labelled, value) = sample.rsplit_once(' ').unwrap();
            let name = labelled.split('{').next().unwrap();
            *scraped.sums.entry(name.to_owned()).or_default() += value.parse::<f64>().unwrap();
        }
    }
    assert!(text.ends_with("# EOF\n"));
    scraped.text = text;
    scraped
}

/// The name of the samples that tell whether something was counted.
fn sample(name: &str, kind: Kind) -> String {
    match kind {
        Kind::Counter => format!("{name}_total"),
        Kind::Info => format!("{name}_info"),
        Kind::Gauge => name.to_owned(),
        Kind::Histogram => format!("{name}_count"),
    }
}

fn rule(path: &str, filters: &str, backend: &str) -> String {
    format!(
        "    - matches: [{{path: {{type: PathPrefix, value: {path}}}}}]\n{filters}      backendRefs: [{{name: {backend}, port: 80}}]\n"
    )
}

/// Does everything that a metric of working tiers counts.
async fn busy(local: &mut Local, folder: &Path) {
    let client = client(local);
    for protocol in PROTOCOLS {
        let mut connection = client.connect(HOST, protocol).await.unwrap();
        for _ in 0..5 {
            connection.send(request("POST", HOST, "/", &[], "body")).await.unwrap();
            connection.send(request("GET", HOST, "/dead", &[], "")).await.unwrap();
        }
        connection.send(request("GET", HOST, "/again", &[], "")).await.unwrap();
        for _ in 0..80 {
            connection.send(request("GET", HOST, "/hanging-mirror", &[], "")).await.unwrap();
        }
        let long = "x".repeat(100_000);
        let _ = connection.send(request("GET", HOST, "/", &[("x-long", &long)], "")).await;
    }
    client.plain("GET", "stranger.localhost", "/").await;
    // Somebody who is not the outer tier.
    let mut stranger = tokio::net::TcpStream::connect(local.inner("main", "a").unwrap()).await.unwrap();
    stranger.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let _ = stranger.read_to_end(&mut Vec::new()).await;
    std::fs::write(folder.join("broken.yaml"), "this is: [not yaml").unwrap();
    local.reload().await.unwrap_err();
    std::fs::remove_file(folder.join("broken.yaml")).unwrap();
    // What only a cluster tells.
    let front = local.fronts().next().unwrap().1;
    front.set_stale(true);
    let text = |text: &str| text.to_owned();
    let denied =
        Denied { verb: text("list"), resource: text("services"), namespace: text("a"), subject: text("somebody") };
    front.note_troubles([denied].into(), Vec::new());
}

/// A request that waits for its answer as long as this is kept.
async fn under_way(client: Client) -> impl Sized {
    let mut tls = client.tls(HOST, "http/1.1").await.unwrap();
    tls.write_all(format!("GET /hanging HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes()).await.unwrap();
    tls
}

#[tokio::test]
async fn every_metric_is_moved_by_what_it_counts_and_no_other_is_shown() {
    let hanging = scripted(|mut connection| async move {
        connection.head().await;
        pending::<()>().await;
    })
    .await;
    // The first request on each connection is not answered; its repetition comes on a new one, whose number is even.
    let flaky = scripted(|mut connection| async move {
        if connection.number % 2 == 1 {
            connection.head().await;
            connection.write(OK).await;
        } else {
            connection.head().await;
        }
    })
    .await;
    let fine = answering(OK).await;
    let mirror = "      filters: [{type: RequestMirror, requestMirror: {backendRef: {name: hanging, port: 80}}}]\n";
    let rules = rule("/dead", "", "dead")
        + &rule("/again", "", "flaky")
        + &rule("/hanging-mirror", mirror, "fine")
        + &rule("/missing", "", "missing")
        + &rule("/hanging", "", "hanging")
        + &rule("/", "", "app");
    let dead = crate::backend::local_backend("a", "dead", "address: '127.0.0.1:1'");
    let backends =
        [echo("app"), fine.object("a", "fine"), flaky.object("a", "flaky"), hanging.object("a", "hanging"), dead];
    let objects = route("m", HOST, &rules) + &backends.concat();
    let kept = tempfile::tempdir().unwrap();
    let collectors = [answering(TAKEN).await, answering(REFUSED).await];
    let mut running = started(&kept.path().join("one"), "access.log", &collectors[0], &objects).await;
    let folder = running.folder.clone();
    busy(&mut running.local, &folder).await;
    let _open = client(&running.local).connect(HOST, "h2").await.unwrap();
    // A log that cannot be written, and a collector that takes nothing.
    let full = started(&kept.path().join("full"), "/dev/full", &collectors[1], &objects).await;
    client(&full.local).get(HOST, "/", &[]).await;
    // A collector that does not answer.
    let stuck = started(&kept.path().join("stuck"), "access.log", &hanging, &objects).await;
    flooded(&client(&stuck.local), HOST).await;
    let (gateway, lost) = (with_secret().await, lost().await);
    let ordering = ordering(&kept.path().join("ordering")).await;
    let _under_way = under_way(client(&running.local)).await;
    let of = |local: &Local| -> Vec<Scraped> {
        let handles = local.fronts().map(|(_, tier)| tier).chain(local.inners().map(|(_, tier)| tier));
        handles.map(|tier| scraped(tier.scrape())).collect()
    };
    let all = || -> Vec<Scraped> {
        let locals = [&running.local, &full.local, &stuck.local, &gateway.local, &ordering];
        locals.into_iter().flat_map(of).chain([scraped(lost.scrape())]).collect()
    };
    eventually(|| unmoved(&all()).is_empty()).await;
    only_known(&all());
    plausible(&of(&running.local));
    timed(&running.log);
}

/// The metrics that no tier shows with a value other than 0, at which all of them rest.
fn unmoved(all: &[Scraped]) -> Vec<String> {
    let names = TABLE.iter().map(|metric| sample(metric.name, metric.kind));
    names.filter(|name| all.iter().filter_map(|tier| tier.sums.get(name)).sum::<f64>() <= 0.0).collect()
}

/// Nothing is shown that is not in the table, or as another kind.
fn only_known(all: &[Scraped]) {
    let known: BTreeSet<&str> = TABLE.iter().map(|metric| metric.name).collect();
    for tier in all {
        for (name, kind) in &tier.types {
            let metric =
                TABLE.iter().find(|metric| metric.name == name).unwrap_or_else(|| panic!("{name} is no metric"));
            assert_eq!(metric.kind.as_str(), kind);
        }
        for name in tier.sums.keys() {
            let family = ["_total", "_info", "_bucket", "_count", "_sum"].iter().find_map(|end| name.strip_suffix(end));
            assert!(known.contains(family.unwrap_or(name)) || known.contains(name.as_str()), "{name} is no metric");
        }
    }
}

/// The outer tier's line holds the inner tier's time, and that the application's.
fn timed(log: &Path) {
    let text = std::fs::read_to_string(log).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let outer: Vec<Value> = lines.filter(|line| line["tier"] == "outer" && line["status"] == 200).collect();
    assert!(outer.len() > 100, "{text}");
    for line in &outer {
        let us = |field: &str| line[field].as_u64().unwrap_or_else(|| panic!("no {field} in {line}"));
        let (whole, upstream, inner) = (us("duration_us"), us("upstream_us"), us("inner_us"));
        assert!(us("application_us") <= inner && inner <= upstream && upstream <= whole, "{line}");
        assert!(inner > 0, "{line}");
    }
}

/// Numbers that the requests of [`busy`] alone can have made.
fn plausible(tiers: &[Scraped]) {
    let outer = tiers.iter().find(|tier| tier.text.contains("tier=\"outer\"")).unwrap();
    let inner = tiers.iter().find(|tier| tier.text.contains("tier_tenant=\"a\"")).unwrap();
    let at = |tier: &Scraped, name: &str| tier.sums.get(name).copied().unwrap_or_default();
    let answered = at(inner, "http_server_request_duration_seconds_count");
    assert!((answered - 182.0).abs() < 0.5, "{answered}");
    // The outer tier has seen those, two long heads (one of them perhaps refused by the codec) and a stranger's host.
    let seen = at(outer, "http_server_request_duration_seconds_count");
    assert!((183.5..=185.5).contains(&seen), "{seen}");
    assert!((at(outer, "http_client_request_duration_seconds_count") - 182.0).abs() < 0.5);
    let bytes = at(inner, "http_server_request_body_bytes_total");
    assert!((bytes - 40.0).abs() < 0.5, "{bytes}");
    let seconds = at(outer, "http_server_request_duration_seconds_sum");
    assert!(seconds > 0.0 && seconds < 600.0, "{seconds}");
    let ends = at(outer, "bailey_certificate_not_after_timestamp_seconds");
    assert!(ends > 1.7e9, "{ends}");
    let line = outer.text.lines().find(|line| line.contains("limit=\"http1.headerBytes\"")).unwrap();
    assert!(line.ends_with(" 1"), "{line}");
    let limits = outer.text.lines().filter(|line| line.starts_with("bailey_limits_hit_total{")).count();
    assert!(limits > 30, "{limits}");
    for tier in [outer, inner] {
        let exemplar = |line: &str| line.contains("_seconds_bucket{") && line.contains(" # {trace_id=\"");
        assert!(tier.text.lines().any(exemplar), "no exemplar: {}", tier.text);
    }
}
