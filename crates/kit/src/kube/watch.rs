//! One watch that lasts for ever: what has changed, and what keeps it from being complete.
//!
//! Decides how long to wait before another try, and that a kind whose definition is not installed is a kind without
//! objects. What the objects mean is the caller's business.

use std::time::Duration;

use futures_util::StreamExt as _;
use kube::api::Api;
use kube::runtime::watcher::{self, Event};
use serde::de::DeserializeOwned;

use super::Denied;

/// The wait after a first failure; doubled up to [`LONGEST`].
const SHORTEST: Duration = Duration::from_millis(250);
/// The longest wait: a permission that is given back is noticed within it.
const LONGEST: Duration = Duration::from_secs(5);
/// How long the server keeps one watch open. Short enough that a permission that was taken away is noticed.
const WATCH_SECONDS: u32 = 290;

/// What happened to the objects of a watch.
#[derive(Debug)]
pub enum Change<K> {
    /// An object is new or different.
    Put(K),
    /// An object is gone.
    Gone(K),
    /// These are all objects; others are gone.
    All(Vec<K>),
}

/// Why a watch is not live. What it told before still holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A permission is missing.
    Denied(Denied),
    /// The API server does not know the kind.
    Absent,
    /// The API server cannot be reached, or something else is wrong with it.
    Failing(String),
}

/// Watches for ever. `change` is told what happens to the objects, beginning with all of them; `trouble` is told what is
/// wrong, and `None` when nothing is any more. A kind that is not installed has no objects, and is tried again.
pub async fn follow<K>(
    api: Api<K>,
    config: watcher::Config,
    mut change: impl FnMut(Change<K>),
    mut trouble: impl FnMut(Option<Trouble>),
) where
    K: kube::Resource + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    let mut events = std::pin::pin!(watcher::watcher(api, config.timeout(WATCH_SECONDS)));
    let mut listed: Option<Vec<K>> = None;
    let (mut wait, mut troubled, mut absent) = (SHORTEST, false, false);
    loop {
        // A watch that goes on after a failure says nothing until an object changes, so its silence has to do.
        let quiet = troubled && listed.is_none();
        let next = if quiet { tokio::time::timeout(LONGEST, events.next()).await } else { Ok(events.next().await) };
        let event = match next {
            Ok(Some(event)) => event,
            Ok(None) => return,
            Err(_) => {
                troubled = false;
                trouble(None);
                continue;
            }
        };
        match event {
            Ok(event) => {
                // The begin of a list says nothing yet: it may still be refused.
                if !matches!(event, Event::Init) {
                    wait = SHORTEST;
                }
                match event {
                    Event::Apply(object) => change(Change::Put(object)),
                    Event::Delete(object) => change(Change::Gone(object)),
                    Event::Init => listed = Some(Vec::new()),
                    Event::InitApply(object) => listed.get_or_insert_default().push(object),
                    Event::InitDone => {
                        absent = false;
                        change(Change::All(listed.take().unwrap_or_default()));
                    }
                }
                if troubled && listed.is_none() {
                    troubled = false;
                    trouble(None);
                }
            }
            Err(error) => {
                let found = diagnose(&error);
                // What ends and is taken up again at once is no trouble: servers end watches all the time.
                if matches!(error, watcher::Error::WatchFailed(_) | watcher::Error::WatchError(_)) && !troubled {
                    continue;
                }
                if found == Trouble::Absent && !absent {
                    absent = true;
                    change(Change::All(Vec::new()));
                }
                troubled = true;
                trouble(Some(found));
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LONGEST);
            }
        }
    }
}

fn diagnose(error: &watcher::Error) -> Trouble {
    let text = || Trouble::Failing(error.to_string());
    match error {
        watcher::Error::InitialListFailed(inner)
        | watcher::Error::WatchStartFailed(inner)
        | watcher::Error::WatchFailed(inner) => {
            let absent = matches!(inner, kube::Error::Api(status) if status.code == 404);
            if absent { Trouble::Absent } else { Denied::of(inner).map_or_else(text, Trouble::Denied) }
        }
        watcher::Error::WatchError(_) | watcher::Error::NoResourceVersion => text(),
    }
}
