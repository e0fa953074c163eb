//! What is shown of one topology: the operator's own words, in an order in which a person asks for them. Pure.

use std::collections::BTreeSet;

use bailey_crds::IngressTopology;
use bailey_crds::conditions::ConditionType;
use bailey_crds::topology::{AddressStatus, CertificateStatus, TenantStatus, TierStatus};
use kube::ResourceExt as _;
use serde::Serialize;

use super::events::Told;
use crate::output::{Colour, Style, Table};

/// Characters of a digest that are shown to people.
const DIGEST: usize = 12;

/// One topology.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary {
    pub(super) name: String,
    /// Ready, and said of the object as it is now.
    pub(super) ready: bool,
    /// In a sentence.
    pub(super) verdict: String,
    pub(super) conditions: Vec<Condition>,
    pub(super) tiers_ready: String,
    pub(super) tiers: Vec<TierStatus>,
    pub(super) addresses: Vec<AddressStatus>,
    pub(super) tenants: Vec<TenantStatus>,
    pub(super) certificates: Vec<CertificateStatus>,
    pub(super) events: Vec<Told>,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub(super) type_: String,
    pub(super) status: String,
    pub(super) reason: String,
    pub(super) message: String,
    pub(super) since: String,
}

impl Summary {
    /// What is said of `topology`, of all its tiers or those of one namespace.
    pub(super) fn of(topology: &IngressTopology, events: Vec<Told>, namespace: Option<&str>) -> Self {
        let status = topology.status.clone().unwrap_or_default();
        let generation = topology.metadata.generation;
        let observed = status.observed_generation;
        let condition = |one: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition| Condition {
            type_: one.type_.clone(),
            status: one.status.clone(),
            reason: one.reason.clone(),
            message: one.message.clone(),
            since: one.last_transition_time.0.to_string(),
        };
        let conditions: Vec<Condition> = status.conditions.iter().map(condition).collect();
        let ready = conditions.iter().find(|one| one.type_ == ConditionType::Ready.as_str());
        let holds = ready.is_some_and(|one| one.status == "True");
        let verdict = match (ready, generation) {
            (None, _) => "nothing is known of it yet: is the operator running? bailey check looks".to_owned(),
            (Some(_), Some(now)) if observed != Some(now) => {
                let of = observed.map_or_else(|| "an older one".to_owned(), |then| format!("generation {then}"));
                format!("what is said is of {of}, not of generation {now}: the operator has not come to it yet")
            }
            (Some(ready), _) => format!("{}: {}", ready.reason, ready.message),
        };
        let tiers: Vec<TierStatus> =
            status.tiers.into_iter().filter(|tier| namespace.is_none_or(|only| only == tier.namespace)).collect();
        let shown: BTreeSet<&str> = tiers.iter().map(|tier| tier.name.as_str()).collect();
        let mut tenants = status.tenants;
        tenants.retain(|one| namespace.is_none() || shown.contains(one.name.as_str()));
        Self {
            name: topology.name_any(),
            ready: holds && observed == generation,
            verdict,
            conditions,
            tiers_ready: status.tiers_ready.unwrap_or_default(),
            tenants,
            tiers,
            addresses: status.addresses,
            certificates: status.certificates,
            events,
        }
    }

    /// All of it in a line.
    pub(super) fn line(&self) -> String {
        let ready = if self.ready { "ready" } else { "not ready" };
        format!("{} {ready}, tiers {}: {}", self.name, self.tiers_ready, self.verdict)
    }

    /// All of it.
    pub(super) fn text(&self, style: Style) -> String {
        let (colour, word) = if self.ready { (Colour::Green, "ready") } else { (Colour::Red, "not ready") };
        let name = style.paint(Colour::Bold, &self.name);
        let mut text = format!("{name}  {}\n  {}\n", style.paint(colour, word), self.verdict);
        let mut section = |table: &Table| {
            if !table.is_empty() {
                text.extend(["\n", &table.render(style)]);
            }
        };
        section(&self.conditions(style));
        section(&self.tiers(style));
        section(&self.addresses());
        section(&self.tenants(style));
        section(&self.certificates(style));
        section(&self.events(style));
        text
    }

    fn conditions(&self, style: Style) -> Table {
        let mut table = Table::new(["CONDITION", "STATUS", "REASON", "MESSAGE"]);
        for one in &self.conditions {
            let colour = if one.status == "True" { Colour::Green } else { Colour::Red };
            let cells = [&one.type_, &one.status, &one.reason, &one.message].map(Clone::clone);
            let [type_, status, reason, message] = cells;
            table.row([type_, style.paint(colour, status), reason, message]);
        }
        table
    }

