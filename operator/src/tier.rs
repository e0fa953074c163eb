//! A tier as it is to be rendered: what the topology's defaults and a tenant's own settings come to.

use bailey_crds::TierConfigSpec;
use bailey_crds::topology::{Autoscaling, PodSettings};

use crate::labels::{self, Labels, Of};

/// One tier of a valid topology.
#[derive(Clone, Debug)]
pub struct Tier {
    /// Name of the tier and of most of its children.
    pub name: String,
    /// Where it runs.
    pub namespace: String,
    /// Name of the topology.
    pub topology: String,
    /// The tenant of an inner tier.
    pub tenant: Option<String>,
    /// What its proxies read.
    pub config: TierConfigSpec,
    /// Number of proxies, unless an autoscaler decides.
    pub replicas: u16,
    /// Who decides on the number of proxies instead.
    pub autoscaling: Option<Autoscaling>,
    /// Settings of its pods.
    pub pod: PodSettings,
    /// The operator makes the namespace.
    pub managed_namespace: bool,
}

impl Tier {
    /// Whose labels its children carry.
    pub fn of(&self) -> Of<'_> {
        self.tenant.as_deref().map_or(Of::Outer, Of::Inner)
    }

    /// Labels of its children.
    pub fn labels(&self) -> Labels {
        labels::all(&self.topology, self.of())
    }

    /// The selector of its pods.
    pub fn selector(&self) -> Labels {
        labels::selector(&self.topology, self.of())
    }

    /// What people call it: `outer`, or the tenant's name.
    pub fn title(&self) -> &str {
        self.tenant.as_deref().unwrap_or("outer")
    }

    /// The most proxies there can be.
    pub fn most_replicas(&self) -> u16 {
        self.autoscaling.map_or(self.replicas, |scaling| scaling.max_replicas)
    }
}
