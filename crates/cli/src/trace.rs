//! `bailey trace`: sends one real request to a running `bailey up`, or to a cluster, and prints where its time went, over both tiers.
//!
//! The request carries a context of our own. A tier takes such a context from a stranger for what it is, a link and not the
//! parent, so the trace is found by that link and nobody has to be trusted for it.

pub mod cluster;
mod join;
pub mod send;
mod show;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use bailey_kit::telemetry::{SpanId, TraceId};
use bailey_proxy::page::waterfall::Waterfall;
use clap::Args;
use serde::Serialize;
use tokio::time::Instant;

use crate::cluster::ClusterArgs;
use crate::output::{self, Exit, Failure, Outcome, OutputArgs};
use send::{Get, SendError, Url};

/// Arguments of `bailey trace`.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// Where to send the request, such as <https://shop.localhost:8443/>.
    pub url: String,
    /// The method.
    #[arg(short = 'X', long, value_name = "METHOD", default_value = "GET")]
    pub request: String,
    /// A header field; may be given several times.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub headers: Vec<String>,
    /// Connect to this address instead of what the name says, as curl does; may be given several times.
    #[arg(long, value_name = "HOST:PORT:ADDRESS")]
    pub resolve: Vec<String>,
    /// File with the CA that has signed the certificate [default: the development CA of bailey up].
    #[arg(long, value_name = "FILE")]
    pub cacert: Option<PathBuf>,
    /// Local address to connect from.
    #[arg(long, value_name = "IP")]
    pub interface: Option<IpAddr>,
    /// Address of the page of bailey up [default: <http://127.0.0.1:15000>].
    #[arg(long, value_name = "URL", env = "BAILEY_ADMIN_URL")]
    pub admin: Option<String>,
    /// Which cluster to send to, if one: to the outer tier's address, and again until a request is sampled.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// How long to wait for an answer, and then for the trace, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub timeout: u64,
    #[command(flatten)]
    output: OutputArgs,
}

/// Why there is no trace to print.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The request cannot be made, or its answer did not come.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The page cannot be asked.
    #[error(
        "the request was answered with {status}, but the page cannot be asked for its trace: {source}; give its address with --admin (bailey up prints it)"
    )]
    Admin {
        /// Status of the answer.
        status: u16,
        /// What went wrong.
        source: SendError,
    },
    /// The page answers something else than traces.
    #[error("{admin} does not give traces ({status}): {said}")]
    NotTraces {
        /// Address of the page.
        admin: String,
        /// Its status.
        status: u16,
        /// What it says.
        said: String,
    },
    /// The page has no such trace.
    #[error(
        "the request was answered with {0}, but its trace did not come: does the page belong to the tier that the request was sent to?"
    )]
    NotFound(u16),
    /// A cluster gives no trace.
    #[error(transparent)]
    Cluster(#[from] cluster::ClusterTraceError),
    /// The system has no runtime to give.
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
    /// The result cannot be printed.
    #[error(transparent)]
    Output(#[from] output::OutputError),
}

impl Failure for TraceError {
    fn exit(&self) -> Exit {
        match self {
            Self::Send(error) => error.exit(),
            Self::Admin { source, .. } => source.exit(),
            Self::Cluster(error) => error.exit(),
            Self::NotTraces { .. } | Self::NotFound(_) | Self::System(_) | Self::Output(_) => Exit::Negative,
        }
    }
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Traced {
    /// Status of the answer.
    status: u16,
    /// Where its time went.
    trace: Waterfall,
    /// What of the trace could not be had, in sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<String>,
}

/// Sends the request and prints its trace.
pub fn run(args: &TraceArgs) -> Outcome {
    let traced = start(args)?;
    output::print(&traced, args.output.output)?;
    Ok(Exit::Fine)
}

fn start(args: &TraceArgs) -> Result<Traced, TraceError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime
        .block_on(async { if args.cluster.is_asked() { Ok(cluster::trace(args).await?) } else { trace(args).await } })
}

async fn trace(args: &TraceArgs) -> Result<Traced, TraceError> {
    let (trace, span) = (fresh_trace(), fresh_span());
    let limit = Duration::from_secs(args.timeout);
    let mut request = Get::parse(args)?;
    request.field("traceparent", &format!("00-{trace}-{span}-01"));
    let page = Url::parse(&format!("{}/api/traces?context={trace}", admin(args).trim_end_matches('/')))?;
    let status = request.send(limit).await?.status;
    let trace = find(args, &page, status, limit).await?.ok_or(TraceError::NotFound(status))?;
    Ok(Traced { status, trace, missing: Vec::new() })
}

/// Where the page of bailey up is.
fn admin(args: &TraceArgs) -> &str {
    args.admin.as_deref().unwrap_or("http://127.0.0.1:15000")
}

/// How often the page is asked.
const PAUSE: Duration = Duration::from_millis(100);
/// A trace is whole when it has not grown for so many questions.
const QUIET: u32 = 4;

/// The trace that has to do with our context, once it is whole. Tiers hand over their spans when they are done with them, the
/// innermost first.
async fn find(args: &TraceArgs, page: &Url, status: u16, limit: Duration) -> Result<Option<Waterfall>, TraceError> {
    let admin = admin(args);
    let until = Instant::now() + limit;
    let (mut last, mut quiet) = (None::<Waterfall>, 0);
    while Instant::now() < until {
        let answer = Get::new(page.clone()).send(limit).await;
        let answer = answer.map_err(|source| TraceError::Admin { status, source })?;
        if answer.status != 200 {
            let said = serde_json::from_slice::<serde_json::Value>(&answer.body).ok();
            let said = said.and_then(|said| said["error"].as_str().map(str::to_owned));
            let said = said.unwrap_or_else(|| "it is not the page of bailey up".to_owned());
            return Err(TraceError::NotTraces { admin: admin.to_owned(), status: answer.status, said });
        }
        let found: Vec<Waterfall> = serde_json::from_slice(&answer.body).map_err(|_| TraceError::NotTraces {
            admin: admin.to_owned(),
            status: answer.status,
            said: "its answer cannot be read; is it of another version?".to_owned(),
        })?;
        let now = found.into_iter().next();
        quiet = if now.is_some() && now == last { quiet + 1 } else { 0 };
        last = now;
        if quiet >= QUIET {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(last)
}

fn fresh_trace() -> TraceId {
    std::iter::repeat_with(random).find_map(TraceId::new).expect("one of endless random numbers is not zero")
}

fn fresh_span() -> SpanId {
    std::iter::repeat_with(random).find_map(SpanId::new).expect("one of endless random numbers is not zero")
}

/// Bytes that nobody else has; they need not be secret.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if rustls::crypto::aws_lc_rs::default_provider().secure_random.fill(&mut bytes).is_err() {
        bytes.iter_mut().zip(1..).for_each(|(byte, n)| *byte = n);
    }
    bytes
}
