//! Files and folders as the tiers that would run from them, without starting anything.
//!
//! What a tier serves from is made by the same code as in a tier ([`snapshot::build`]). This module decides only what stands
//! where files cannot have something: see [`Setting`].

pub mod assumed;
pub mod backend;
mod cluster;
pub mod files;
pub mod input;
pub mod plan;
pub mod stand_in;
pub mod world;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use bailey_proxy::Role;
use bailey_proxy::snapshot::{self, Snapshot};
use bailey_proxy::source::file::Problem;
use bailey_translate::{Diagnostic, Objects, Options};

use clap::ValueEnum;

use crate::output::{Exit, Failure};
use assumed::Assumption;
use backend::Behaviour;
use input::Input;
use plan::{Inner, Tiers};
use stand_in::StandIn;

#[cfg(test)]
mod tests;

/// A namespaced object by name: a Service, a Gateway.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Where the objects are meant to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Setting {
    /// On this machine, as `bailey up` runs them: exactly what is in the files, and `LocalBackend`s as Services.
    Local,
    /// In a cluster: what files usually lack (endpoints, the inner tiers' own Services) is taken to be well, and said so.
    Cluster,
}

/// A tier that would run.
#[derive(Clone, Debug)]
pub struct OfflineTier {
    /// Which tier it is.
    pub role: Role,
    /// What it would serve from.
    pub snapshot: Arc<Snapshot>,
}

/// Everything that files come to.
#[derive(Debug)]
pub struct Folder {
    /// What was read. Its objects are those of the files alone.
    pub input: Input,
    /// Where it is meant to run.
    pub setting: Setting,
    /// The objects with what stands in for others: what the tiers are made of.
    pub objects: Objects,
    /// What was taken to be there and is not among the files.
    pub assumed: Vec<Assumption>,
    /// What of a cluster could not be read, in sentences.
    pub unread: Vec<String>,
    /// Which tiers there are.
    pub plan: Tiers,
    /// The tiers that face clients (outer tiers, then Gateways alone), then the inner ones.
    pub tiers: Vec<OfflineTier>,
    /// What is wrong with the objects, with the line of the field, the grave ones first.
    pub diagnostics: Vec<Diagnostic>,
}

/// The files cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}", listed(.0))]
pub struct Unreadable(pub Vec<Problem>);

impl Failure for Unreadable {
    fn exit(&self) -> Exit {
        Exit::Usage
    }
}

fn listed(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Pods of a cluster that nobody knows (RFC 5737 documentation address).
const SOMEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

impl Folder {
    /// Reads files, folders and `-`. All problems at once; one is enough for no answer.
    pub fn read(paths: &[PathBuf], setting: Option<Setting>) -> Result<Self, Unreadable> {
        let (folder, problems) = Self::read_usable(paths, setting);
        if problems.is_empty() { Ok(folder) } else { Err(Unreadable(problems)) }
    }

    /// What can be used of files, folders and `-`, and what is wrong with the rest. Without a setting, `LocalBackend`s among
    /// the objects say that they are meant for this machine.
    pub fn read_usable(paths: &[PathBuf], setting: Option<Setting>) -> (Self, Vec<Problem>) {
        let (documents, mut problems) = files::read(paths);
        let (input, mut wrong) = input::of(documents);
        problems.append(&mut wrong);
        (Self::of(input, setting), problems)
    }

    /// The tiers of what was read.
    pub fn of(input: Input, setting: Option<Setting>) -> Self {
        let guess = if input.backends.is_empty() { Setting::Cluster } else { Setting::Local };
        let setting = setting.unwrap_or(guess);
        let mut objects = input.objects.clone();
        for (identity, backend) in &input.backends {
            let address = match (&backend.behaviour, setting) {
                (Behaviour::Address(address), Setting::Local) => *address,
                (Behaviour::Echo | Behaviour::Fixed(_), Setting::Local) => {
                    SocketAddr::new(Ipv4Addr::LOCALHOST.into(), backend.port)
                }
                (_, Setting::Cluster) => SocketAddr::new(SOMEWHERE, backend.port),
            };
            StandIn::of_backend(identity, backend, address).insert_into(&mut objects);
        }
        let assumed = match setting {
            Setting::Local => Vec::new(),
            Setting::Cluster => assumed::add(&mut objects, SOMEWHERE),
        };
        let plan = Tiers::of(&objects);
        for inner in &plan.inners {
            let host = if setting == Setting::Local { Ipv4Addr::LOCALHOST.into() } else { SOMEWHERE };
            StandIn::of_link(inner, Some(SocketAddr::new(host, inner.port))).insert_into(&mut objects);
        }
        let (mut tiers, mut diagnostics) = (Vec::new(), Vec::new());
        let options = Options { local: setting == Setting::Local };
        for role in plan.fronts().chain(plan.inners.iter().map(Inner::role)) {
            let built = snapshot::build(&objects, &role.scope(), options, &Snapshot::default());
            diagnostics.extend(built.diagnostics.into_iter().filter(|found| !assumed::excuses(&assumed, found)));
            tiers.push(OfflineTier { role, snapshot: Arc::new(built.snapshot.unwrap_or_default()) });
        }
        let diagnostics = input.located(diagnostics);
        Self { input, setting, objects, assumed, unread: Vec::new(), plan, tiers, diagnostics }
    }

    /// What whoever reads a result has to know: what was taken to be well, and what was not seen.
    pub fn notes(&self) -> Vec<String> {
        self.assumed.iter().map(ToString::to_string).chain(self.unread.iter().cloned()).collect()
    }

    /// The tiers that face clients.
    pub fn fronts(&self) -> impl Iterator<Item = &OfflineTier> {
        self.tiers.iter().filter(|tier| !matches!(tier.role, Role::Inner { .. }))
    }

    /// The inner tiers of a topology.
    pub fn inners<'a>(&'a self, of: &'a str) -> impl Iterator<Item = (&'a str, &'a OfflineTier)> {
        self.tiers.iter().filter_map(move |tier| match &tier.role {
            Role::Inner { topology, tenant } if topology == of => Some((tenant.as_str(), tier)),
            Role::Inner { .. } | Role::Outer { .. } | Role::Gateway { .. } => None,
        })
    }

    /// The inner tier of one tenant.
    pub fn inner(&self, topology: &str, tenant: &str) -> Option<&OfflineTier> {
        let wanted = Role::Inner { topology: topology.to_owned(), tenant: tenant.to_owned() };
        self.tiers.iter().find(|tier| tier.role == wanted)
    }
}
