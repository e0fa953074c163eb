//! The objects of a cluster as a [`Folder`], so that every command asks them as it asks files. Nothing is taken to be well but what
//! could not be read.

use std::sync::Arc;

use bailey_proxy::snapshot::{self, Snapshot};
use bailey_translate::{Object, Objects, Options};

use super::assumed::{self, Assumption};
use super::input::Input;
use super::plan::{Inner, Tiers};
use super::{Folder, OfflineTier, Setting};
use crate::cluster::Gathered;

impl Folder {
    /// The tiers as they are: each made of exactly what its proxies read. Where the operator has written nothing for them yet, the
    /// tiers that the topologies ask for.
    pub fn served(found: Gathered) -> Self {
        if !found.written {
            return Self::asked_for(found, Input::default());
        }
        let assumed = assumptions(&found);
        let (mut tiers, mut diagnostics) = (Vec::new(), Vec::new());
        for tier in &found.tiers {
            let view = tier.view(&found.objects);
            let built = snapshot::build(&view, &tier.role.scope(), Options { local: false }, &Snapshot::default());
            diagnostics.extend(built.diagnostics.into_iter().filter(|found| !assumed::excuses(&assumed, found)));
            tiers.push(OfflineTier { role: tier.role.clone(), snapshot: Arc::new(built.snapshot.unwrap_or_default()) });
        }
        let plan = Tiers::of(&found.objects);
        let input = Input::default();
        let diagnostics = input.located(diagnostics);
        let unread = found.unread.notes();
        Self { input, setting: Setting::Cluster, objects: found.objects, assumed, unread, plan, tiers, diagnostics }
    }

    /// The tiers that the cluster's topologies ask for, with these files' objects in place of those of their names.
    pub fn asked_for(found: Gathered, over: Input) -> Self {
        let assumed = assumptions(&found);
        let unread = found.unread.notes();
        let mut objects = found.objects;
        overlay(&mut objects, &over);
        let mut plan = Tiers::of(&objects);
        // A Gateway alone has no tier in a cluster.
        plan.gateways.clear();
        let (mut tiers, mut diagnostics) = (Vec::new(), Vec::new());
        for role in plan.fronts().chain(plan.inners.iter().map(Inner::role)) {
            let built = snapshot::build(&objects, &role.scope(), Options { local: false }, &Snapshot::default());
            diagnostics.extend(built.diagnostics.into_iter().filter(|found| !assumed::excuses(&assumed, found)));
            tiers.push(OfflineTier { role, snapshot: Arc::new(built.snapshot.unwrap_or_default()) });
        }
        let diagnostics = over.located(diagnostics);
        Self { input: over, setting: Setting::Cluster, objects, assumed, unread, plan, tiers, diagnostics }
    }
}

fn assumptions(found: &Gathered) -> Vec<Assumption> {
    let unread = [
        (found.unread.hides("secrets"), Assumption::UnreadCertificates),
        (found.unread.hides("namespaces"), Assumption::UnreadNamespaces),
    ];
    unread.into_iter().filter(|(is, _)| *is).map(|(_, assumption)| assumption).collect()
}

fn overlay(objects: &mut Objects, over: &Input) {
    for document in &over.documents {
        // Documents that are no objects have been told by the reading.
        if let Ok(object) = Object::from_value(document.value()) {
            objects.insert_any(object, Some(document.location()));
        }
    }
}
