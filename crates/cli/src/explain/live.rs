//! Asking the page of a running `bailey up`, which explains what it serves from at this moment.

use std::time::Duration;

use bailey_proxy::explain::Question;
use bailey_proxy::page::query::encode;
use bailey_routing::ir::RouteKind;
use serde_json::Value;

use super::show::{Explained, RouteExplained};
use crate::output::{Exit, Failure};
use crate::trace::send::{Get, SendError, Url};

/// How long the page may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the page gives no explanation.
#[derive(Debug, thiserror::Error)]
pub(super) enum LiveError {
    /// It cannot be asked.
    #[error("the page cannot be asked: {0}; give its address with --admin (bailey up prints it)")]
    Send(#[from] SendError),
    /// It answers something else.
    #[error("{admin} does not explain ({status}): {said}")]
    Refused {
        /// Address of the page.
        admin: String,
        /// Its status.
        status: u16,
        /// What it says.
        said: String,
    },
    /// The system has no runtime to give.
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
}

impl Failure for LiveError {
    fn exit(&self) -> Exit {
        match self {
            Self::Send(error) => error.exit(),
            Self::Refused { .. } | Self::System(_) => Exit::Negative,
        }
    }
}

/// Asks the page at `admin`.
pub(super) fn ask(admin: &str, question: &Question) -> Result<Explained, LiveError> {
    let mut url = format!("{}/api/explain?url={}", admin.trim_end_matches('/'), encode(&question.url()));
    let pairs = question.headers.iter().map(|(name, value)| ("header", format!("{name}: {value}")));
    let others = [("method", question.method.clone()), ("from", question.from.to_string())];
    let sni = question.sni.clone().map(|sni| ("sni", sni));
    let proxied = question.proxied.map(|client| ("proxied", client.to_string()));
    let version = question.http2.then(|| ("http", "2".to_owned()));
    for (name, value) in others.into_iter().chain(sni).chain(proxied).chain(version).chain(pairs) {
        url.extend(["&", name, "=", &encode(&value)]);
    }
    let (status, told) = get(&url)?;
    if status != 200 || told["verdict"].is_null() {
        return Err(refused(admin, status, &told));
    }
    Ok(Explained::of(told))
}

/// Asks the page at `admin` about a route of one of these kinds. `None`: it has none.
pub(super) fn ask_route(
    admin: &str,
    kinds: &[RouteKind],
    namespace: &str,
    name: &str,
) -> Result<Option<RouteExplained>, LiveError> {
    for kind in kinds {
        let route = encode(&format!("{}/{namespace}/{name}", kind.as_str()));
        let (status, told) = get(&format!("{}/api/explain?route={route}", admin.trim_end_matches('/')))?;
        match (status, told["sentence"].is_null()) {
            (200, false) => return Ok(Some(RouteExplained::of(told))),
            (404, _) if told["error"].is_string() => {}
            (_, _) => return Err(refused(admin, status, &told)),
        }
    }
    Ok(None)
}

fn get(url: &str) -> Result<(u16, Value), LiveError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(async { Get::new(Url::parse(url)?).send(PATIENCE).await })?;
    Ok((answer.status, serde_json::from_slice(&answer.body).unwrap_or_default()))
}

fn refused(admin: &str, status: u16, told: &Value) -> LiveError {
    let said = told["error"].as_str().unwrap_or("it is not the page of bailey up").to_owned();
    LiveError::Refused { admin: admin.to_owned(), status, said }
}
