//! What a topology grants to one tenant, and what to say to a route that asks for more.

use std::collections::BTreeSet;
use std::sync::Arc;

use bailey_crds::OuterListener;
use bailey_routing::ir::HostPattern;

use super::list;
use crate::diagnostics::{Code, Diagnostic, Subject};

/// What a topology grants to one tenant.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) tenant: Arc<str>,
    pub(crate) namespaces: BTreeSet<String>,
    pub(crate) hosts: Vec<HostPattern>,
    /// Hosts of the topology's other tenants, as far as they are known here, with their owner.
    pub(crate) others: Vec<(HostPattern, String)>,
    /// The listeners of the outer tier, which parentRefs name; `None` where they are not known.
    pub(crate) fronts: Option<Vec<OuterListener>>,
    /// The most routes the tenant may have.
    pub(crate) routes: Option<u32>,
}

impl Grant {
    /// The problem of a host that is not the tenant's, or `None` when some of it is.
    pub(super) fn refuse(&self, subject: &Subject, field: &str, host: &HostPattern) -> Option<Diagnostic> {
        if self.hosts.iter().any(|granted| granted.intersect(host).is_some()) {
            return None;
        }
        let granted = list(&self.hosts);
        let owner = self.others.iter().find(|(other, _)| other.intersect(host).is_some());
        Some(if let Some((_, owner)) = owner {
            let message = format!("{host} belongs to tenant {owner}; tenant {} has {granted}", self.tenant);
            subject.problem(Code::HostOfOtherTenant, field, message)
        } else {
            let message = format!("{host} is not granted to tenant {}, which has {granted}", self.tenant);
            subject.problem(Code::HostNotGranted, field, message)
        })
    }
}
