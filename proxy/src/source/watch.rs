//! Tells when a folder has changed. Watches the folder, not its files: editors and `ConfigMap` mounts replace files by renaming.

use std::path::Path;
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// What an editor needs to finish the burst of events that one save is.
const SETTLE: Duration = Duration::from_millis(15);
/// The least time between two tellings while changes keep coming.
const INTERVAL: Duration = Duration::from_millis(50);

/// The changes of one folder. The watch ends when this is dropped.
pub struct Changes {
    events: mpsc::Receiver<()>,
    last: Option<Instant>,
    due: Option<Instant>,
    _watcher: RecommendedWatcher,
}

/// Starts to watch a folder. Errors are the system's: too many watches, a folder that is gone.
pub fn watch(folder: &Path) -> notify::Result<Changes> {
    // Room for one: a second event before the first is taken says nothing new.
    let (sender, events) = mpsc::channel(1);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let read_only = matches!(&event, Ok(event) if matches!(event.kind, EventKind::Access(_)));
        if !read_only {
            let _ = sender.try_send(());
        }
    })?;
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    Ok(Changes { events, last: None, due: None, _watcher: watcher })
}

impl Changes {
    /// Waits for the next change: at once for the first, then at most every 50 ms while they keep coming. `false`: the watch has ended.
    /// May be dropped at any time: a change that was seen and not told yet is told next.
    pub async fn next(&mut self) -> bool {
        let due = if let Some(due) = self.due {
            due
        } else {
            if self.events.recv().await.is_none() {
                return false;
            }
            let now = Instant::now();
            let earliest = self.last.map_or(now, |last| last + INTERVAL);
            *self.due.insert(earliest.max(now + SETTLE))
        };
        sleep_until(due).await;
        self.due = None;
        // What came meanwhile will be read now.
        while self.events.try_recv().is_ok() {}
        self.last = Some(Instant::now());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_written_a_renamed_and_a_removed_file_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut changes = watch(folder.path()).unwrap();
        let (new, file) = (folder.path().join("a.yaml.new"), folder.path().join("a.yaml"));
        let mut told = async |what: &str| {
            let told = tokio::time::timeout(Duration::from_secs(10), changes.next()).await;
            assert_eq!(told, Ok(true), "{what}");
        };
        std::fs::write(&new, "a").unwrap();
        told("written").await;
        std::fs::rename(&new, &file).unwrap();
        told("renamed").await;
        std::fs::remove_file(&file).unwrap();
        told("removed").await;
    }
}
