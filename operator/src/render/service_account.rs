//! The account of a tier. Its proxies watch the API with it, so its token is mounted where the pod says so, and only there.

use k8s_openapi::api::core::v1::ServiceAccount;

use crate::manifest::{At, Child, Manifests, Rendered};
use crate::tier::Tier;
use crate::validate::ValidTopology;

pub(super) fn add(topology: &ValidTopology, tier: &Tier, out: &mut Manifests<Rendered>) {
    let account = ServiceAccount { automount_service_account_token: Some(false), ..ServiceAccount::default() };
    out.add(topology, Child::ServiceAccount, At::new(&tier.namespace, &tier.name), &tier.labels(), &account);
}
