//! A new certificate before its time: an annotation on the hostname's binding, which the proxy that orders acts on once, within its
//! limits. Decides whose binding it is, and what is refused here already.

use bailey_crds::topology::Acme;
use bailey_crds::{HostnameBinding, IngressTopology, RENEW_REQUESTED};
use jiff::Timestamp;
use kube::ResourceExt as _;
use kube::api::{Api, Patch, PatchParams};
use serde::Serialize;
use serde_json::json;

use super::known::{Certificate, Certificates};
use super::{CertError, RenewArgs, look};
use crate::cluster::{Asked, Cluster, ClusterError, Reader};
use crate::output::{Report, Style};

/// Why nothing is renewed.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// The topology orders none.
    #[error(
        "topology {0} orders no certificates: spec.outer.acme is not set; renew the Secret that the certificate is in"
    )]
    NotOrdered(String),
    /// It is somebody else's to renew.
    #[error("the certificate for {host} is from {from}, which is served as it is: renew that")]
    Given {
        /// The hostname.
        host: String,
        /// Where it is from.
        from: String,
    },
    /// Nobody has the name.
    #[error(
        "no HostnameBinding for {host} in namespace {namespace}: does a tenant of topology {topology} have it? `bailey status` lists hostnames"
    )]
    NoBinding {
        /// The hostname.
        host: String,
        /// Where it would be.
        namespace: String,
        /// The topology.
        topology: String,
    },
    /// Somebody else has changed it at the same moment.
    #[error("HostnameBinding {0} was changed at this moment by somebody else; try it again")]
    Conflict(String),
}

/// What is asked for, or would be.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Plan {
    topology: String,
    /// The names of the certificate.
    hosts: Vec<String>,
    /// The authority's directory.
    authority: String,
    /// How the names are proven.
    challenge: &'static str,
    /// What there is now.
    replaces: Certificate,
    /// The binding that says so, as `namespace/name`.
    binding: String,
    /// Since when it is asked for; absent for a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    requested: Option<String>,
}

impl Report for Plan {
    fn text(&self, _: Style) -> String {
        let hosts = self.hosts.join(", ");
        let held = self.replaces.not_after.as_ref();
        let now = held.map_or_else(|| "none yet".to_owned(), |end| format!("one until {}", end.0));
        let order =
            format!("a certificate for {hosts}, from {} by {}; now there is {now}", self.authority, self.challenge);
        let error = self.replaces.last_error.as_ref().map(|error| format!("last error: {error}\n")).unwrap_or_default();
        match &self.requested {
            None => format!(
                "would order {order}\n{error}nothing was changed; the authority's limits are kept: at most 5 certificates of the same names in a week\n"
            ),
            Some(_) => format!(
                "asked for {order}\n{error}the outer tier orders it once, within the authority's limits; `bailey cert show {hosts}` says what comes of it\n"
            ),
        }
    }
}

/// Finds the certificate and, unless it is a dry run, asks for a new one.
pub(super) async fn plan(args: &RenewArgs) -> Result<Plan, CertError> {
    let reader = Reader::new(&Cluster::connect(&args.connection).await?);
    let topologies = look::topologies(&reader, args.topology.as_deref()).await?;
    let mut plan = of(&topologies, &args.host)?;
    let host = plan.hosts.first().cloned().unwrap_or_default();
    let namespace = topologies
        .iter()
        .find(|one| one.name_any() == plan.topology)
        .map(|one| one.spec.outer.namespace.clone())
        .unwrap_or_default();
    let binding = binding(&reader, &namespace, &host, &plan.topology).await?;
    plan.binding = format!("{namespace}/{}", binding.name_any());
    if !args.dry_run {
        plan.requested = Some(request(&reader, &namespace, &binding).await?);
    }
    Ok(plan)
}

