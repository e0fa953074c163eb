//! Our spans as OpenTelemetry's crate wants them. Integers stay integers.

use std::borrow::Cow;

use opentelemetry::trace::{
    Link, SpanContext, SpanId as OtelSpanId, SpanKind, Status, TraceFlags, TraceId as OtelTraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue, Value as OtelValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use crate::telemetry::id::{SpanId, TraceId};
use crate::telemetry::span::{Kind, Span, Value};

/// The scope of all our spans.
const SCOPE: &str = "bailey";

pub(super) fn span(span: Span) -> SpanData {
    let mut links = SpanLinks::default();
    links.links = span.links.iter().map(|(trace, id)| Link::with_context(context(*trace, *id, "", true))).collect();
    SpanData {
        span_context: context(span.trace, span.id, &span.state, false),
        parent_span_id: span.parent.map_or(OtelSpanId::INVALID, span_id),
        parent_span_is_remote: span.remote_parent,
        span_kind: match span.kind {
            Kind::Server => SpanKind::Server,
            Kind::Client => SpanKind::Client,
        },
        name: Cow::Owned(span.name),
        start_time: span.start,
        end_time: span.start + span.duration,
        attributes: span.attributes.into_iter().map(|(name, value)| KeyValue::new(name, self::value(value))).collect(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links,
        // What went wrong is in the attributes; the conventions leave the description empty then.
        status: if span.error { Status::error("") } else { Status::Unset },
        instrumentation_scope: InstrumentationScope::builder(SCOPE).with_version(env!("CARGO_PKG_VERSION")).build(),
    }
}

fn context(trace: TraceId, span: SpanId, state: &str, remote: bool) -> SpanContext {
    let state = state.parse::<TraceState>().unwrap_or_default();
    SpanContext::new(OtelTraceId::from_bytes(trace.to_bytes()), span_id(span), TraceFlags::SAMPLED, remote, state)
}

fn span_id(id: SpanId) -> OtelSpanId {
    OtelSpanId::from_bytes(id.to_bytes())
}

fn value(value: Value) -> OtelValue {
    match value {
        Value::Str(Cow::Borrowed(text)) => text.into(),
        Value::Str(Cow::Owned(text)) => text.into(),
        Value::Int(number) => number.into(),
        Value::Bool(yes) => yes.into(),
    }
}
