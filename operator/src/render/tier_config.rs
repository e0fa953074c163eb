//! What the proxies of a tier read: the `TierConfig` that `bailey_translate::resolve` made, as it is.

use bailey_crds::TierConfig;

use crate::manifest::{At, Child, Manifests, Rendered};
use crate::tier::Tier;
use crate::validate::ValidTopology;

pub(super) fn add(topology: &ValidTopology, tier: &Tier, out: &mut Manifests<Rendered>) {
    let config = TierConfig::new(&tier.name, tier.config.clone());
    out.add(topology, Child::TierConfig, At::new(&tier.namespace, &tier.name), &tier.labels(), &config);
}
