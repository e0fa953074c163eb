//! The Events of a topology: which are of late, and how old. Pure.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Event;
use serde::Serialize;

/// As many are shown.
const LAST: usize = 5;

/// One Event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Told {
    /// When it was seen last (RFC 3339).
    pub(super) at: String,
    /// How long ago that is, for people.
    #[serde(skip)]
    pub(super) age: String,
    /// `Normal` or `Warning`.
    pub(super) kind: String,
    /// Its reason.
    pub(super) reason: String,
    /// What it says.
    pub(super) message: String,
}

/// The last Events of the topology `name`, the newest first.
pub(super) fn of(name: &str, events: &[Event], now: Timestamp) -> Vec<Told> {
    let ours = events.iter().filter(|event| event.involved_object.name.as_deref() == Some(name));
    let mut timed: Vec<(Timestamp, &Event)> = ours.filter_map(|event| Some((last(event)?, event))).collect();
    timed.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    timed.truncate(LAST);
    let told = |(at, event): (Timestamp, &Event)| Told {
        at: at.to_string(),
        age: age(now.duration_since(at)),
        kind: event.type_.clone().unwrap_or_default(),
        reason: event.reason.clone().unwrap_or_default(),
        message: event.message.clone().unwrap_or_default(),
    };
    timed.into_iter().map(told).collect()
}

/// An Event that happened again says so in its series.
fn last(event: &Event) -> Option<Timestamp> {
    let series = event.series.as_ref().and_then(|series| series.last_observed_time.as_ref()).map(|time| time.0);
    let times =
        [series, event.last_timestamp.as_ref().map(|time| time.0), event.event_time.as_ref().map(|time| time.0)];
    times.into_iter().flatten().max()
}

/// As kubectl writes it: the greatest unit alone.
fn age(since: SignedDuration) -> String {
    let seconds = since.as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_newest_come_first_and_those_of_others_are_left_out() {
        let event = |name: &str, at: &str, series: Option<&str>| -> Event {
            let series = series.map(|at| json!({"count": 2, "lastObservedTime": at}));
            let value = json!({
                "metadata": {}, "involvedObject": {"kind": "IngressTopology", "name": name}, "type": "Warning", "reason": "R",
                "message": at, "eventTime": at, "series": series,
            });
            serde_json::from_value(value).unwrap()
        };
        let events = [
            event("main", "2026-01-01T00:00:00.000000Z", Some("2026-01-01T02:00:00.000000Z")),
            event("main", "2026-01-01T01:00:00.000000Z", None),
            event("other", "2026-01-01T01:30:00.000000Z", None),
        ];
        let told = of("main", &events, "2026-01-01T02:05:00Z".parse().unwrap());
        let ages: Vec<_> = told.iter().map(|one| (one.age.as_str(), one.message.as_str())).collect();
        assert_eq!(ages, [("5m", "2026-01-01T00:00:00.000000Z"), ("1h", "2026-01-01T01:00:00.000000Z")]);
    }
}
