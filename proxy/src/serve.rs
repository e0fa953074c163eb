//! `bailey-proxy` from its start to its end: a folder or a cluster, a tier, what changes there, a signal.

mod cluster;
mod orders;

use std::path::{Path, PathBuf};

use bailey_crds::IngressTopology;
use bailey_kit::signal::{self, Hangups};
use bailey_translate::{Diagnostic, LocalCertificates, Object, Objects, Severity, local_notes};
use serde_json::Value;

use crate::args::{Args, OptionsError};
use crate::page::{Board, Told};
use crate::source::disk::{self, DiskError};
use crate::source::file::{self, Document, Problem};
use crate::source::watch::{self, Changes};
use crate::tier::{Applied, LinkCredentials, StartError, Tier, TierHandle};

/// Why the process could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A file that an argument names cannot be read.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The folder has problems, and there is no last good configuration.
    #[error("the configuration cannot be used:\n{}", listed(.0))]
    Config(Vec<Problem>),
    /// The tier could not start.
    #[error(transparent)]
    Tier(#[from] StartError),
    /// The folder cannot be watched.
    #[error("cannot watch {folder}: {source}")]
    Watch {
        /// The folder.
        folder: String,
        /// What the system answered.
        source: notify::Error,
    },
    /// The last good configuration cannot be used either.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// There is no way to a cluster.
    #[error("cannot make a client of the cluster: {0}; run in a pod with a service account, or set KUBECONFIG")]
    Cluster(#[source] Box<kube::Error>),
    /// The system refuses to hand over signals.
    #[error("cannot wait for signals: {0}")]
    Signal(#[source] std::io::Error),
}

fn listed(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("  {problem}")).collect::<Vec<_>>().join("\n")
}

/// Runs until a signal ends it.
pub async fn serve(args: &Args) -> Result<(), ServeError> {
    let shutdown = signal::shutdown().map_err(ServeError::Signal)?;
    let hangups =
        if args.logs_to_a_file() { Hangups::listen().map_err(ServeError::Signal)? } else { Hangups::ignore() };
    match &args.config {
        Some(folder) => serve_folder(args, folder, shutdown, hangups).await,
        None => cluster::serve(args, shutdown, hangups).await,
    }
}

async fn serve_folder(
    args: &Args,
    folder: &Path,
    shutdown: impl Future<Output = signal::Shutdown>,
    mut hangups: Hangups,
) -> Result<(), ServeError> {
    let failed = |source| ServeError::Watch { folder: folder.display().to_string(), source };
    let config = Config::first(args, folder)?;
    let mut changes = watch::watch(folder).map_err(failed)?;
    let mut link = LinkFolder::watch(args.link.as_deref())?;
    let options = args.options()?;
    let board = options.board.clone();
    let (tier, applied) = Tier::start(options, &config.objects).await?;
    tier.set_stale(config.stale);
    config.report(&applied);
    board.tell(config.told(&applied));
    config.keep(args.last_good.as_deref(), &tier);
    for address in tier.addresses() {
        tracing::info!(port = address.port, address = %address.address, "listening");
    }
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            signal = &mut shutdown => {
                tracing::info!(signal = signal.as_str(), "draining");
                tier.drain().await;
                return Ok(());
            }
            more = changes.next() => if more { reload(args, folder, &tier, &board) },
            () = link.changed() => link.reload(&tier),
            () = hangups.next() => tier.reopen_log(),
        }
    }
}

/// The folder with the link's certificates, which are renewed while the process runs.
pub(crate) struct LinkFolder {
    watched: Option<(PathBuf, Changes)>,
}

impl LinkFolder {
    /// Watches the folder, if there is one.
    pub(crate) fn watch(folder: Option<&Path>) -> Result<Self, ServeError> {
        let failed = |folder: &Path, source| ServeError::Watch { folder: folder.display().to_string(), source };
        let watched = folder.map(|folder| match watch::watch(folder) {
            Ok(changes) => Ok((folder.to_owned(), changes)),
            Err(source) => Err(failed(folder, source)),
        });
        Ok(Self { watched: watched.transpose()? })
    }

    /// Waits for a change; for ever where there is nothing to watch.
    pub(crate) async fn changed(&mut self) {
        if let Some((_, changes)) = &mut self.watched
            && changes.next().await
        {
            return;
        }
        std::future::pending::<()>().await;
    }

