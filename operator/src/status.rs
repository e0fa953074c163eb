//! The status of a topology. Pure: what is known gives what is reported, and the same knowledge gives the same bytes.

use bailey_crds::conditions::{ConditionType, Reason};
use bailey_crds::topology::{AddressStatus, LostHostname, Protocol, ServiceType, TenantStatus, TopologyStatus};
use bailey_kit::admin::served::CertificateSeen;
use bailey_translate::Severity;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::api::DynamicObject;
use serde_json::Value;

use crate::ledger::Decision;
use crate::problem::Problem;
use crate::proxies::{self, Proxies};
use crate::validate::{Reached, ValidTopology};
use crate::workload::Workload;

/// The longest message of a condition.
const LONGEST_MESSAGE: usize = 2000;

/// What a valid topology has come to.
#[derive(Debug)]
pub struct Known<'a> {
    /// The topology.
    pub topology: &'a ValidTopology,
    /// Its hostnames.
    pub hostnames: &'a Decision,
    /// What stands against it being made.
    pub problems: &'a [Problem],
    /// Every object is in the cluster as it was rendered.
    pub applied: bool,
    /// The proxies of each tier, in the order of the tiers.
    pub workloads: &'a [Option<Workload>],
    /// The first Service of the outer tier.
    pub service: Option<&'a DynamicObject>,
    /// When the first certificate of the link ends, if every tier has one.
    pub link_until: Option<Timestamp>,
    /// What the proxies say of themselves.
    pub proxies: &'a Proxies,
}

/// Hostnames that a message names.
const NAMED: usize = 5;

/// The status of a topology that was refused as a whole.
pub fn refused(previous: &TopologyStatus, generation: i64, refusals: &[String], now: Timestamp) -> TopologyStatus {
    let message = refusals.join("; ");
    let mut status = TopologyStatus { observed_generation: Some(generation), ..previous.clone() };
    let mut set = Conditions::new(previous, generation, now);
    set.put(ConditionType::Accepted, Err((Reason::Invalid, message.clone())));
    for type_ in [ConditionType::Programmed, ConditionType::CertificatesReady, ConditionType::Ready] {
        set.put(
            type_,
            Err((Reason::Invalid, "the topology was not accepted; what was made before goes on".to_owned())),
        );
    }
    status.conditions = set.made;
    status
}

/// The status of a topology while the operator cannot see enough of the cluster to act: what it was, but for these.
pub fn blocked(previous: &TopologyStatus, generation: i64, problems: &[Problem], now: Timestamp) -> TopologyStatus {
    let mut set = Conditions::new(previous, generation, now);
    let first = problems.first().map_or(Reason::Pending, |problem| problem.reason);
    let message = joined(problems.iter().map(ToString::to_string));
    for type_ in [ConditionType::Programmed, ConditionType::Ready] {
        set.put(type_, Err((first, message.clone())));
    }
    let mut status = previous.clone();
    status.conditions.retain(|before| set.made.iter().all(|made| made.type_ != before.type_));
    status.conditions.append(&mut set.made);
    status
}

/// The status of a topology that was acted on.
pub fn status(previous: &TopologyStatus, known: &Known<'_>, now: Timestamp) -> TopologyStatus {
    let topology = known.topology;
    let tiers: Vec<_> = topology
        .tiers()
        .zip(known.workloads)
        .map(|(tier, workload)| {
            let served = known.proxies.serving(tier.tenant.as_deref());
            workload.clone().unwrap_or_default().status(tier, served)
        })
        .collect();
    let ready = known.workloads.iter().flatten().filter(|workload| workload.is_ready()).count();
    let addresses = addresses(known);
    let seen = known.proxies.certificates();
    // While no proxy can say so, what was said before is the best there is.
    let (shown, next_expiry) = if known.proxies.outer_is_known() {
        (proxies::certificate_status(&seen), seen.iter().find_map(|one| one.not_after.clone()))
    } else {
        (previous.certificates.clone(), previous.next_expiry.clone())
    };
    let mut set = Conditions::new(previous, topology.generation, now);
    let accepted = set.put(ConditionType::Accepted, Ok(accepted(known)));
    let programmed = set.put(ConditionType::Programmed, programmed(known));
    let certificates = set.put(ConditionType::CertificatesReady, certificates(known, &seen, now));
    let verdict = if accepted && programmed && certificates {
        ready_verdict(known, &addresses)
    } else {
        let worst = set.made.iter().find(|condition| condition.status != "True");
        Err(worst
            .map_or((Reason::Pending, String::new()), |worst| (reason_named(&worst.reason), worst.message.clone())))
    };
    set.put(ConditionType::Ready, verdict);
    TopologyStatus {
        conditions: set.made,
        observed_generation: Some(topology.generation),
        tiers_ready: Some(format!("{ready}/{}", tiers.len())),
        hostnames: Some(known.hostnames.granted.values().map(Vec::len).sum::<usize>() as u32),
        next_expiry,
        tiers,
        addresses,
        certificates: shown,
        tenants: tenants(known),
    }
}

