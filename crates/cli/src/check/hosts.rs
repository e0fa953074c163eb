//! Hostnames: who owns each, and whether DNS leads clients to us. Pure but for the question to DNS.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use bailey_crds::IngressTopology;
use bailey_translate::{Code, Diagnostic};
use kube::ResourceExt as _;
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::finding::found;

/// How long DNS may take for one name.
const PATIENCE: Duration = Duration::from_secs(3);
/// Names that are asked for; a topology may have thousands.
const MOST: usize = 200;

/// What DNS says of names, as this machine sees it.
pub(super) type Resolved = BTreeMap<String, BTreeSet<IpAddr>>;

/// Names of a topology that DNS can be asked for: a wildcard is not a name.
pub(super) fn names(topology: &IngressTopology) -> Vec<String> {
    let all = topology.spec.tenants.iter().flat_map(|tenant| &tenant.hostnames).map(ToString::to_string);
    all.filter(|name| !name.starts_with('*')).take(MOST).collect()
}

/// Asks DNS for names, and for those addresses that are names themselves.
pub(super) async fn resolve(names: impl IntoIterator<Item = String>) -> Resolved {
    let one = async |name: String| {
        let found = timeout(PATIENCE, lookup_host((name.as_str(), 443))).await;
        let found: BTreeSet<IpAddr> =
            found.ok().and_then(Result::ok).into_iter().flatten().map(|address| address.ip()).collect();
        (name, found)
    };
    futures_util::future::join_all(names.into_iter().map(one)).await.into_iter().collect()
}

/// What is wrong with the hostnames of a topology.
pub(super) fn findings(topology: &IngressTopology, resolved: &Resolved) -> Vec<Diagnostic> {
    let name = topology.name_any();
    let object = ("IngressTopology", "", name.as_str());
    let status = topology.status.clone().unwrap_or_default();
    let mut all = Vec::new();
    for tenant in &status.tenants {
        all.extend(tenant.lost.iter().map(|lost| {
            let message = format!("tenant {} asks for {}, which tenant {} has", tenant.name, lost.hostname, lost.owner);
            found(Code::HostOwnedByOther, object, "spec.tenants", message)
        }));
    }
    let ours: BTreeSet<IpAddr> = status
        .addresses
        .iter()
        .flat_map(|address| match address.value.parse() {
            Ok(ip) => BTreeSet::from([ip]),
            Err(_) => resolved.get(&address.value).cloned().unwrap_or_default(),
        })
        .collect();
    for host in names(topology) {
        let Some(addresses) = resolved.get(&host) else { continue };
        let list = |all: &BTreeSet<IpAddr>| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        if addresses.is_empty() {
            all.push(found(Code::HostNotResolved, object, "spec.tenants", format!("{host} has no address in DNS")));
        } else if !ours.is_empty() && addresses.is_disjoint(&ours) {
            let message = format!("{host} leads to {}, the outer tier is at {}", list(addresses), list(&ours));
            all.push(found(Code::HostElsewhere, object, "spec.tenants", message));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_host_that_is_lost_unknown_or_elsewhere_is_told() {
        let topology: IngressTopology = serde_json::from_value(json!({
            "metadata": {"name": "main"},
            "spec": {
                "outer": {"namespace": "out", "listeners": []},
                "tenants": [{"name": "a", "namespaces": {"names": ["a"]}, "hostnames": ["a.example.com", "b.example.com", "c.example.com", "*.d.example.com"]}],
            },
            "status": {
                "addresses": [{"type": "IPAddress", "value": "203.0.113.1"}],
                "tenants": [{"name": "a", "lost": [{"hostname": "e.example.com", "owner": "b"}]}],
            },
        }))
        .unwrap();
        let at = |address: &str| BTreeSet::from([address.parse().unwrap()]);
        let resolved = Resolved::from([
            ("a.example.com".to_owned(), at("203.0.113.1")),
            ("b.example.com".to_owned(), at("198.51.100.1")),
            ("c.example.com".to_owned(), BTreeSet::new()),
        ]);
        let found: Vec<_> = findings(&topology, &resolved).into_iter().map(|one| (one.code, one.message)).collect();
        assert_eq!(
            found,
            [
                (Code::HostOwnedByOther, "tenant a asks for e.example.com, which tenant b has".to_owned()),
                (
                    Code::HostElsewhere,
                    "b.example.com leads to 198.51.100.1, the outer tier is at 203.0.113.1".to_owned()
                ),
                (Code::HostNotResolved, "c.example.com has no address in DNS".to_owned()),
            ]
        );
    }
}
