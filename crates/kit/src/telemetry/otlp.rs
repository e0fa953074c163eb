//! Spans to a collector, as OTLP over HTTP with protobuf (OpenTelemetry Protocol 1.x), or over gRPC where that was built in.
//!
//! The encoding is OpenTelemetry's own crate. Its batch processor is not used: it exports from a thread without a runtime, where an
//! asynchronous client panics unseen. Here a task of the runtime exports, and the client is hyper.

mod client;
mod convert;

use std::path::PathBuf;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_otlp::{Protocol, RetryPolicy, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanExporter as _;

use super::span::Span;
use client::{Cause, Client, Trust};

/// Path of traces on a collector (OTLP specification, 4.1).
const PATH: &str = "/v1/traces";
/// How long one batch may take, repetitions included.
const DEADLINE: Duration = Duration::from_secs(30);
/// Where the protocol is chosen: `http/protobuf` or `grpc`.
const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
/// What can be chosen.
const PROTOCOLS: &str = if cfg!(feature = "otlp-grpc") {
    "http/protobuf or grpc"
} else {
    "http/protobuf, or build with the feature otlp-grpc"
};

/// Why there is no exporter for an address.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExporterError {
    /// The address or a setting of the environment cannot be used.
    #[error("spans cannot be sent to {endpoint}: {reason}")]
    Build {
        /// The address.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A protocol that this program does not speak.
    #[error("{PROTOCOL} is {0:?}; write {PROTOCOLS}")]
    Protocol(String),
}

/// A batch that the collector did not take, after all repetitions.
#[derive(Debug, thiserror::Error)]
#[error("the collector did not take spans: {0}")]
pub(super) struct ExportError(String);

/// A way to one collector.
#[derive(Debug)]
pub(super) struct Exporter {
    exporter: SpanExporter,
    /// Why there was no answer, over HTTP.
    cause: Cause,
}

impl Exporter {
    /// A way to the collector at `endpoint`; nothing is connected yet. Call within a runtime.
    pub(super) fn new(endpoint: &str, resource: &[(String, String)]) -> Result<Self, ExporterError> {
        let protocol = std::env::var(PROTOCOL).unwrap_or_default();
        let cause = Cause::default();
        let mut exporter = match protocol.as_str() {
            "" | "http/protobuf" => http(endpoint, cause.clone())?,
            #[cfg(feature = "otlp-grpc")]
            "grpc" => grpc(endpoint)?,
            _ => return Err(ExporterError::Protocol(protocol)),
        };
        let attributes = resource.iter().map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
        exporter.set_resource(&Resource::builder_empty().with_attributes(attributes).build());
        Ok(Self { exporter, cause })
    }

    /// Sends spans, again if the collector asks for it or cannot be reached, for a bounded time.
    pub(super) async fn export(&self, spans: Vec<Span>) -> Result<(), ExportError> {
        let batch = spans.into_iter().map(convert::span).collect();
        match tokio::time::timeout(DEADLINE, self.exporter.export(batch)).await {
            Ok(sent) => sent.map_err(|error| ExportError(self.cause.take().unwrap_or_else(|| error.to_string()))),
            Err(_) => Err(ExportError(format!("no answer in {} s", DEADLINE.as_secs()))),
        }
    }
}

fn http(endpoint: &str, cause: Cause) -> Result<SpanExporter, ExporterError> {
    let file = std::env::var_os(client::CERTIFICATE).filter(|path| !path.is_empty()).map(PathBuf::from);
    let trust = file.as_deref().map_or(Trust::System, Trust::File);
    let client = Client::new(endpoint.starts_with("https:").then_some(&trust), cause)
        .map_err(|reason| ExporterError::Build { endpoint: endpoint.to_owned(), reason })?;
    let built = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        // The client repeats; the crate's own repetition would put the thread to sleep.
        .with_retry_policy(RetryPolicy::disabled())
        .with_endpoint(traces_url(endpoint))
        .with_protocol(Protocol::HttpBinary)
        .build();
    built.map_err(|error| unusable(endpoint, &error))
}

#[cfg(feature = "otlp-grpc")]
fn grpc(endpoint: &str) -> Result<SpanExporter, ExporterError> {
    let built = SpanExporter::builder().with_tonic().with_endpoint(endpoint).with_timeout(client::ATTEMPT).build();
    built.map_err(|error| unusable(endpoint, &error))
}

fn unusable(endpoint: &str, error: &opentelemetry_otlp::ExporterBuildError) -> ExporterError {
    ExporterError::Build { endpoint: endpoint.to_owned(), reason: error.to_string() }
}

/// The address for traces of a collector's address: one without a path gets the standard one.
fn traces_url(endpoint: &str) -> String {
    let base = endpoint.trim_end_matches('/');
    let path = base.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
    if path.is_some() { base.to_owned() } else { format!("{base}{PATH}") }
}
