//! What has become of the certificates that a tier orders: the difference between two statuses, as Events. Pure, so nothing is told
//! twice, whoever leads.

use std::collections::BTreeMap;

use bailey_crds::topology::CertificateStatus;
use bailey_kit::admin::served::ORDERED;

use crate::proxies::MAX_CERTIFICATES;

/// A change of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// Nothing is wrong.
    pub(super) good: bool,
    /// The word for it.
    pub(super) reason: &'static str,
    /// A sentence.
    pub(super) note: String,
}

/// Everything that has changed of ordered certificates between two statuses.
pub(super) fn turns(before: &[CertificateStatus], now: &[CertificateStatus]) -> Vec<Turn> {
    let (before_by, now_by) = (by_hosts(before), by_hosts(now));
    // A full list leaves some out, so what is in one of the two only may be in the other all the same.
    let whole = before.len() < MAX_CERTIFICATES && now.len() < MAX_CERTIFICATES;
    let mut all = Vec::new();
    for (hosts, one) in &now_by {
        match before_by.get(hosts) {
            Some(was) => all.extend(turn(Some(was), one)),
            None if whole => all.extend(turn(None, one)),
            None => {}
        }
    }
    for (hosts, one) in before_by.iter().filter(|(hosts, _)| whole && !now_by.contains_key(*hosts)) {
        if one.not_after.is_some() {
            let note = format!(
                "the certificate for {hosts} is not served any more: nobody has the name, or another certificate covers it"
            );
            all.push(Turn { good: true, reason: "CertificateRetired", note });
        }
    }
    all
}

fn turn(was: Option<&&CertificateStatus>, now: &CertificateStatus) -> Vec<Turn> {
    let hosts = now.hosts.join(", ");
    let mut all = Vec::new();
    let ended = was.and_then(|was| was.not_after.as_ref());
    if let Some(end) = now.not_after.as_ref().filter(|end| ended != Some(*end)) {
        let (reason, verb) =
            if ended.is_some() { ("CertificateRenewed", "was renewed") } else { ("CertificateIssued", "was issued") };
        let issuer = now.issuer.as_deref().unwrap_or("its authority");
        let note = format!("the certificate for {hosts} {verb} by {issuer} and is valid until {}", end.0);
        all.push(Turn { good: true, reason, note });
    }
    if let Some(error) =
        now.last_error.as_ref().filter(|error| was.and_then(|was| was.last_error.as_ref()) != Some(*error))
    {
        let next = now.next_step.as_ref().map(|next| format!("; {next}")).unwrap_or_default();
        let note = format!("no certificate for {hosts}: {error}{next}");
        all.push(Turn { good: false, reason: "CertificateFailed", note });
    }
    all
}

/// Those that are ordered, by their hosts.
fn by_hosts(all: &[CertificateStatus]) -> BTreeMap<String, &CertificateStatus> {
    let ordered = all.iter().filter(|one| one.source.as_deref().is_some_and(|source| source.starts_with(ORDERED)));
    ordered.map(|one| (one.hosts.join(", "), one)).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    fn certificate(host: &str, end: Option<i64>, error: Option<&str>) -> CertificateStatus {
        CertificateStatus {
            hosts: vec![host.to_owned()],
            source: Some(format!("{ORDERED}https://acme.example/dir")),
            issuer: end.map(|_| "R10".to_owned()),
            not_after: end.map(|end| Time(Timestamp::from_second(end).unwrap())),
            last_error: error.map(str::to_owned),
            ..CertificateStatus::default()
        }
    }

    fn told(before: &CertificateStatus, now: &CertificateStatus) -> Vec<(bool, &'static str, String)> {
        let turns = turns(std::slice::from_ref(before), std::slice::from_ref(now));
        turns.into_iter().map(|turn| (turn.good, turn.reason, turn.note)).collect()
    }

    fn reasons(before: &[CertificateStatus], now: &[CertificateStatus]) -> Vec<&'static str> {
        turns(before, now).into_iter().map(|turn| turn.reason).collect()
    }

    #[test]
    fn each_change_is_told_once_and_what_is_the_same_is_not() {
        let (none, first) = (certificate("a.example", None, None), certificate("a.example", Some(100), None));
        let failed = certificate("a.example", None, Some("caa: forbidden"));
        let wording = "the certificate for a.example was issued by R10 and is valid until 1970-01-01T00:01:40Z";
        assert_eq!(told(&none, &first), [(true, "CertificateIssued", wording.to_owned())]);
        assert_eq!(told(&first, &first), []);
        let note = "no certificate for a.example: caa: forbidden".to_owned();
        assert_eq!(told(&none, &failed), [(false, "CertificateFailed", note)]);
        assert_eq!(told(&failed, &failed), []);
        assert_eq!(told(&first, &certificate("a.example", Some(200), None))[0].1, "CertificateRenewed");
        let nothing: &[CertificateStatus] = &[];
        assert_eq!(reasons(nothing, &[none]), nothing_told());
        assert_eq!(reasons(nothing, std::slice::from_ref(&first)), ["CertificateIssued"]);
        assert_eq!(reasons(&[first], nothing), ["CertificateRetired"]);
        assert_eq!(reasons(&[failed], nothing), nothing_told(), "there was none");
    }

    fn nothing_told() -> Vec<&'static str> {
        Vec::new()
    }

    #[test]
    fn certificates_from_secrets_and_those_that_a_full_status_leaves_out_are_not_told() {
        let given =
            CertificateStatus { source: Some("Secret out/a".to_owned()), ..certificate("a.example", Some(1), None) };
        assert_eq!(reasons(&[], &[given]), nothing_told());
        let full: Vec<_> =
            (0..MAX_CERTIFICATES).map(|n| certificate(&format!("{n}.example"), Some(100), None)).collect();
        assert_eq!(reasons(&full, &full[1..]), nothing_told());
        assert_eq!(reasons(&full[1..], &full), nothing_told());
    }
}
