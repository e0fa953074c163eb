//! Every metric of the table shows up in a scrape, moved by what it counts; nothing else does; dashboard and alerts ask for nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::path::{Path, PathBuf};

use bailey::up::local::{Local, LocalOptions};
use bailey_proxy::metrics::table::{Kind, TABLE};
use bailey_proxy::tier::LogTarget;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::backend::{answering, scripted};
use crate::client::{PROTOCOLS, eventually, request};
use crate::folder::{TWO_TENANTS, client, echo, route};

const HOST: &str = "t.a.localhost";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

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

async fn local(folder: &Path, log: LogTarget, objects: &str) -> Local {
    let topology = format!("{TWO_TENANTS}  accessLog: {{format: json}}\n");
    for (name, text) in [("topology.yaml", topology.as_str()), ("a.yaml", objects)] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let state = folder.join("..").join("state");
    Local::start(LocalOptions { access_log: log, ..LocalOptions::for_tests(folder, &state) }).await.unwrap()
}

fn folder(kept: &tempfile::TempDir, name: &str) -> PathBuf {
    let folder = kept.path().join(name).join("objects");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn rule(path: &str, filters: &str, backend: &str) -> String {
    format!(
        "    - matches: [{{path: {{type: PathPrefix, value: {path}}}}}]\n{filters}      backendRefs: [{{name: {backend}, port: 80}}]\n"
    )
}

/// Does everything that a metric counts, as far as one machine with working tiers can.
async fn busy(local: &Local) {
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
    let front = local.fronts().next().unwrap().1;
    front.set_stale(true);
    front.count_rejected();
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
        + &rule("/", "", "app");
    let dead = crate::backend::local_backend("a", "dead", "address: '127.0.0.1:1'");
    let backends =
        [echo("app"), fine.object("a", "fine"), flaky.object("a", "flaky"), hanging.object("a", "hanging"), dead];
    let objects = route("m", HOST, &rules) + &backends.concat();
    let kept = tempfile::tempdir().unwrap();
    let log = kept.path().join("access.log");
    let running = local(&folder(&kept, "one"), LogTarget::File(log.clone()), &objects).await;
    busy(&running).await;
    let _open = client(&running).connect(HOST, "h2").await.unwrap();
    let full = local(&folder(&kept, "full"), LogTarget::File("/dev/full".into()), &objects).await;
    client(&full).get(HOST, "/", &[]).await;
    let of = |local: &Local| -> Vec<Scraped> {
        let handles = local.fronts().map(|(_, tier)| tier).chain(local.inners().map(|(_, tier)| tier));
        handles.map(|tier| scraped(tier.scrape())).collect()
    };
    let all = || -> Vec<Scraped> { of(&running).into_iter().chain(of(&full)).collect() };
    let total = |name: &str| -> f64 { all().iter().filter_map(|tier| tier.sums.get(name)).sum() };
    eventually(|| total("bailey_access_log_lines_total") > 0.5 && total("bailey_access_log_dropped_total") > 0.5).await;
    complete(&all());
    plausible(&of(&running));
}

/// Every metric of the table is shown and moved, and no other one is there.
fn complete(all: &[Scraped]) {
    // Without a cluster there are no permissions, and each that is missing is a row: there is none.
    let without_rows = ["bailey_permission_missing"];
    // What only a lost tier, a lost collector or a moment in between would move: there, and 0.
    let at_rest = [
        "bailey_link_failures",
        // Those of local mode are made for each name when it is asked for.
        "bailey_certificates",
        "http_server_active_requests",
        "bailey_link_streams",
        "bailey_spans_exported",
        "bailey_spans_dropped",
        "bailey_spans_failed",
        "bailey_spans_queued",
    ];
    let total = |name: &str| -> f64 { all.iter().filter_map(|tier| tier.sums.get(name)).sum() };
    let known: BTreeSet<&str> = TABLE.iter().map(|metric| metric.name).collect();
    let mut unmoved = Vec::new();
    for metric in TABLE {
        let name = sample(metric.name, metric.kind);
        if without_rows.contains(&metric.name) {
            assert!(all.iter().any(|tier| tier.types.iter().any(|(shown, _)| shown == metric.name)), "{name}");
            continue;
        }
        assert!(all.iter().any(|tier| tier.sums.contains_key(&name)), "{name} is never shown");
        if !at_rest.contains(&metric.name) && total(&name) <= 0.0 {
            unmoved.push(name);
        }
    }
    assert!(unmoved.is_empty(), "{unmoved:?} were not moved");
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
}

/// Words of a query that can only be names of metrics.
fn names(query: &str) -> BTreeSet<String> {
    let words = query.split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'));
    words
        .filter(|word| {
            word.starts_with("bailey_") || word.starts_with("http_server_") || word.starts_with("http_client_")
        })
        .map(str::to_owned)
        .collect()
}

fn is_shown(name: &str) -> bool {
    TABLE.iter().any(|metric| match metric.kind {
        Kind::Histogram => ["_bucket", "_count", "_sum"].iter().any(|end| name.strip_suffix(end) == Some(metric.name)),
        Kind::Counter | Kind::Gauge | Kind::Info => metric.sample() == name,
    })
}

fn repository(path: &str) -> String {
    std::fs::read_to_string(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(path)).unwrap()
}

#[test]
fn the_dashboard_asks_only_for_metrics_that_are_shown_and_for_all_of_them() {
    let dashboard: serde_json::Value = serde_json::from_str(&repository("config/grafana/bailey.json")).unwrap();
    let mut asked = BTreeSet::new();
    let panels = dashboard["panels"].as_array().unwrap();
    for target in panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten() {
        let found = names(target["expr"].as_str().unwrap());
        assert!(!found.is_empty(), "{target}");
        asked.extend(found);
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        asked.extend(names(variable["query"]["query"].as_str().unwrap_or_default()));
    }
    for name in &asked {
        assert!(is_shown(name), "{name} is no metric");
    }
    for metric in TABLE {
        assert!(asked.iter().any(|name| name.starts_with(metric.name)), "no panel shows {}", metric.name);
    }
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len());
}

#[test]
fn alerts_ask_only_for_metrics_that_are_shown_and_say_what_to_do() {
    let alerts: serde_json::Value = serde_saphyr::from_str(&repository("config/prometheus/alerts.yaml")).unwrap();
    assert_eq!(
        (&alerts["apiVersion"], &alerts["kind"]),
        (&"monitoring.coreos.com/v1".into(), &"PrometheusRule".into())
    );
    let groups = alerts["spec"]["groups"].as_array().unwrap();
    let rules: Vec<_> = groups.iter().flat_map(|group| group["rules"].as_array().unwrap()).collect();
    assert!(rules.len() >= 8);
    for rule in rules {
        let found = names(rule["expr"].as_str().unwrap());
        assert!(!found.is_empty() && found.iter().all(|name| is_shown(name)), "{rule}");
        let severity = rule["labels"]["severity"].as_str().unwrap();
        assert!(["info", "warning", "critical"].contains(&severity), "{rule}");
        assert!(rule["annotations"]["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{rule}");
    }
}
