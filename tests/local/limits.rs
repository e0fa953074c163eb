//! Every limit by its name: a client that hits it moves the counter of that name, and the access log, `Proxy-Status` and the counter
//! of errors give the same reason where a request was answered for it.

mod provoke;

use std::collections::BTreeSet;
use std::path::Path;

use bailey::up::local::{Local, LocalOptions};
use bailey_proxy::metrics::Limit;
use bailey_proxy::tier::LogTarget;
use futures_util::StreamExt as _;
use serde_json::Value;

use crate::backend::{Application, local_backend, scripted};
use crate::client::eventually;
use crate::folder::{TWO_TENANTS, client, echo, route};
use provoke::{CASES, Crowded, Hit};

/// One limit, and who hits it.
pub struct Case {
    /// Its name, as the counter has it.
    pub limit: &'static str,
    /// What it is set to.
    pub value: u32,
    /// Other limits beside it.
    pub also: &'static str,
    /// More of `spec.outer`.
    pub outer: &'static str,
    /// What requests are refused for; `None`: it refuses no request that was read.
    pub reason: Option<&'static str>,
    /// The client.
    pub hit: Hit,
}

impl Case {
    /// The topology with this limit, where the API has it.
    fn topology(&self) -> String {
        let (area, field) = self.limit.rsplit_once('.').unwrap();
        let text = format!("{TWO_TENANTS}  httpsRedirect: false\n  accessLog: {{format: json}}\n");
        let text = text.replace("    certificates:", &format!("{}    certificates:", self.outer));
        let set = format!("{field}: {}{}", self.value, self.also);
        if area == "tenants.limits" {
            return text.replace("\"*.a.localhost\"]}", &format!("\"*.a.localhost\"], limits: {{{set}}}}}"));
        }
        let limits = format!("limits: {{{area}: {{{set}}}}}");
        // Applications are the inner tier's business, but for how many requests may be under way.
        if area == "upstream" && field != "inFlight" {
            text + &format!("  inner: {{{limits}}}\n")
        } else {
            text.replace("    certificates:", &format!("    {limits}\n    certificates:"))
        }
    }
}

/// Applications that do what limits are for.
struct Applications {
    silent: Application,
    closing: Application,
    big: Application,
    crowded: Crowded,
}

impl Applications {
    async fn start() -> Self {
        let silent = scripted(|mut connection| async move { connection.end().await }).await;
        let closing = scripted(|mut connection| async move { drop(connection.head().await) }).await;
        let big = scripted(|mut connection| async move {
            connection.head().await;
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n").await;
            for _ in 0..64 {
                connection.write(vec![b'x'; 1 << 20]).await;
            }
        })
        .await;
        Self { silent, closing, big, crowded: Crowded::start().await }
    }

    fn objects(&self) -> String {
        let rule = |path: &str| {
            format!(
                "    - matches: [{{path: {{type: PathPrefix, value: /{path}}}}}]\n      backendRefs: [{{name: app{path}, port: 80}}]\n"
            )
        };
        let rules = ["", "silent", "closing", "big", "crowded"].map(rule).concat();
        let crowded = local_backend("a", "appcrowded", &format!("address: '{}'", self.crowded.address));
        [
            route("r", "a.localhost", &rules),
            echo("app"),
            self.silent.object("a", "appsilent"),
            self.closing.object("a", "appclosing"),
            self.big.object("a", "appbig"),
            crowded,
        ]
        .concat()
    }
}

async fn start(case: &Case, kept: &Path, log: &Path, objects: &str) -> Local {
    let folder = kept.join("objects");
    std::fs::create_dir(&folder).unwrap();
    for (name, text) in [("topology.yaml", case.topology().as_str()), ("a.yaml", objects)] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let options = LocalOptions::for_tests(&folder, &kept.join("state"));
    let options = LocalOptions { access_log: LogTarget::File(log.to_owned()), ..options };
    let local = Local::start(options).await.unwrap_or_else(|error| panic!("{}: {error}", case.limit));
    let warnings: Vec<_> = local.warnings().map(ToString::to_string).collect();
    assert!(warnings.is_empty(), "{}: {warnings:#?}", case.limit);
    local
}

/// The sum over all tiers of the samples that contain all this.
fn counted(local: &Local, sample: &str, label: &str) -> f64 {
    let tiers = local.fronts().map(|(_, tier)| tier).chain(local.inners().map(|(_, tier)| tier));
    let texts: Vec<String> = tiers.map(bailey_proxy::tier::TierHandle::scrape).collect();
    let lines = texts.iter().flat_map(|text| text.lines());
    let samples = lines.filter(|line| line.starts_with(sample) && line.contains(label));
    samples.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// The lines of the log that give this reason.
fn logged(log: &Path, reason: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["reason"] == reason).collect()
}

async fn hit(case: &Case) {
    let kept = tempfile::tempdir().unwrap();
    let log = kept.path().join("access.log");
    let applications = Applications::start().await;
    let local = start(case, kept.path(), &log, &applications.objects()).await;
    let name = case.limit;
    let label = format!("limit=\"{name}\"");
    assert!(counted(&local, "bailey_limits_hit_total{", &label) < 0.5, "{name} is hit by nobody");
    let provoked = (case.hit)(client(&local)).await;
    eventually(|| counted(&local, "bailey_limits_hit_total{", &label) > 0.5).await;
    let Some(reason) = case.reason else { return local.stop().await };
    eventually(|| !logged(&log, reason).is_empty()).await;
    let errors = counted(&local, "bailey_request_errors_total{", &format!("reason=\"{reason}\""));
    assert!(errors > 0.5, "{name}: {reason} is not counted");
    if let Some(told) = &provoked.proxy_status {
        for line in logged(&log, reason) {
            let error = line["error"].as_str().unwrap_or("none");
            assert!(told.contains(&format!("error={error};")), "{name}: {told}, but the log says {line}");
        }
    }
    drop(provoked);
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_limit_is_hit_by_a_client_and_counted_by_its_name() {
    let known: BTreeSet<&str> = Limit::ALL.iter().map(|limit| limit.as_str()).collect();
    let cases: BTreeSet<&str> = CASES.iter().map(|case| case.limit).collect();
    assert_eq!(known, cases, "each limit has a client that hits it");
    assert_eq!(CASES.len(), known.len());
    futures_util::stream::iter(CASES).map(hit).buffer_unordered(8).collect::<()>().await;
}
