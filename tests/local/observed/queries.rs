//! The dashboard and the alerts ask for metrics of the table, and for nothing else.

use std::collections::BTreeSet;
use std::path::Path;

use bailey_proxy::metrics::table::{Kind, TABLE};

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
