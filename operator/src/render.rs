//! From a valid topology to the objects that make it real. Pure and deterministic; each kind has its own file.
//!
//! What cannot be made because of something that is missing (a namespace, the Gateway API) is left out and is a
//! [`Problem`]; the rest is made.

mod autoscaler;
mod bindings;
mod class;
mod disruption_budget;
mod gateway;
mod hostname_binding;
mod link_secret;
mod namespace;
mod network_policy;
mod pod;
mod service;
mod service_account;
mod tier_config;
mod volume_claim;
mod workload;

use std::collections::BTreeSet;

use bailey_crds::conditions::Reason;

use crate::manifest::{Manifests, Rendered};
use crate::problem::Problem;
use crate::tier::Tier;
use crate::validate::ValidTopology;

pub use hostname_binding::{RELEASED_AT, binding, released};
pub use link_secret::{authority_secret, link_secret};

/// What is known of the cluster.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The proxy's image for the inner tiers.
    pub inner_image: String,
    /// The proxy's image for the outer tier, which follows when the inner tiers have rolled.
    pub outer_image: String,
    /// Namespaces that exist and are not being deleted.
    pub namespaces: BTreeSet<String>,
    /// Whether the definitions of the Gateway API are installed.
    pub gateway_api: bool,
}

/// Objects, and what stands against the rest.
#[derive(Clone, Debug)]
pub struct Rendering {
    /// The objects.
    pub manifests: Manifests<Rendered>,
    /// What could not be made.
    pub problems: Vec<Problem>,
}

/// Renders everything of a topology but its Secrets and `HostnameBinding`s: the former hold keys, and the latter are the
/// ledger, which is written by creating them.
pub fn render(topology: &ValidTopology, facts: &Facts) -> Rendering {
    let mut rendering = Rendering { manifests: Manifests::new(), problems: Vec::new() };
    let out = &mut rendering.manifests;
    class::add(topology, facts, out);
    if !facts.gateway_api {
        rendering.problems.push(Problem::new(
            Reason::UnsupportedValue,
            "the Gateway API's definitions are not installed, so tenants cannot attach routes; install its standard channel",
        ));
    }
    for tier in topology.tiers() {
        if tier.managed_namespace {
            namespace::add(topology, tier, out);
        }
        rendering.problems.extend(missing(topology, tier, facts));
        if !tier.managed_namespace && !facts.namespaces.contains(&tier.namespace) {
            continue;
        }
        service_account::add(topology, tier, out);
        bindings::add(topology, tier, facts, out);
        network_policy::add(topology, tier, out);
        tier_config::add(topology, tier, out);
        service::add(topology, tier, out);
        workload::add(topology, tier, facts, out);
        disruption_budget::add(topology, tier, out);
        autoscaler::add(topology, tier, out);
        match &tier.tenant {
            None => volume_claim::add(topology, out),
            Some(_) => gateway::add(topology, tier, facts, out),
        }
    }
    rendering
}

/// Namespaces of the tier that do not exist.
fn missing<'a>(topology: &'a ValidTopology, tier: &'a Tier, facts: &'a Facts) -> impl Iterator<Item = Problem> + 'a {
    let own = (!tier.managed_namespace).then_some(&tier.namespace);
    let wanted: BTreeSet<&String> = own.into_iter().chain(&tier.config.namespaces).collect();
    wanted.into_iter().filter(|namespace| !facts.namespaces.contains(*namespace)).map(|namespace| {
        let field = match &tier.tenant {
            None => "spec.outer.namespace".to_owned(),
            Some(tenant) => format!("namespace of tenant {tenant}"),
        };
        let message = format!(
            "{field}: there is no namespace {namespace}; create it, or take it out of IngressTopology {}",
            topology.name
        );
        Problem::new(Reason::NamespaceNotFound, message)
    })
}
