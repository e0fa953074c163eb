//! `bailey up`: runs a folder until Ctrl-C, follows its edits, and says what is live.

pub mod args;
pub mod authority;
pub mod certificates;
pub mod issuer;
pub mod local;
pub mod notes;
pub mod open;
pub mod serve;
pub mod table;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use bailey_kit::logging;
use bailey_kit::signal::{self, Hangups};
use bailey_proxy::source::watch;
use bailey_proxy::tier::{DrainTimes, LogTarget};
use bailey_translate::Severity;

pub use args::UpArgs;

use crate::output::{Exit, Failure, Outcome};
use authority::{ROOT_FILE, default_state, permits};
use certificates::{CertificatesError, LocalAuthority};
use local::{Local, LocalError, LocalOptions};

/// Why `bailey up` did not start or ended.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// The folder does not run.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// The folder cannot be watched.
    #[error("cannot watch {folder}: {source}")]
    Watch {
        /// The folder.
        folder: String,
        /// What the system answered.
        source: notify::Error,
    },
    /// The system has no runtime or no signals to give.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
    /// The log filter of `BAILEY_LOG`.
    #[error(transparent)]
    Log(#[from] logging::FilterError),
}

impl Failure for UpError {
    fn exit(&self) -> Exit {
        match self {
            Self::Local(
                LocalError::Folder { .. }
                | LocalError::NoTier(_)
                | LocalError::Certificates(
                    CertificatesError::Settings(_) | CertificatesError::Directory(_) | CertificatesError::Roots { .. },
                ),
            )
            | Self::Log(_) => Exit::Usage,
            Self::Local(
                LocalError::Authority(_)
                | LocalError::Tier { .. }
                | LocalError::Backend { .. }
                | LocalError::Certificates(CertificatesError::Folder { .. } | CertificatesError::Ordering(_)),
            )
            | Self::Watch { .. }
            | Self::System(_) => Exit::Negative,
        }
    }
}

/// Runs until a signal ends it.
pub fn run(args: UpArgs) -> Outcome {
    start(args)?;
    Ok(Exit::Fine)
}

fn start(args: UpArgs) -> Result<(), UpError> {
    let filter = std::env::var("BAILEY_LOG").unwrap_or_else(|_| "warn".to_owned());
    logging::start(&filter, logging::Format::Text)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(up(args))
}

async fn up(args: UpArgs) -> Result<(), UpError> {
    let shutdown = signal::shutdown()?;
    let mut hangups = if args.access_log_file.is_some() { Hangups::listen()? } else { Hangups::ignore() };
    let state = args.state.unwrap_or_else(default_state);
    let failed = |source| UpError::Watch { folder: args.dir.display().to_string(), source };
    let options = LocalOptions {
        folder: args.dir.clone(),
        state: state.clone(),
        address: args.address,
        ports: BTreeMap::from([(80, args.http_port), (443, args.https_port)]),
        admin_port: args.admin_port,
        workers: args.workers.into(),
        access_log: args.access_log_file.clone().map_or(LogTarget::Stdout, LogTarget::File),
        log_requests: args.access_log || args.access_log_file.is_some(),
        collector: collector(),
        acme: args.acme.clone().map(|directory| LocalAuthority { directory, roots: args.acme_ca.clone() }),
        drain: DrainTimes { accept: Some(Duration::ZERO), finish: Some(Duration::from_secs(5)) },
    };
    // Before the folder is read, or an edit in between would be missed.
    let changes = watch::watch(&args.dir);
    let mut local = Local::start(options).await?;
    let mut changes = changes.map_err(failed)?;
    say(&local);
    introduce(&local, &state.join("ca").join(ROOT_FILE));
    if let Some(address) = local.admin().filter(|_| args.open) {
        tokio::spawn(async move {
            if !open::open(&format!("http://{address}/")).await {
                eprintln!("note: no program that opens a browser is here; open the page's address by hand");
            }
        });
    }
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            _ = &mut shutdown => {
                eprintln!("stopping");
                local.stop().await;
                return Ok(());
            }
            () = hangups.next() => local.reopen_logs(),
            more = changes.next() => if more { follow(&mut local).await },
        }
    }
}

/// Where OpenTelemetry's environment sends spans.
fn collector() -> Option<String> {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or_else(|| set("OTEL_EXPORTER_OTLP_ENDPOINT"))
}

/// The table of URLs, and one line to try.
fn introduce(local: &Local, ca: &Path) {
    println!("{}", table::urls(local));
    match local.backends().count() {
        0 => {}
        1 => println!("  1 local backend stands where a Service would be"),
        count => println!("  {count} local backends stand where Services would be"),
    }
    for (inner, _) in local.inners() {
        if let Some(address) = local.inner(&inner.topology, &inner.tenant) {
            println!("  inner tier of {} on {address}, for the outer tier only", inner.tenant);
        }
    }
    if let Some(address) = local.admin() {
        println!("  the page with topology, requests and explanations: http://{address}/");
        println!("  health and metrics on http://{address}/readyz and http://{address}/metrics");
    }
    match collector() {
        Some(collector) => println!("  every request is traced, in memory and to {collector}"),
        None => println!("  every request is traced, in memory; OTEL_EXPORTER_OTLP_ENDPOINT names a collector"),
    }
    if local.https().is_some() {
        match local.acme() {
            Some(directory) => println!("  certificates are ordered from {directory}"),
            None => println!("  certificates come from the development CA in {}", ca.display()),
        }
    }
    if let Some(line) = table::curl(local, ca) {
        println!("\nTry, and see which client address the application sees although four headers lie:\n\n  {line}\n");
    }
    println!("Edits in the folder are live at once. Ctrl-C stops everything.");
}

/// Takes over an edit and says what came of it.
async fn follow(local: &mut Local) {
    match local.reload().await {
        Ok(()) => {
            say(local);
            let routes: usize = local.inners().map(|(_, tier)| tier.snapshot().table.route_count()).sum();
            eprintln!("live: {routes} routes");
        }
        Err(problems) => {
            for problem in problems {
                eprintln!("error: {problem}");
            }
            eprintln!("the configuration before is kept");
        }
    }
}

/// What is to be said about the folder.
fn say(local: &Local) {
    for note in local.notes() {
        eprintln!("note: {note}");
    }
    for diagnostic in local.diagnostics() {
        eprintln!("{diagnostic}");
        if diagnostic.severity() == Severity::Error {
            eprintln!("  the rest of the configuration works");
        }
    }
    for host in unpermitted(local) {
        eprintln!(
            "note: the development CA signs only for .localhost, .test and .internal, so browsers will refuse its certificate for {host}"
        );
    }
}

/// Hosts of https listeners that the development CA may not sign for.
fn unpermitted(local: &Local) -> Vec<String> {
    use bailey_routing::ir::HostPattern;
    if local.https().is_none() || local.acme().is_some() {
        return Vec::new();
    }
    let mut hosts = Vec::new();
    for (_, tier) in local.fronts() {
        let snapshot = tier.snapshot();
        for host in snapshot.table.routes().flat_map(|route| route.attachments.iter()).flat_map(|a| a.hosts.iter()) {
            let (name, shown) = match host {
                HostPattern::Exact(name) => (name.to_string(), name.to_string()),
                HostPattern::Wildcard(suffix) => {
                    let name = suffix.trim_start_matches('.').to_owned();
                    (name.clone(), format!("*.{name}"))
                }
                HostPattern::Any => continue,
            };
            if !permits(&name) {
                hosts.push(shown);
            }
        }
    }
    hosts.sort();
    hosts.dedup();
    hosts
}
