//! Asking the page of a running `bailey up`, which explains what it serves from at this moment.

use std::time::Duration;

use bailey_proxy::explain::Question;
use bailey_proxy::page::query::encode;
use serde_json::Value;

use super::show::Explained;
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
    for (name, value) in others.into_iter().chain(sni).chain(pairs) {
        url.extend(["&", name, "=", &encode(&value)]);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(async { Get::new(Url::parse(&url)?).send(PATIENCE).await })?;
    let told: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status != 200 || told["verdict"].is_null() {
        let said = told["error"].as_str().unwrap_or("it is not the page of bailey up").to_owned();
        return Err(LiveError::Refused { admin: admin.to_owned(), status: answer.status, said });
    }
    Ok(Explained::of(told))
}