type Verdict = Result<(Reason, String), (Reason, String)>;

fn accepted(known: &Known<'_>) -> (Reason, String) {
    let lost = known.hostnames.lost.iter().map(|lost| (Reason::HostnameOwned, lost.to_string()));
    let wrong = known.topology.diagnostics.iter().filter(|diagnostic| diagnostic.severity() == Severity::Error);
    let wrong = wrong.map(|diagnostic| (Reason::Invalid, format!("{}: {}", diagnostic.field, diagnostic.message)));
    let all: Vec<(Reason, String)> = lost.chain(wrong).collect();
    // The topology is acted on all the same, so it is accepted; what it does not get is said.
    match all.first() {
        None => (Reason::Accepted, "the topology is acted on".to_owned()),
        Some((reason, _)) => (*reason, joined(all.iter().map(|(_, message)| message.clone()))),
    }
}

fn programmed(known: &Known<'_>) -> Verdict {
    match known.problems.first() {
        Some(first) => Err((first.reason, joined(known.problems.iter().map(ToString::to_string)))),
        None if known.applied => Ok((Reason::Programmed, "every object is in the cluster as it should be".to_owned())),
        None => Err((Reason::Progressing, "objects are being written".to_owned())),
    }
}

/// Whether the tiers have what they need to trust each other, and clients what they need to trust the outer one.
fn certificates(known: &Known<'_>, seen: &[CertificateSeen], now: Timestamp) -> Verdict {
    let Some(until) = known.link_until else {
        let message = "a tier has no certificate for the link yet";
        return Err((Reason::CertificatesPending, message.to_owned()));
    };
    if let Some(ended) = seen.iter().find(|one| one.not_after.as_ref().is_some_and(|end| end.0 <= now)) {
        let message = format!("the certificate for {} ({}) has ended; renew it", listed(&ended.names), ended.source);
        return Err((Reason::CertificatesFailed, message));
    }
    // Whole days, so that the message changes with the certificate and not with the clock.
    let link = format!(
        "the tiers have certificates for the link between them, the first until {}",
        until.strftime("%Y-%m-%d")
    );
    let outer = &known.topology.object.spec.outer;
    if !outer.listeners.iter().any(|listener| listener.protocol == Protocol::Https) {
        return Ok((Reason::Ready, link));
    }
    if !known.proxies.outer_is_known() {
        let message = "no proxy of the outer tier has said yet which certificates it shows";
        return if outer.acme.is_some() {
            Err((Reason::CertificatesPending, message.to_owned()))
        } else {
            Ok((
                Reason::Ready,
                format!("{link}; each outer proxy is ready only with all of spec.outer.certificates.secrets"),
            ))
        };
    }
    let trouble = known.proxies.orders_trouble().filter(|_| outer.acme.is_some());
    let missing = proxies::uncovered(known.hostnames.granted.values().flatten(), seen, now);
    if missing.is_empty() {
        let message = match trouble {
            None => format!("{link}; every hostname has a certificate"),
            Some(trouble) => {
                format!("{link}; every hostname has a certificate, but none can be ordered or renewed: {trouble}")
            }
        };
        return Ok((Reason::Ready, message));
    }
    let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
    if outer.acme.is_none() {
        let message = format!(
            "{link}; no certificate of spec.outer.certificates.secrets is for {}, so clients cannot reach that by https",
            listed(&names)
        );
        return Ok((Reason::Ready, message));
    }
    let about = |text: fn(&CertificateSeen) -> Option<&String>| {
        seen.iter().filter(|one| one.names.iter().any(|name| names.contains(name))).find_map(text)
    };
    let (reason, why) = match (trouble, about(|one| one.last_error.as_ref()), about(|one| one.next_step.as_ref())) {
        (Some(trouble), _, _) => (Reason::CertificatesFailed, format!(": {trouble}")),
        (None, Some(error), _) => (Reason::CertificatesFailed, format!(": {error}")),
        (None, None, Some(step)) => (Reason::CertificatesPending, format!(": {step}")),
        (None, None, None) => (Reason::CertificatesPending, "; the proxies have not begun to order it yet".to_owned()),
    };
    Err((reason, format!("there is no certificate yet for {}{why}", listed(&names))))
}