/// What renewing the certificate of a hostname comes to. Pure.
fn of(topologies: &[IngressTopology], host: &str) -> Result<Plan, CertError> {
    let mut known = Certificates::default();
    for topology in topologies {
        let all = topology.status.iter().flat_map(|status| status.certificates.clone());
        known.certificates.extend(all.map(|one| Certificate::of_status(&topology.name_any(), one)));
    }
    let one = known.find(host)?.clone();
    let topology = topologies.iter().find(|topology| topology.name_any() == one.topology);
    let acme = topology.and_then(|topology| topology.spec.outer.acme.as_ref());
    let Some(acme) = acme else { return Err(RenewError::NotOrdered(one.topology).into()) };
    let source = one.source.clone().unwrap_or_default();
    if !source.starts_with(bailey_kit::admin::served::ORDERED) {
        return Err(RenewError::Given { host: host.to_owned(), from: source }.into());
    }
    Ok(Plan {
        topology: one.topology.clone(),
        hosts: one.hosts.clone(),
        authority: acme.directory.clone(),
        challenge: challenge(acme),
        replaces: one,
        binding: String::new(),
        requested: None,
    })
}

fn challenge(acme: &Acme) -> &'static str {
    match (&acme.challenge.http01, &acme.challenge.tls_alpn01) {
        (Some(_), _) => "http-01",
        (None, Some(_)) => "tls-alpn-01",
        (None, None) => "dns-01",
    }
}

async fn binding(reader: &Reader, namespace: &str, host: &str, topology: &str) -> Result<HostnameBinding, CertError> {
    let missing = || RenewError::NoBinding {
        host: host.to_owned(),
        namespace: namespace.to_owned(),
        topology: topology.to_owned(),
    };
    let name = host.parse::<bailey_crds::Hostname>().map_err(|_| missing())?.binding_name();
    let api = Api::<HostnameBinding>::namespaced(reader.client(), namespace);
    match reader.get(&api, &name).await? {
        Asked::Is(Some(binding)) => Ok(binding),
        Asked::Is(None) | Asked::Unknown => Err(missing().into()),
        Asked::Refused(denied) => Err(ClusterError::Denied(denied).into()),
    }
}

/// Writes the annotation onto the binding that was read, and no other version of it.
async fn request(reader: &Reader, namespace: &str, binding: &HostnameBinding) -> Result<String, CertError> {
    let now = format!("{:.0}", Timestamp::now());
    let name = binding.name_any();
    let api = Api::<HostnameBinding>::namespaced(reader.client(), namespace);
    let change = json!({"metadata": {
        "uid": binding.uid(),
        "resourceVersion": binding.resource_version(),
        "annotations": {RENEW_REQUESTED: now},
    }});
    match api.patch(&name, &PatchParams::default(), &Patch::Merge(&change)).await {
        Ok(_) => Ok(now),
        Err(kube::Error::Api(status)) if status.code == 409 => {
            Err(RenewError::Conflict(format!("{namespace}/{name}")).into())
        }
        Err(error) => Err(reader.cluster().failure(&error).into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn topology(acme: &Value, source: &str) -> IngressTopology {
        let mut value = json!({
            "metadata": {"name": "main"},
            "spec": {"outer": {"namespace": "out", "listeners": []}, "tenants": []},
            "status": {"certificates": [{"hosts": ["a.example.com"], "source": source, "notAfter": "2999-01-01T00:00:00Z"}]},
        });
        value["spec"]["outer"]["acme"] = acme.clone();
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn only_what_is_ordered_is_renewed() {
        let acme = json!({"directory": "letsencrypt", "challenge": {"tlsAlpn01": {}}});
        let ordered = "ordered from https://acme-v02.api.letsencrypt.org/directory";
        let plan = of(&[topology(&acme, ordered)], "a.example.com").unwrap();
        assert_eq!((plan.authority.as_str(), plan.challenge), ("letsencrypt", "tls-alpn-01"));
        let text = plan.text(Style::PLAIN);
        assert!(text.starts_with("would order a certificate for a.example.com, from letsencrypt by tls-alpn-01; now there is one until 2999"), "{text}");
        let refused = |topology: IngressTopology, host: &str| of(&[topology], host).unwrap_err().to_string();
        assert!(refused(topology(&acme, "Secret out/a"), "a.example.com").contains("is from Secret out/a"));
        assert!(
            refused(topology(&Value::Null, "Secret out/a"), "a.example.com").contains("spec.outer.acme is not set")
        );
        assert!(refused(topology(&acme, ordered), "b.example.com").contains("did you mean a.example.com?"));
    }
}
