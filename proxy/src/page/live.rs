//! What flows on the lines of the topology: rates, errors and the 99th percentile of the last seconds, from what the tiers
//! count anyway. Nothing runs while nobody looks.
#![expect(clippy::cast_precision_loss, reason = "what is drawn or said of it is rounded anyway")]

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::mpsc;

use super::board::{Board, Seen};
use super::graph::of::flow_to;
use crate::metrics::Total;
use crate::tier::Role;

/// How far back rates look.
const WINDOW: Duration = Duration::from_secs(10);
/// How often they are made.
const STEP: Duration = Duration::from_millis(500);

/// All that was counted up to one moment, by flow.
type Sample = BTreeMap<String, Flow>;

/// Requests of one flow since the start.
#[derive(Debug, Clone, Default)]
struct Flow {
    all: Total,
    errors: u64,
}

impl Flow {
    fn add(&mut self, class: u8, total: &Total) {
        // Answers with 5xx, and requests that ended without one.
        if class == 5 || class == 0 {
            self.errors += total.count();
        }
        self.all.join(total);
    }

    fn since(&self, before: &Self) -> Self {
        Self { all: self.all.since(&before.all), errors: self.errors.saturating_sub(before.errors) }
    }

    fn rate(&self, over: Duration) -> Rate {
        let requests = self.all.count();
        Rate {
            per_second: round(requests as f64 / over.as_secs_f64()),
            error_percent: if requests == 0 { 0.0 } else { round(self.errors as f64 * 100.0 / requests as f64) },
            p99_ms: self.all.quantile(990).map(|p99| round(p99.as_secs_f64() * 1000.0)),
            requests,
        }
    }
}

/// What flows on one line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rate {
    /// Requests per second.
    pub per_second: f64,
    /// Answers with 5xx, or none, of a hundred.
    pub error_percent: f64,
    /// 99 of 100 requests took no longer, in milliseconds, as near as the buckets tell. `None`: there was no request.
    pub p99_ms: Option<f64>,
    /// Requests.
    pub requests: u64,
}

fn sample(board: &Board) -> Sample {
    let mut flows = Sample::new();
    for Seen { member, .. } in board.seen() {
        for (tenant, route, class, total) in member.metrics.requests() {
            let flow = match &member.role {
                Role::Outer { topology } if !tenant.is_empty() => format!("tenant:{topology}/{tenant}"),
                Role::Outer { .. } => continue,
                Role::Inner { .. } | Role::Gateway { .. } => format!("route:{route}"),
            };
            flows.entry(flow).or_default().add(class, &total);
        }
        for (route, service, class, total) in member.metrics.attempts() {
            flows.entry(flow_to(&route, &service)).or_default().add(class, &total);
        }
    }
    flows
}

/// What flowed between two samples.
fn rates(before: &Sample, now: &Sample, over: Duration) -> BTreeMap<String, Rate> {
    let nothing = Flow::default();
    let rate = |(name, flow): (&String, &Flow)| {
        (name.clone(), flow.since(before.get(name).unwrap_or(&nothing)).rate(over.max(Duration::from_secs(1))))
    };
    now.iter().map(rate).collect()
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// What flowed since the tiers were started: for the page before its script, or without.
pub fn since_start(board: &Board) -> BTreeMap<String, Rate> {
    rates(&Sample::new(), &sample(board), Duration::from_secs(1))
}

/// An event of server-sent events with JSON as its data.
pub fn event(name: &str, data: &impl Serialize) -> Bytes {
    // The values that are sent have only text keys and finite numbers.
    let json = serde_json::to_string(data).unwrap_or_default();
    format!("event: {name}\ndata: {json}\n\n").into()
}

/// Sends rates, at first at once, then whenever they differ, until nobody reads them.
pub async fn follow(board: Arc<Board>, events: mpsc::Sender<Bytes>) {
    let mut samples = VecDeque::from([(Instant::now(), sample(&board))]);
    let mut said = None;
    loop {
        tokio::select! {
            () = events.closed() => return,
            () = tokio::time::sleep(STEP) => {}
        }
        let (now, newest) = (Instant::now(), sample(&board));
        while samples.len() > 1 && now.duration_since(samples[0].0) > WINDOW {
            samples.pop_front();
        }
        let (then, oldest) = &samples[0];
        let rates = rates(oldest, &newest, now.duration_since(*then));
        samples.push_back((now, newest));
        if said.as_ref() == Some(&rates) {
            continue;
        }
        if events.send(event("rates", &rates)).await.is_err() {
            return;
        }
        said = Some(rates);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Counter, Done, Meter, Metrics};

    /// What a tier has counted after these requests: status and milliseconds.
    fn flow(requests: &[(u16, u64)]) -> Flow {
        let metrics = Metrics::new();
        let (counter, meter) = (Counter::new(metrics.shard()), Meter::new("a".into(), "HTTPRoute/a/web".into()));
        for (status, ms) in requests {
            let took = Duration::from_millis(*ms);
            counter.request(&meter, &Done { status: *status, error: None, took, received: 0, sent: 0 });
        }
        let mut flow = Flow::default();
        metrics.requests().iter().for_each(|(_, _, class, total)| flow.add(*class, total));
        flow
    }

    #[test]
    fn rates_are_of_what_came_between() {
        let before = Sample::from([("route:a".to_owned(), flow(&[(200, 1); 100]))]);
        let mut later = flow(&[(200, 1); 195]);
        later.add(5, &flow(&[(503, 60); 5]).all);
        let now = Sample::from([("route:a".to_owned(), later)]);
        let rate = rates(&before, &now, WINDOW)["route:a"];
        assert_eq!((rate.requests, rate.per_second, rate.error_percent), (100, 10.0, 5.0));
        assert!(rate.p99_ms.is_some_and(|p99| (50.0..75.0).contains(&p99)), "{rate:?}");
    }

    #[test]
    fn nothing_has_no_percentile() {
        assert_eq!(Flow::default().rate(WINDOW).p99_ms, None);
    }

    #[test]
    fn an_event_is_one_line_of_data() {
        assert_eq!(&event("x", &"a\nb")[..], b"event: x\ndata: \"a\\nb\"\n\n");
    }
}
