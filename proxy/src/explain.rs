//! Why a request gets the answer it gets, which tier gives it, and what the application sees.
//!
//! Pure: snapshots and a question in, an explanation out. It decides nothing of its own: ports, tenants, rules, plans, fields
//! and addresses are asked of the code that serves.

mod explanation;
mod question;

use std::collections::BTreeMap;
use std::sync::Arc;

use bailey_translate::{Diagnostic, Objects};

use crate::snapshot::Snapshot;
use crate::tier::Role;

pub use explanation::*;
pub use question::{HIDDEN, Question, QuestionError, address};

/// All that an explanation is made of.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    /// The tiers that clients connect to: outer tiers, Gateways.
    pub fronts: &'a [Site],
    /// The inner tiers that are known here.
    pub inners: &'a [Site],
    /// The objects that the tiers are made of, for routes that no table has.
    pub objects: &'a Objects,
    /// What is wrong with them.
    pub diagnostics: &'a [Diagnostic],
    /// A development CA makes the certificates that nobody has given (local mode).
    pub development_ca: bool,
}

/// A tier and what it serves from.
#[derive(Debug, Clone)]
pub struct Site {
    /// Which tier.
    pub role: Role,
    /// What it serves from.
    pub snapshot: Arc<Snapshot>,
    /// Declared ports → ports as clients reach them, where they differ.
    pub ports: BTreeMap<u16, u16>,
}
