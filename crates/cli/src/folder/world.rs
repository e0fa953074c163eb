//! A folder as explanations see it: sites of tiers instead of running ones.

use std::collections::BTreeMap;

use bailey_proxy::Role;
use bailey_proxy::explain::{DEVELOPMENT_CA, Explanation, Question, Site, World, explain};

use super::assumed::Assumption;
use super::{Folder, OfflineTier, Setting};

/// Declared ports → ports as clients reach them, where they differ.
pub type Ports = BTreeMap<u16, u16>;

/// Where certificates come from of which the files say nothing.
const ELSEWHERE: &str = "elsewhere, not from these files";

/// The tiers of a folder, ready to be asked.
#[derive(Debug)]
pub struct Sites<'a> {
    folder: &'a Folder,
    fronts: Vec<Site>,
    inners: Vec<Site>,
}

impl<'a> Sites<'a> {
    /// The tiers of a folder, behind these ports.
    pub fn of(folder: &'a Folder, ports: &Ports) -> Self {
        let site = |tier: &OfflineTier| Site {
            role: tier.role.clone(),
            snapshot: tier.snapshot.clone(),
            ports: ports.clone(),
            acme: None,
        };
        let (inners, fronts) = folder.tiers.iter().map(site).partition(|site| matches!(site.role, Role::Inner { .. }));
        Self { folder, fronts, inners }
    }

    /// What explanations are made of.
    pub fn world(&self) -> World<'_> {
        let issuer = match self.folder.setting {
            Setting::Local => Some(DEVELOPMENT_CA),
            Setting::Cluster if Assumption::of_certificates(&self.folder.assumed) => Some(ELSEWHERE),
            Setting::Cluster => None,
        };
        World {
            fronts: &self.fronts,
            inners: &self.inners,
            objects: &self.folder.objects,
            diagnostics: &self.folder.diagnostics,
            issuer,
        }
    }

    /// What becomes of a request.
    pub fn explain(&self, question: &Question) -> Explanation {
        let fronts = self.fronts_of(question);
        explain(&World { fronts: &fronts, ..self.world() }, question)
    }

    /// In a cluster every topology has an address of its own, and DNS leads a host to the one that has it.
    fn fronts_of(&self, question: &Question) -> Vec<Site> {
        let host = question.host.trim_end_matches('.').to_ascii_lowercase();
        let owns = |site: &&Site| {
            let table = &site.snapshot.table;
            let listener = table.listener_at(question.port, host.as_bytes());
            listener.is_some_and(|listener| table.tenant_of(listener, host.as_bytes()).is_some())
        };
        let owner = self.fronts.iter().find(owns).filter(|_| self.folder.setting == Setting::Cluster);
        owner.map_or_else(|| self.fronts.clone(), |owner| vec![owner.clone()])
    }
}
