//! The pod of a proxy: no rights on the node, nothing writable but its own small folder, probes, and a grace period that
//! is as long as its drain.

use std::collections::BTreeMap;

use bailey_crds::{LINK_SECRET, TierListener, TierProtocol};
use k8s_openapi::api::core::v1::{
    Affinity, Capabilities, Container, ContainerPort, EmptyDirVolumeSource, EnvVar, HTTPGetAction, KeyToPath,
    PersistentVolumeClaimVolumeSource, PodSecurityContext, PodSpec, PodTemplateSpec, Probe, ResourceRequirements,
    SeccompProfile, SecretVolumeSource, SecurityContext, TopologySpreadConstraint, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Facts, volume_claim};
use crate::tier::Tier;
use crate::validate::{ADMIN_PORT, Reached, ValidTopology};

/// The user that everything runs as: `nonroot` of the usual images.
const USER: i64 = 65532;
/// Name of the proxy's container.
const CONTAINER: &str = "proxy";
const LINK_FOLDER: &str = "/etc/bailey/link";
const STATE_FOLDER: &str = "/var/lib/bailey";
/// Where certificates that are ordered are kept, if on a volume.
const CERTIFICATES_FOLDER: &str = "/var/lib/bailey/certificates";
/// Seconds beyond the drain before the process is killed.
const GRACE_MARGIN: u32 = 5;

/// Whether this version serves the listener: it is exposed only then.
pub(super) fn is_served(listener: &TierListener) -> bool {
    matches!(listener.protocol, TierProtocol::Http | TierProtocol::Https | TierProtocol::Link)
}

/// The name of a listener's port. A container's port name has 15 characters at most, so it is made of the number.
pub(super) fn port_name(listener: &TierListener) -> String {
    match listener.protocol {
        TierProtocol::Link => listener.name.clone(),
        TierProtocol::Http | TierProtocol::Https | TierProtocol::Tls | TierProtocol::Tcp | TierProtocol::Udp => {
            format!("port-{}", listener.port)
        }
    }
}

/// The pods of a tier.
pub(super) fn template(topology: &ValidTopology, tier: &Tier, facts: &Facts) -> PodTemplateSpec {
    let mut labels = tier.pod.pod_labels.clone();
    labels.extend(tier.labels());
    PodTemplateSpec {
        metadata: Some(ObjectMeta { labels: Some(labels), ..ObjectMeta::default() }),
        spec: Some(spec(topology, tier, facts)),
    }
}

fn spec(topology: &ValidTopology, tier: &Tier, facts: &Facts) -> PodSpec {
    let drain = tier.config.limits.drain;
    let outer = tier.tenant.is_none();
    let mut nodes = tier.pod.node_selector.clone();
    let mut host_ports = false;
    if let (true, Reached::HostPorts(ports)) = (outer, topology.reached()) {
        nodes.extend(ports.node_selector.clone());
        host_ports = true;
    }
    PodSpec {
        service_account_name: Some(tier.name.clone()),
        // The proxies watch the API themselves.
        automount_service_account_token: Some(true),
        enable_service_links: Some(false),
        termination_grace_period_seconds: Some((drain.accept_seconds + drain.drain_seconds + GRACE_MARGIN).into()),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            fs_group: Some(USER),
            seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
            ..PodSecurityContext::default()
        }),
        containers: vec![container(
            topology,
            tier,
            if outer { &facts.outer_image } else { &facts.inner_image },
            host_ports,
        )],
        volumes: Some(vec![link_volume(), state_volume(topology, tier)]),
        node_selector: Some(nodes).filter(|nodes| !nodes.is_empty()),
        tolerations: Some(tier.pod.tolerations.clone()).filter(|tolerations| !tolerations.is_empty()),
        affinity: tier.pod.affinity.clone().filter(|affinity| *affinity != Affinity::default()),
        priority_class_name: tier.pod.priority_class_name.clone(),
        topology_spread_constraints: Some(
            ["kubernetes.io/hostname", "topology.kubernetes.io/zone"].map(|key| spread(key, tier)).into(),
        ),
        ..PodSpec::default()
    }
}

fn container(topology: &ValidTopology, tier: &Tier, image: &str, host_ports: bool) -> Container {
    Container {
        name: CONTAINER.to_owned(),
        image: Some(image.to_owned()),
        args: Some(arguments(topology, tier)),
        env: Some(environment()),
        ports: Some(ports(tier, host_ports)),
        // A start that takes long is a list that is long; until then nothing is sent here.
        startup_probe: Some(probe("/healthz", 1, 60)),
        readiness_probe: Some(probe("/readyz", 2, 1)),
        liveness_probe: Some(probe("/healthz", 10, 3)),
        resources: Some(
            tier.pod.resources.clone().filter(|r| *r != ResourceRequirements::default()).unwrap_or_else(resources),
        ),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
            ..SecurityContext::default()
        }),
        volume_mounts: Some(vec![
            VolumeMount {
                name: "link".to_owned(),
                mount_path: LINK_FOLDER.to_owned(),
                read_only: Some(true),
                ..VolumeMount::default()
            },
            VolumeMount { name: "state".to_owned(), mount_path: STATE_FOLDER.to_owned(), ..VolumeMount::default() },
        ]),
        ..Container::default()
    }
}