/// The first few names, and how many more there are.
fn listed(names: &[String]) -> String {
    let first = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

fn ready_verdict(known: &Known<'_>, addresses: &[AddressStatus]) -> Verdict {
    for (tier, workload) in known.topology.tiers().zip(known.workloads) {
        let (title, name) = (tier.title(), format!("{}/{}", tier.namespace, tier.name));
        match workload {
            Some(workload) if workload.is_ready() => {}
            None => return Err((Reason::ProxiesNotReady, format!("tier {title} ({name}) has no proxies yet"))),
            Some(Workload { desired: 0, .. }) => {
                return Err((
                    Reason::ProxiesNotReady,
                    format!("tier {title} ({name}) has no replicas: nothing serves it"),
                ));
            }
            Some(Workload { ready, desired, stuck, .. }) => {
                let why = stuck.as_ref().map_or_else(String::new, |why| format!(": {why}"));
                let message = format!("tier {title} ({name}): {ready} of {desired} proxies are ready{why}");
                return Err((Reason::ProxiesNotReady, message));
            }
        }
    }
    if let Reached::Service(exposure) = known.topology.reached()
        && exposure.type_ == ServiceType::LoadBalancer
        && addresses.is_empty()
    {
        let outer = &known.topology.outer;
        let message = format!(
            "Service {}/{} has no address from a load balancer; without one in this cluster, choose \
             spec.outer.exposure.hostPorts or another type of Service",
            outer.namespace, outer.name
        );
        return Err((Reason::AddressNotUsable, message));
    }
    let lossy = match known.topology.reached() {
        Reached::Service(exposure) => {
            exposure.external_traffic_policy == bailey_crds::topology::ExternalTrafficPolicy::Cluster
                && exposure.type_ != ServiceType::ClusterIP
                && known.topology.object.spec.outer.client_address.is_none()
        }
        Reached::HostPorts(_) => false,
    };
    let message = if lossy {
        "every tier serves; externalTrafficPolicy Cluster replaces the client's address by a node's, so applications \
         see that: use Local, or say in spec.outer.clientAddress who stands in front"
    } else {
        "every tier serves"
    };
    Ok((Reason::Ready, message.to_owned()))
}

fn addresses(known: &Known<'_>) -> Vec<AddressStatus> {
    let Some(service) = known.service else { return Vec::new() };
    let of = |type_: &str, value: &Value| {
        let value = value.as_str().filter(|value| !value.is_empty() && *value != "None")?.to_owned();
        Some(AddressStatus { type_: type_.to_owned(), value })
    };
    if service.data.pointer("/spec/type") == Some(&Value::from("ClusterIP")) {
        return service.data.pointer("/spec/clusterIP").and_then(|ip| of("IPAddress", ip)).into_iter().collect();
    }
    let ingress = service.data.pointer("/status/loadBalancer/ingress").and_then(Value::as_array);
    ingress
        .into_iter()
        .flatten()
        .filter_map(|one| of("IPAddress", &one["ip"]).or_else(|| of("Hostname", &one["hostname"])))
        .collect()
}

fn tenants(known: &Known<'_>) -> Vec<TenantStatus> {
    let status = |tenant: &bailey_crds::topology::Tenant| TenantStatus {
        name: tenant.name.clone(),
        hostnames: tenant.hostnames.iter().map(ToString::to_string).collect(),
        lost: known
            .hostnames
            .lost
            .iter()
            .filter(|lost| lost.tenant == tenant.name)
            .map(|lost| LostHostname { hostname: lost.hostname.to_string(), owner: lost.owner.clone() })
            .collect(),
    };
    known.topology.object.spec.tenants.iter().map(status).collect()
}

fn joined(messages: impl Iterator<Item = String>) -> String {
    let mut text = messages.collect::<Vec<_>>().join("; ");
    if text.len() > LONGEST_MESSAGE {
        let end = (0..=LONGEST_MESSAGE).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        text.truncate(end);
        text.push('…');
    }
    text
}

fn reason_named(word: &str) -> Reason {
    Reason::ALL.iter().copied().find(|reason| reason.as_str() == word).unwrap_or(Reason::Pending)
}

/// Conditions as KEP-1623 has them: the time of the last transition changes with the status only.
struct Conditions<'a> {
    previous: &'a TopologyStatus,
    generation: i64,
    now: Timestamp,
    made: Vec<Condition>,
}

impl<'a> Conditions<'a> {
    fn new(previous: &'a TopologyStatus, generation: i64, now: Timestamp) -> Self {
        Self { previous, generation, now, made: Vec::new() }
    }

    /// Adds one, and returns whether it is true.
    fn put(&mut self, type_: ConditionType, verdict: Verdict) -> bool {
        let holds = verdict.is_ok();
        let (reason, message) = match verdict {
            Ok(words) | Err(words) => words,
        };
        let status = if holds { "True" } else { "False" };
        let before = self.previous.conditions.iter().find(|one| one.type_ == type_.as_str() && one.status == status);
        // The API has whole seconds.
        let now = Timestamp::from_second(self.now.as_second()).unwrap_or(self.now);
        self.made.push(Condition {
            type_: type_.as_str().to_owned(),
            status: status.to_owned(),
            reason: reason.as_str().to_owned(),
            message,
            observed_generation: Some(self.generation),
            last_transition_time: before.map_or(Time(now), |before| before.last_transition_time.clone()),
        });
        holds
    }
}

#[cfg(test)]
mod tests;
