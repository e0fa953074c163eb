//! Traces: identifiers, the context that travels from hop to hop, spans, what becomes of them.
//!
//! ```text
//! context   what a request brings and takes along: W3C traceparent and tracestate, b3
//! sampling  which traces are kept, by the trace id, the same on every hop
//! span      one hop's part of a trace, made when it is over
//! sink      a worker's way out for spans: bounded, and what does not fit is dropped and counted
//! pipeline  what a process does with them: keeps them (store), sends them to a collector (otlp)
//! ```
//! Nothing of an SDK is in these types, so that proxy, page and tests share them; only `otlp` knows OpenTelemetry's.

pub mod b3;
mod context;
mod id;
mod otlp;
mod pipeline;
mod propagation;
mod resource;
mod sampling;
mod sink;
mod span;
mod store;

pub use context::{Context, Remote, TRACEPARENT_LEN, TraceState};
pub use id::{InvalidId, SpanId, TraceId};
pub use pipeline::{Destinations, Pipeline};
pub use propagation::{Carrier, Propagation};
pub use sampling::Ratio;
pub use sink::{Counts, Sink};
pub use span::{Kind, Span, Value};
pub use store::{Store, Trace};

#[cfg(test)]
mod properties;
