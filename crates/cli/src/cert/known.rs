//! What is known of certificates, in one form wherever it is from; which one is a hostname's, and whether it is in order. Pure.

use bailey_crds::topology::{CertificateStatus, RenewalWindow};
use bailey_kit::admin::served::CertificateSeen;
use bailey_operator::proxies::covers;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Serialize;

use crate::nearest;
use crate::output::{Colour, Exit, Report, Style, Table};

/// One certificate, or the lack of one.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Certificate {
    /// The topology; empty for one of this machine.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) topology: String,
    pub(super) hosts: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tenant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) issuer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) serial: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) not_before: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) not_after: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) renewal_window: Option<RenewalWindow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_step: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_error: Option<String>,
}

/// Those of some topologies.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Certificates {
    pub(super) certificates: Vec<Certificate>,
    /// What keeps tiers from ordering any, and what could not be read, in sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<String>,
}

/// Nobody knows a certificate for the hostname.
#[derive(Debug, thiserror::Error)]
#[error("no outer tier has or waits for a certificate for {host}{hint}; `bailey cert list` lists those there are")]
pub struct NotKnown {
    host: String,
    hint: String,
}

impl Certificate {
    /// As the operator says it.
    pub(super) fn of_status(topology: &str, status: CertificateStatus) -> Self {
        let CertificateStatus { hosts, source, issuer, not_after, renewal_window, next_step, last_error } = status;
        let topology = topology.to_owned();
        Self { topology, hosts, source, issuer, not_after, renewal_window, next_step, last_error, ..Self::default() }
    }

    /// As a proxy says it.
    pub(super) fn of_served(topology: &str, seen: CertificateSeen) -> Self {
        Self {
            topology: topology.to_owned(),
            hosts: seen.names,
            tenant: seen.tenant,
            source: Some(seen.source).filter(|source| !source.is_empty()),
            issuer: Some(seen.issuer).filter(|issuer| !issuer.is_empty()),
            serial: seen.serial,
            not_before: seen.not_before,
            not_after: seen.not_after,
            renewal_window: seen.renewal_window.map(|window| RenewalWindow { start: window.start, end: window.end }),
            next_step: seen.next_step,
            last_error: seen.last_error,
        }
    }

    /// Whether clients take it at `now`.
    pub(super) fn holds(&self, now: Timestamp) -> bool {
        self.not_after.as_ref().is_some_and(|end| end.0 > now)
    }

    /// Whether it is the one for `host`, by its own name or by a wildcard.
    fn is_for(&self, host: &str) -> bool {
        self.hosts.iter().any(|name| covers(name, host))
    }
}

impl Certificates {
    /// That of a hostname: one with the name itself before one with a wildcard, one that holds before others.
    pub(super) fn find(&self, host: &str) -> Result<&Certificate, NotKnown> {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let now = Timestamp::now();
        let fitting = self.certificates.iter().filter(|one| one.is_for(&host));
        fitting.min_by_key(|one| (!one.hosts.contains(&host), !one.holds(now))).ok_or_else(|| {
            let names = self.certificates.iter().flat_map(|one| &one.hosts).map(String::as_str);
            NotKnown { hint: nearest::hint(&host, names), host }
        })
    }

    /// A no while one is missing or has ended.
    pub(super) fn exit(&self) -> Exit {
        let now = Timestamp::now();
        if self.certificates.iter().all(|one| one.holds(now)) { Exit::Fine } else { Exit::Negative }
    }
}

impl Report for Certificates {
    fn text(&self, style: Style) -> String {
        let now = Timestamp::now();
        let mut table = Table::new(["HOSTS", "UNTIL", "SOURCE", "NEXT", "ERROR"]);
        for one in &self.certificates {
            let until = match &one.not_after {
                None => style.paint(Colour::Yellow, "none yet"),
                Some(end) if end.0 <= now => style.paint(Colour::Red, format!("{} (ended)", end.0)),
                Some(end) => end.0.to_string(),
            };
            let error = style.paint(Colour::Red, one.last_error.clone().unwrap_or_default());
            let (source, next) = (one.source.clone().unwrap_or_default(), one.next_step.clone().unwrap_or_default());
            table.row([one.hosts.join(", "), until, source, next, error]);
        }
        let mut text = if table.is_empty() { "no certificates\n".to_owned() } else { table.render(style) };
        self.notes.iter().for_each(|note| text.extend(["note: ", note, "\n"]));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(host: &str, until: Option<&str>) -> Certificate {
        let not_after = until.map(|until| Time(until.parse().unwrap()));
        Certificate { hosts: vec![host.to_owned()], not_after, ..Certificate::default() }
    }

    fn known() -> Certificates {
        let certificates = vec![
            certificate("*.example.com", Some("2999-01-01T00:00:00Z")),
            certificate("shop.example.com", Some("2999-02-01T00:00:00Z")),
            certificate("blog.example.com", None),
        ];
        Certificates { certificates, notes: Vec::new() }
    }

    #[test]
    fn a_hostname_has_the_certificate_of_its_name_or_that_of_the_wildcard() {
        let known = known();
        let found = |host: &str| known.find(host).unwrap().hosts[0].clone();
        assert_eq!(found("Shop.example.com."), "shop.example.com");
        assert_eq!(found("other.example.com"), "*.example.com");
        let error = known.find("shop.example.org").unwrap_err().to_string();
        assert!(error.contains("did you mean shop.example.com?"), "{error}");
    }

    #[test]
    fn one_that_is_missing_or_has_ended_is_a_no() {
        let mut known = known();
        assert_eq!(known.exit(), Exit::Negative);
        known.certificates.pop();
        assert_eq!(known.exit(), Exit::Fine);
        known.certificates.push(certificate("old.example.com", Some("2001-01-01T00:00:00Z")));
        assert_eq!(known.exit(), Exit::Negative);
        let text = known.text(Style::PLAIN);
        assert!(text.contains("2001-01-01T00:00:00Z (ended)"), "{text}");
    }
}
