//! The process's own log (not the access log): to standard error, so that standard output stays for what a command prints.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people; coloured on a terminal.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// A filter that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "the log filter {filter:?} cannot be read: {source}; write a level (error, warn, info, debug, trace) or target=level, comma-separated"
)]
pub struct FilterError {
    filter: String,
    source: tracing_subscriber::filter::ParseError,
}

/// Starts logging with a filter such as `info` or `bailey_proxy=debug,info`. A second call changes nothing.
pub fn start(filter: &str, format: Format) -> Result<(), FilterError> {
    let filter = EnvFilter::try_new(filter).map_err(|source| FilterError { filter: filter.to_owned(), source })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        Format::Text => builder.with_ansi(std::io::stderr().is_terminal()).with_target(false).try_init(),
        Format::Json => builder.json().flatten_event(true).try_init(),
    };
    // Somebody has started it before, a test harness for example: theirs stands.
    drop(started);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_filter_says_what_to_write() {
        let error = start("bailey=loud", Format::Text).unwrap_err().to_string();
        assert!(error.contains("bailey=loud") && error.contains("info"), "{error}");
    }

    #[test]
    fn a_second_start_changes_nothing() {
        assert!(start("info", Format::Text).is_ok() && start("debug", Format::Json).is_ok());
    }
}