    fn tiers(&self, style: Style) -> Table {
        let mut table = Table::new(["TIER", "NAMESPACE", "READY", "CONFIGURATION", "VERSION"]);
        for tier in &self.tiers {
            let colour = if tier.ready >= tier.desired && tier.desired > 0 { Colour::Green } else { Colour::Red };
            let digest = tier.digest.as_ref().map(|digest| digest.chars().take(DIGEST).collect()).unwrap_or_default();
            table.row([
                tier.name.clone(),
                tier.namespace.clone(),
                style.paint(colour, format!("{}/{}", tier.ready, tier.desired)),
                digest,
                tier.version.clone().unwrap_or_default(),
            ]);
        }
        table
    }

    fn addresses(&self) -> Table {
        let mut table = Table::new(["ADDRESS", "TYPE"]);
        self.addresses.iter().for_each(|one| table.row([one.value.clone(), one.type_.clone()]));
        table
    }

    fn tenants(&self, style: Style) -> Table {
        let mut table = Table::new(["TENANT", "HOSTNAMES", "LOST"]);
        for tenant in &self.tenants {
            let lost: Vec<String> =
                tenant.lost.iter().map(|lost| format!("{} (has {})", lost.hostname, lost.owner)).collect();
            table.row([tenant.name.clone(), tenant.hostnames.join(", "), style.paint(Colour::Red, lost.join(", "))]);
        }
        table
    }

    fn certificates(&self, style: Style) -> Table {
        let mut table = Table::new(["CERTIFICATE", "UNTIL", "NEXT", "ERROR"]);
        for one in &self.certificates {
            let until = one.not_after.as_ref().map(|time| time.0.to_string()).unwrap_or_default();
            let error = style.paint(Colour::Red, one.last_error.clone().unwrap_or_default());
            table.row([one.hosts.join(", "), until, one.next_step.clone().unwrap_or_default(), error]);
        }
        table
    }

    fn events(&self, style: Style) -> Table {
        let mut table = Table::new(["EVENT", "AGE", "MESSAGE"]);
        for event in &self.events {
            let colour = if event.kind == "Normal" { Colour::Dim } else { Colour::Yellow };
            table.row([style.paint(colour, &event.reason), event.age.clone(), event.message.clone()]);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn topology(generation: i64, ready: &str) -> IngressTopology {
        let value = json!({
            "apiVersion": "bailey.dev/v1alpha1", "kind": "IngressTopology", "metadata": {"name": "main", "generation": generation},
            "spec": {"outer": {"namespace": "out", "listeners": []}},
            "status": {
                "observedGeneration": 2, "tiersReady": "2/2",
                "conditions": [{"type": "Ready", "status": ready, "reason": "ProxiesNotReady", "message": "why", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
                "tiers": [
                    {"name": "outer", "namespace": "out", "ready": 1, "desired": 2, "digest": "0123456789abcdef", "version": "bailey-proxy:1"},
                    {"name": "a", "namespace": "team-a", "ready": 1, "desired": 1},
                ],
                "addresses": [{"type": "IPAddress", "value": "203.0.113.1"}],
                "tenants": [
                    {"name": "a", "hostnames": ["a.example.com"], "lost": [{"hostname": "b.example.com", "owner": "b"}]},
                    {"name": "c", "hostnames": ["c.example.com"]},
                ],
            },
        });
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn ready_is_said_of_the_newest_generation_only() {
        assert!(Summary::of(&topology(2, "True"), Vec::new(), None).ready);
        assert!(!Summary::of(&topology(2, "False"), Vec::new(), None).ready);
        let behind = Summary::of(&topology(3, "True"), Vec::new(), None);
        assert!(!behind.ready && behind.verdict.contains("not of generation 3"), "{}", behind.verdict);
        let mut new = topology(1, "True");
        new.status = None;
        assert!(Summary::of(&new, Vec::new(), None).verdict.contains("is the operator running?"));
    }

    #[test]
    fn a_glance_shows_tiers_addresses_and_hostnames_lost() {
        let text = Summary::of(&topology(2, "False"), Vec::new(), None).text(Style::PLAIN);
        for part in [
            "main  not ready",
            "outer  out        1/2    0123456789ab   bailey-proxy:1",
            "203.0.113.1",
            "b.example.com (has b)",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }

    #[test]
    fn of_one_namespace_only_its_tiers_and_tenants_are_shown() {
        let summary = Summary::of(&topology(2, "True"), Vec::new(), Some("team-a"));
        assert_eq!(summary.tiers.iter().map(|tier| tier.name.as_str()).collect::<Vec<_>>(), ["a"]);
        assert_eq!(summary.tenants.iter().map(|tenant| tenant.name.as_str()).collect::<Vec<_>>(), ["a"]);
        assert!(summary.line().starts_with("main ready, tiers 2/2"), "{}", summary.line());
    }
}
