//! What a topology says of traces: where they go, which are kept, how applications are told.

use std::fmt;

use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Where traces go, which of them are kept, and how applications are told of theirs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tracing {
    /// The collector's OTLP/HTTP address, such as `http://collector.observability:4318`. Without a path, `/v1/traces` is
    /// added.
    #[schemars(length(min = 1, max = 2048), regex(pattern = "^https?://[^/?#\\s@]+(/[^?#\\s]*)?$"))]
    pub endpoint: String,
    /// Share of requests that are traced, in percent, down to a thousandth. Whether a request is traced is decided at the
    /// outer tier by its trace id, and the inner tier follows.
    #[serde(default = "ten_percent")]
    pub sampling: Percent,
    /// Requests that are traced whatever the share says. Decided when a request is over, by each tier for itself: the spans
    /// of the other tier are there only if it saw a reason too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub always: Option<AlwaysTraced>,
    /// Whether a trace context from outside becomes the parent of ours, with its sampling decision and its `baggage`;
    /// otherwise it becomes a link, and `baggage` is dropped. The proxies listed in `spec.outer.clientAddress` are believed
    /// anyway.
    #[serde(default)]
    pub accept_parent: bool,
    /// The forms of the context that applications get, and that are read where a context from outside counts: the first of
    /// them that a request has.
    #[serde(default = "w3c")]
    #[schemars(length(min = 1, max = 3))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub propagation: Vec<TracePropagation>,
}

/// Requests that are traced whatever the share says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlwaysTraced {
    /// Those that a tier answers with a status of 500 or more.
    #[serde(default)]
    pub errors: bool,
    /// Those that take a tier longer than so many milliseconds, from the request's head to the end of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3_600_000))]
    pub slower_than_ms: Option<u32>,
}

/// A form of the trace context in header fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum TracePropagation {
    /// W3C Trace Context: `traceparent` and `tracestate`.
    #[serde(rename = "w3c")]
    W3c,
    /// Zipkin's single field `b3`.
    #[serde(rename = "b3")]
    B3,
    /// Zipkin's fields `X-B3-TraceId`, `X-B3-SpanId`, `X-B3-Sampled`.
    #[serde(rename = "b3multi")]
    B3Multi,
}

/// What differs from `spec.tracing` for one tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct TenantTracing {
    /// Share of the tenant's requests that are traced, in percent, in place of `spec.tracing.sampling`.
    pub sampling: Percent,
}

/// A share in percent, down to a thousandth. A whole number in memory, so that it is the same everywhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Percent(u32);

impl Percent {
    /// Thousandths of a percent in the whole.
    const WHOLE: u32 = 100_000;
    /// All of it.
    pub const ALL: Self = Self(Self::WHOLE);

    /// The share, rounded to a thousandth of a percent; `None` unless it is from 0 to 100.
    pub fn new(percent: f64) -> Option<Self> {
        let thousandths = (percent * 1000.0).round();
        #[expect(clippy::cast_sign_loss, reason = "the range was checked")]
        (0.0..=f64::from(Self::WHOLE)).contains(&thousandths).then_some(Self(thousandths as u32))
    }

    /// The share as parts of a million.
    pub fn millionths(self) -> u32 {
        self.0 * 10
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", f64::from(self.0) / 1000.0)
    }
}

impl fmt::Debug for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}%")
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.0.is_multiple_of(1000) {
            return to.serialize_u32(self.0 / 1000);
        }
        to.serialize_f64(f64::from(self.0) / 1000.0)
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let percent = f64::deserialize(from)?;
        Self::new(percent).ok_or_else(|| de::Error::custom("a percentage is a number from 0 to 100"))
    }
}

impl JsonSchema for Percent {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Percent".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "number", "minimum": 0, "maximum": 100})
    }
}

fn ten_percent() -> Percent {
    Percent(10_000)
}

fn w3c() -> Vec<TracePropagation> {
    vec![TracePropagation::W3c]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_read_to_a_thousandth_and_written_as_it_was() {
        for text in ["0", "100", "10", "0.1", "0.001", "33.333"] {
            let read: Percent = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), text);
            assert_eq!(read.to_string(), text);
        }
        assert_eq!(Percent::new(0.1).unwrap().millionths(), 1000);
        assert_eq!(Percent::ALL.millionths(), 1_000_000);
        for text in ["-1", "100.1", "\"10\"", "null"] {
            assert!(serde_json::from_str::<Percent>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_not_said_has_its_default() {
        let tracing: Tracing = serde_json::from_str(r#"{"endpoint": "http://c:4318"}"#).unwrap();
        assert_eq!((tracing.sampling.to_string(), tracing.accept_parent), ("10".to_owned(), false));
        assert_eq!((tracing.always, tracing.propagation), (None, vec![TracePropagation::W3c]));
    }
}
