//! Readiness as a list of things that must be done first, so that `/readyz?verbose` can say what is missing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

/// What has to be done before the process is ready, and whether it is being drained.
#[derive(Debug, Default)]
pub struct Readiness {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    tasks: BTreeMap<&'static str, bool>,
    draining: bool,
    notes: Vec<String>,
}

/// A task of the list; [`Guard::done`] ticks it off. A guard that is dropped undone leaves the process unready, which is the truth.
#[derive(Debug)]
pub struct Guard {
    readiness: Arc<Readiness>,
    name: &'static str,
}

impl Guard {
    /// The task is done.
    pub fn done(self) {
        self.readiness.with(|state| state.tasks.insert(self.name, true));
    }
}

impl Readiness {
    /// An empty list: ready as long as nothing is added.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Adds a task that must be done first.
    pub fn task(self: &Arc<Self>, name: &'static str) -> Guard {
        self.with(|state| state.tasks.insert(name, false));
        Guard { readiness: self.clone(), name }
    }

    /// What else there is to know, such as a permission that is missing; in place of what was noted before. It has no
    /// influence on whether the process is ready.
    pub fn note(&self, notes: Vec<String>) {
        self.with(|state| state.notes = notes);
    }

    /// From now on not ready, whatever is done: the process is leaving.
    pub fn drain(&self) {
        self.with(|state| state.draining = true);
    }

    /// Whether everything is done and the process is not leaving.
    pub fn is_ready(&self) -> bool {
        self.with(|state| !state.draining && state.tasks.values().all(|done| *done))
    }

    /// What was noted last.
    pub fn notes(&self) -> Vec<String> {
        self.with(|state| state.notes.clone())
    }

    /// One line a task, as `/readyz?verbose` shows it.
    pub fn report(&self) -> String {
        self.with(|state| {
            let mut text = String::new();
            for (name, done) in &state.tasks {
                let _ = writeln!(text, "[{}] {name}", if *done { '+' } else { '-' });
            }
            if state.draining {
                text.push_str("[-] not draining\n");
            }
            for note in &state.notes {
                let _ = writeln!(text, "[!] {note}");
            }
            text
        })
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_when_all_is_done_and_not_while_draining() {
        let readiness = Readiness::new();
        let (table, listeners) = (readiness.task("first table is live"), readiness.task("listeners are bound"));
        table.done();
        assert!(!readiness.is_ready());
        assert_eq!(readiness.report(), "[+] first table is live\n[-] listeners are bound\n");
        listeners.done();
        assert!(readiness.is_ready());
        readiness.drain();
        assert!(!readiness.is_ready() && readiness.report().contains("draining"));
    }

    #[test]
    fn notes_are_shown_and_change_nothing() {
        let readiness = Readiness::new();
        readiness.note(vec!["a may not list routes in namespace b".to_owned()]);
        assert!(readiness.is_ready());
        assert_eq!(readiness.report(), "[!] a may not list routes in namespace b\n");
    }

    #[test]
    fn a_task_that_was_given_up_stays_undone() {
        let readiness = Readiness::new();
        drop(readiness.task("initial lists are complete"));
        assert!(!readiness.is_ready());
    }
}