fn arguments(topology: &ValidTopology, tier: &Tier) -> Vec<String> {
    let kind = if tier.tenant.is_some() { "inner" } else { "outer" };
    let mut arguments = vec![
        "--kubernetes".to_owned(),
        format!("--namespace={}", tier.namespace),
        format!("--tier={kind}"),
        format!("--topology={}", tier.topology),
    ];
    arguments.extend(tier.tenant.as_ref().map(|tenant| format!("--tenant={tenant}")));
    arguments.extend([
        format!("--link={LINK_FOLDER}"),
        format!("--last-good={STATE_FOLDER}/last-good"),
        format!("--admin=0.0.0.0:{ADMIN_PORT}"),
    ]);
    let on_volume = tier.config.acme.is_some() && topology.volume().is_some();
    arguments.extend(on_volume.then(|| format!("--certificates={CERTIFICATES_FOLDER}")));
    arguments
}

/// Where the tier runs, for the resource of its spans (OpenTelemetry's conventions for Kubernetes). Kubernetes fills in what it has defined
/// before.
fn environment() -> Vec<EnvVar> {
    let known = [
        ("POD_NAME", "metadata.name", "k8s.pod.name"),
        ("POD_UID", "metadata.uid", "k8s.pod.uid"),
        ("POD_NAMESPACE", "metadata.namespace", "k8s.namespace.name"),
        ("NODE_NAME", "spec.nodeName", "k8s.node.name"),
    ];
    let attributes: Vec<String> = known.iter().map(|(name, _, attribute)| format!("{attribute}=$({name})")).collect();
    let all = EnvVar {
        name: "OTEL_RESOURCE_ATTRIBUTES".to_owned(),
        value: Some(format!("k8s.container.name={CONTAINER},{}", attributes.join(","))),
        value_from: None,
    };
    known.iter().map(|(name, path, _)| downward(name, path)).chain([all]).collect()
}

fn downward(name: &str, path: &str) -> EnvVar {
    use k8s_openapi::api::core::v1::{EnvVarSource, ObjectFieldSelector};
    EnvVar {
        name: name.to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector { field_path: path.to_owned(), api_version: Some("v1".to_owned()) }),
            ..EnvVarSource::default()
        }),
    }
}

fn ports(tier: &Tier, host_ports: bool) -> Vec<ContainerPort> {
    let listeners = tier.config.listeners.iter().filter(|listener| is_served(listener)).map(|listener| ContainerPort {
        name: Some(port_name(listener)),
        container_port: listener.bind_port.unwrap_or(listener.port).into(),
        host_port: host_ports.then(|| listener.port.into()),
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    });
    let admin = ContainerPort {
        name: Some("admin".to_owned()),
        container_port: ADMIN_PORT.into(),
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    };
    listeners.chain([admin]).collect()
}

fn probe(path: &str, period: i32, failures: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String("admin".to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period),
        failure_threshold: Some(failures),
        timeout_seconds: Some(2),
        ..Probe::default()
    }
}

/// Room for a small tenant. There is no limit of CPU: being throttled is worse for a proxy than using what is idle.
fn resources() -> ResourceRequirements {
    let quantities = |pairs: &[(&str, &str)]| {
        Some(
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), Quantity((*value).to_owned())))
                .collect::<BTreeMap<_, _>>(),
        )
    };
    ResourceRequirements {
        requests: quantities(&[("cpu", "50m"), ("memory", "64Mi")]),
        limits: quantities(&[("memory", "512Mi")]),
        claims: None,
    }
}

fn spread(key: &str, tier: &Tier) -> TopologySpreadConstraint {
    TopologySpreadConstraint {
        topology_key: key.to_owned(),
        max_skew: 1,
        when_unsatisfiable: "ScheduleAnyway".to_owned(),
        label_selector: Some(LabelSelector { match_labels: Some(tier.selector()), ..LabelSelector::default() }),
        ..TopologySpreadConstraint::default()
    }
}

fn link_volume() -> Volume {
    let file = |key: &str| KeyToPath { key: key.to_owned(), path: key.to_owned(), mode: None };
    Volume {
        name: "link".to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(LINK_SECRET.to_owned()),
            default_mode: Some(0o440),
            items: Some(["ca.crt", "tls.crt", "tls.key"].map(file).into()),
            optional: None,
        }),
        ..Volume::default()
    }
}

fn state_volume(topology: &ValidTopology, tier: &Tier) -> Volume {
    let claim = (tier.tenant.is_none() && topology.volume().is_some())
        .then(|| PersistentVolumeClaimVolumeSource { claim_name: volume_claim::name(&tier.name), read_only: None });
    let scratch = EmptyDirVolumeSource { size_limit: Some(Quantity("64Mi".to_owned())), medium: None };
    Volume {
        name: "state".to_owned(),
        empty_dir: claim.is_none().then_some(scratch),
        persistent_volume_claim: claim,
        ..Volume::default()
    }
}