    /// Takes the new certificates; those that cannot be used are reported and change nothing.
    pub(crate) fn reload(&self, tier: &TierHandle) {
        let Some((folder, _)) = &self.watched else { return };
        match LinkCredentials::read(folder).and_then(|credentials| tier.reload_link(&credentials)) {
            Ok(()) => tracing::info!("the link's new certificates are live"),
            Err(error) => tracing::error!("{error}; the certificates before are kept"),
        }
    }
}

/// Takes over an edit; one with problems changes nothing.
fn reload(args: &Args, folder: &Path, tier: &TierHandle, board: &Board) {
    let config = match Config::read(folder) {
        Ok(config) => config,
        Err(problems) => {
            tier.count_rejected();
            for problem in &problems {
                tracing::error!("{problem}");
            }
            tracing::error!("the configuration before is kept");
            board.refuse(&problems);
            return;
        }
    };
    let applied = tier.apply(&config.objects);
    tier.set_stale(false);
    config.report(&applied);
    board.tell(config.told(&applied));
    config.keep(args.last_good.as_deref(), tier);
    if applied.changed {
        tracing::info!(generation = tier.snapshot().generation, "configuration is live");
    }
}

/// The objects of a last good configuration.
fn kept_objects(last: disk::LastGood) -> Objects {
    let mut objects = Objects::default();
    for object in last.objects.into_iter().filter_map(|value| Object::from_value(value).ok()) {
        objects.insert_any(object, None);
    }
    objects
}

/// Objects, and where they are from.
struct Config {
    documents: Vec<Document>,
    objects: Objects,
    /// They come from disk because the folder cannot be used.
    stale: bool,
}

impl Config {
    fn read(folder: &Path) -> Result<Self, Vec<Problem>> {
        let documents = file::read(folder)?;
        let loaded = file::objects(&documents)?;
        for note in &loaded.notes {
            tracing::info!("{note}");
        }
        Ok(Self { documents, objects: loaded.objects, stale: false })
    }

    /// What to start with: the folder, or else the last good configuration.
    fn first(args: &Args, folder: &Path) -> Result<Self, ServeError> {
        let problems = match Self::read(folder) {
            Ok(config) => return Ok(config),
            Err(problems) => problems,
        };
        let last = args.last_good.as_deref().map(disk::load).transpose()?.flatten();
        let Some(last) = last else { return Err(ServeError::Config(problems)) };
        for problem in &problems {
            tracing::error!("{problem}");
        }
        tracing::warn!(
            version = last.version,
            digest = last.digest,
            "the folder cannot be used: starting from the last good configuration"
        );
        let objects = kept_objects(last);
        Ok(Self { documents: Vec::new(), objects, stale: true })
    }

    /// What is wrong with the objects, with lines.
    fn diagnostics(&self, applied: &Applied) -> Vec<Diagnostic> {
        let topologies = self.objects.all::<IngressTopology>();
        let notes = topologies.flat_map(|(_, entry)| local_notes(entry, LocalCertificates::AtHand));
        let located = applied.diagnostics.iter().cloned().chain(notes).map(|mut diagnostic| {
            diagnostic.location = self.documents.iter().find_map(|d| d.locate(&diagnostic)).or(diagnostic.location);
            diagnostic
        });
        located.collect()
    }

    /// As the page shows it.
    fn told(&self, applied: &Applied) -> Told {
        Told::live(self.objects.clone(), self.documents.clone(), self.diagnostics(applied))
    }

    fn report(&self, applied: &Applied) {
        for refused in &applied.refused {
            tracing::error!("{refused}");
        }
        for located in self.diagnostics(applied) {
            match located.severity() {
                Severity::Error => tracing::error!("{located}"),
                Severity::Warning => tracing::warn!("{located}"),
                Severity::Info => tracing::info!("{located}"),
            }
        }
    }

    /// Keeps it for a start without the folder. That it cannot be kept is said, and nothing else: serving goes on.
    fn keep(&self, path: Option<&Path>, tier: &TierHandle) {
        let Some(path) = path.filter(|_| !self.stale) else { return };
        let values: Vec<Value> = self.documents.iter().map(Document::value).collect();
        if let Err(error) = disk::save(path, &values, &format!("{:032x}", tier.snapshot().digest)) {
            tracing::warn!("{error}");
        }
    }
}
