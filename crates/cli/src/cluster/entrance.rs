//! Where clients reach the topologies of a cluster: the addresses that the operator reports. Names need not lead there yet, so
//! requests that are sent on purpose go there whatever DNS says.

use std::net::IpAddr;

use bailey_crds::IngressTopology;
use bailey_crds::topology::TopologyStatus;
use kube::ResourceExt as _;
use tokio::net::lookup_host;

use super::{Asked, Cluster, ClusterArgs, ClusterError, Reader};
use crate::trace::send::Url;

/// The addresses of a cluster's outer tiers.
#[derive(Clone, Debug, Default)]
pub struct Entrance {
    /// Each topology, and its first address.
    topologies: Vec<(IngressTopology, Option<IpAddr>)>,
}

impl Entrance {
    /// The topology that has the host of a URL.
    pub(crate) fn topology(&self, url: &Url) -> Option<&IngressTopology> {
        self.find(url).map(|(topology, _)| topology)
    }

    /// The address for a URL of one of the topologies' hosts, as requests take it.
    pub(crate) fn of(&self, url: &Url) -> Option<(String, u16, IpAddr)> {
        let (host, port) = url.place();
        let (_, address) = self.find(url)?;
        Some((host.to_owned(), port, (*address)?))
    }

    fn find(&self, url: &Url) -> Option<&(IngressTopology, Option<IpAddr>)> {
        let host = url.place().0;
        let covers = |pattern: String| match pattern.strip_prefix("*.") {
            Some(parent) => host.strip_suffix(parent).is_some_and(|label| label.len() > 1 && label.ends_with('.')),
            None => host == pattern,
        };
        self.topologies.iter().find(|(topology, _)| {
            let mut hosts = topology.spec.tenants.iter().flat_map(|tenant| &tenant.hostnames).map(ToString::to_string);
            hosts.any(covers)
        })
    }
}

/// Asks for the addresses of the topologies, or of one.
pub fn find(args: &ClusterArgs) -> Result<Entrance, ClusterError> {
    super::run(async {
        let cluster = Cluster::connect(&args.connection).await?;
        of(&cluster, args.topology.as_deref()).await
    })
}

/// The addresses of the topologies, or of one.
pub async fn of(cluster: &Cluster, topology: Option<&str>) -> Result<Entrance, ClusterError> {
    let topologies = match Reader::new(cluster).everywhere::<IngressTopology>().await? {
        Asked::Is(all) => all,
        Asked::Refused(denied) => return Err(ClusterError::Denied(denied)),
        Asked::Unknown => return Err(ClusterError::NotInstalled("ingresstopologies.bailey.dev".to_owned())),
    };
    let mut entrance = Entrance::default();
    for one in topologies.into_iter().filter(|one| topology.is_none_or(|name| one.name_any() == name)) {
        let address = first(one.status.as_ref()).await;
        entrance.topologies.push((one, address));
    }
    Ok(entrance)
}

/// Load balancers of some clouds have a name only.
async fn first(status: Option<&TopologyStatus>) -> Option<IpAddr> {
    for address in &status?.addresses {
        match address.value.parse() {
            Ok(address) => return Some(address),
            Err(_) => {
                if let Ok(mut found) = lookup_host((address.value.as_str(), 0)).await
                    && let Some(found) = found.next()
                {
                    return Some(found.ip());
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_a_topology_lead_to_its_address_and_others_nowhere() {
        let address: IpAddr = "203.0.113.1".parse().unwrap();
        let value = serde_json::json!({
            "metadata": {"name": "main"},
            "spec": {
                "outer": {"namespace": "out", "listeners": []},
                "tenants": [{"name": "a", "namespaces": {"names": ["a"]}, "hostnames": ["a.example.com", "*.b.example.com"]}],
            },
        });
        let entrance = Entrance { topologies: vec![(serde_json::from_value(value).unwrap(), Some(address))] };
        let of = |url: &str| entrance.of(&Url::parse(url).unwrap());
        assert_eq!(of("https://a.example.com/x"), Some(("a.example.com".to_owned(), 443, address)));
        assert_eq!(of("http://x.b.example.com:81/"), Some(("x.b.example.com".to_owned(), 81, address)));
        assert_eq!((of("http://b.example.com/"), of("http://xb.example.com/")), (None, None));
    }
}
