//! What the proxies of a topology say of themselves, put together. Pure: the answers are [`crate::poll`]'s business.
//!
//! Decides when a tier counts as serving one configuration (every proxy says the same), what is said while they differ,
//! which permissions the proxies lack, and which certificates clients are shown.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use bailey_crds::Hostname;
use bailey_crds::topology::{CertificateStatus, RenewalWindow};
use bailey_kit::admin::served::{CertificateSeen, Served};
use bailey_kit::kube::Denied;
use jiff::Timestamp;

use crate::labels;

/// Certificates, hosts and characters that a status has room for.
pub const MAX_CERTIFICATES: usize = 256;
const MAX_HOSTS: usize = 100;
const MAX_STEP: usize = 256;
const MAX_ISSUER: usize = 256;
const MAX_ERROR: usize = 1024;

/// What a proxy says when it is asked: what it serves, or why it did not answer.
pub type Answer = Result<Arc<Served>, String>;

/// One proxy of a tier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// The topology.
    pub topology: String,
    /// The tenant of an inner tier's.
    pub tenant: Option<String>,
    /// Where it is reached; absent until it has an address.
    pub address: Option<IpAddr>,
    /// What it said last. Absent: it has not been asked yet.
    pub told: Option<Answer>,
}

impl Proxy {
    /// The proxy that a Pod with these labels is; `None`: it is none of ours.
    pub fn of(labels: &BTreeMap<String, String>, address: Option<IpAddr>) -> Option<Self> {
        let topology = labels.get(labels::TOPOLOGY)?.clone();
        let tenant = labels.get(labels::TENANT).cloned();
        labels.contains_key(labels::TIER).then_some(Self { topology, tenant, address, told: None })
    }

    /// Whether a status says something else of it now. Counts and times alone are no news.
    pub fn differs(&self, now: &Answer) -> bool {
        let said = |served: &Served| {
            let Served { digest, stale, denied, certificates, orders_trouble, version, ready, .. } = served.clone();
            (digest, stale, denied, certificates, orders_trouble, version, ready)
        };
        match (&self.told, now) {
            (Some(Ok(before)), Ok(now)) => said(before) != said(now),
            (Some(Err(before)), Err(now)) => before != now,
            (_, _) => true,
        }
    }
}

/// What a tier's proxies serve.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TierServed {
    /// The configuration, if all serve the same.
    pub digest: Option<String>,
    /// What else there is to say: who differs, who is behind, who does not answer.
    pub serving: Option<String>,
}

/// What the proxies of a topology say.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    by_tier: BTreeMap<Option<String>, Vec<Option<Answer>>>,
}

impl Proxies {
    /// Those of one topology.
    pub fn of<'a>(topology: &str, all: impl Iterator<Item = &'a Proxy>) -> Self {
        let mut by_tier: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for proxy in all.filter(|proxy| proxy.topology == topology && proxy.address.is_some()) {
            by_tier.entry(proxy.tenant.clone()).or_default().push(proxy.told.clone());
        }
        Self { by_tier }
    }

    fn tier(&self, tenant: Option<&str>) -> &[Option<Answer>] {
        self.by_tier.get(&tenant.map(str::to_owned)).map(Vec::as_slice).unwrap_or_default()
    }

    fn answers(&self, tenant: Option<&str>) -> impl Iterator<Item = &Served> {
        self.tier(tenant).iter().flatten().filter_map(|told| told.as_ref().ok().map(Arc::as_ref))
    }

    /// What the tier of that tenant, or the outer one, serves.
    pub fn serving(&self, tenant: Option<&str>) -> TierServed {
        let all = self.tier(tenant);
        let total = all.len();
        let mut digests: BTreeMap<&str, usize> = BTreeMap::new();
        let (mut stale, mut empty) = (0, 0);
        for served in self.answers(tenant) {
            stale += usize::from(served.stale);
            match served.digest.as_deref() {
                Some(digest) => *digests.entry(digest).or_default() += 1,
                None => empty += 1,
            }
        }
        let silent = all.iter().flatten().filter(|told| told.is_err()).count();
        let mut words = Vec::new();
        if digests.len() > 1 {
            let mut each: Vec<_> = digests.iter().collect();
            each.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
            words.extend(each.iter().map(|(digest, count)| format!("{count} of {total} serve {}", short(digest))));
        }
        let mut also = |count: usize, what: &str| {
            if count > 0 {
                words.push(format!("{count} of {total} {what}"));
            }
        };
        also(stale, "serve what they kept from before, since they cannot read the cluster");
        also(empty, "serve nothing yet");
        also(silent, "do not answer on their admin port");
        let asked = all.iter().filter(|told| told.is_some()).count();
        let agree = digests.len() == 1 && digests.values().sum::<usize>() == asked && asked == total;
        TierServed {
            digest: digests.keys().next().filter(|_| agree).map(|digest| (*digest).to_owned()),
            serving: (!words.is_empty()).then(|| words.join("; ")),
        }
    }

    /// Permissions that proxies of any tier lack.
    pub fn denied(&self) -> BTreeSet<Denied> {
        let tiers = self.by_tier.keys();
        tiers.flat_map(|tenant| self.answers(tenant.as_deref())).flat_map(|served| served.denied.clone()).collect()
    }

    /// Those of the outer tier that have said what they show to clients. One that is not ready may not have read its certificates
    /// yet, and shows none to anybody.
    fn outer_answers(&self) -> impl Iterator<Item = &Served> {
        self.answers(None).filter(|served| served.ready)
    }

    /// Whether a proxy of the outer tier has said what it shows to clients.
    pub fn outer_is_known(&self) -> bool {
        self.outer_answers().next().is_some()
    }

    /// What keeps the outer tier from ordering certificates, if something does.
    pub fn orders_trouble(&self) -> Option<&str> {
        self.answers(None).find_map(|served| served.orders_trouble.as_deref())
    }

    /// The certificates that the outer tier shows, those that end first before the others. Where replicas differ, the one
    /// that ends first counts; one of them orders, and what that says of the next step and the last error stands for all.
    pub fn certificates(&self) -> Vec<CertificateSeen> {
        let mut found: BTreeMap<(Vec<String>, String), CertificateSeen> = BTreeMap::new();
        for seen in self.outer_answers().flat_map(|served| &served.certificates) {
            let kept = found.entry((seen.names.clone(), seen.source.clone())).or_insert_with(|| seen.clone());
            let (next_step, last_error) = (
                kept.next_step.clone().or_else(|| seen.next_step.clone()),
                kept.last_error.clone().or_else(|| seen.last_error.clone()),
            );
            if kept.not_after > seen.not_after {
                *kept = seen.clone();
            }
            (kept.next_step, kept.last_error) = (next_step, last_error);
        }
        let mut all: Vec<CertificateSeen> = found.into_values().collect();
        all.sort_by(|a, b| (&a.not_after, &a.names, &a.source).cmp(&(&b.not_after, &b.names, &b.source)));
        all
    }
}

/// Hostnames that no certificate covers which holds at `now`.
pub fn uncovered<'a>(
    hostnames: impl Iterator<Item = &'a Hostname>,
    certificates: &[CertificateSeen],
    now: Timestamp,
) -> Vec<&'a Hostname> {
    let valid: Vec<&CertificateSeen> =
        certificates.iter().filter(|one| one.not_after.as_ref().is_some_and(|end| end.0 > now)).collect();
    hostnames.filter(|host| !valid.iter().any(|one| one.names.iter().any(|name| covers(name, host.as_str())))).collect()
}

/// Whether a certificate for `name` is one for `host`. A wildcard stands for exactly one label (RFC 9525 6.3), so a
/// hostname with a wildcard needs the same in the certificate.
pub fn covers(name: &str, host: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == host
        || match (name.strip_prefix("*."), host.split_once('.')) {
            (Some(parent), Some((label, rest))) => label != "*" && parent == rest,
            (_, _) => false,
        }
}

/// As a topology's status has them.
pub fn certificate_status(certificates: &[CertificateSeen]) -> Vec<CertificateStatus> {
    let status = |seen: &CertificateSeen| CertificateStatus {
        hosts: seen.names.iter().take(MAX_HOSTS).cloned().collect(),
        source: Some(seen.source.clone()).filter(|source| !source.is_empty()),
        issuer: Some(cut(&seen.issuer, MAX_ISSUER)).filter(|issuer| !issuer.is_empty()),
        not_after: seen.not_after.clone(),
        renewal_window: seen
            .renewal_window
            .as_ref()
            .map(|window| RenewalWindow { start: window.start.clone(), end: window.end.clone() }),
        next_step: seen.next_step.as_deref().map(|text| cut(text, MAX_STEP)),
        last_error: seen.last_error.as_deref().map(|text| cut(text, MAX_ERROR)),
    };
    certificates.iter().take(MAX_CERTIFICATES).map(status).collect()
}

fn cut(text: &str, longest: usize) -> String {
    text.chars().take(longest).collect()
}

/// The start of a digest, which is enough to tell two apart.
fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    fn proxy(tenant: Option<&str>, told: Option<Result<Served, String>>) -> Proxy {
        Proxy {
            topology: "main".to_owned(),
            tenant: tenant.map(str::to_owned),
            address: Some(IpAddr::from([10, 0, 0, 1])),
            told: told.map(|told| told.map(Arc::new)),
        }
    }

    fn serving(digest: &str) -> Served {
        Served { digest: Some(digest.to_owned()), ..Served::default() }
    }

    fn of(proxies: &[Proxy]) -> TierServed {
        Proxies::of("main", proxies.iter()).serving(None)
    }

    #[test]
    fn a_tier_serves_a_configuration_when_every_proxy_says_so() {
        let told = of(&[proxy(None, Some(Ok(serving("aa")))), proxy(None, Some(Ok(serving("aa"))))]);
        assert_eq!(told, TierServed { digest: Some("aa".to_owned()), serving: None });
        let told = of(&[proxy(None, Some(Ok(serving("aa")))), proxy(None, None)]);
        assert_eq!(told, TierServed::default(), "one has not been asked yet");
        let told = of(&[proxy(Some("a"), Some(Ok(serving("aa"))))]);
        assert_eq!(told, TierServed::default(), "it is of another tier");
    }

    #[test]
    fn who_differs_who_is_behind_and_who_is_silent_is_counted() {
        let stale = Served { digest: Some("bb".to_owned()), stale: true, ..Served::default() };
        let told = of(&[
            proxy(None, Some(Ok(serving("aa")))),
            proxy(None, Some(Ok(serving("aa")))),
            proxy(None, Some(Ok(stale))),
            proxy(None, Some(Ok(Served::default()))),
            proxy(None, Some(Err("refused".to_owned()))),
        ]);
        assert_eq!(told.digest, None);
        assert_eq!(
            told.serving.unwrap(),
            "2 of 5 serve aa; 1 of 5 serve bb; 1 of 5 serve what they kept from before, since they cannot read the cluster; \
             1 of 5 serve nothing yet; 1 of 5 do not answer on their admin port"
        );
    }

    #[test]
    fn what_any_proxy_lacks_is_lacking() {
        let denied = Denied {
            verb: "list".to_owned(),
            resource: "services".to_owned(),
            namespace: "a".to_owned(),
            subject: "u".to_owned(),
        };
        let told = Served { denied: vec![denied.clone()], ..Served::default() };
        let all = [proxy(Some("a"), Some(Ok(told))), proxy(None, Some(Ok(serving("aa"))))];
        assert_eq!(Proxies::of("main", all.iter()).denied(), BTreeSet::from([denied]));
        assert!(Proxies::of("other", all.iter()).denied().is_empty());
    }

    #[test]
    fn a_hostname_is_covered_by_its_name_or_the_wildcard_one_label_above() {
        let seen = |names: &[&str], end: i64| CertificateSeen {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            not_after: Some(Time(Timestamp::from_second(end).unwrap())),
            ..CertificateSeen::default()
        };
        let hosts: Vec<Hostname> = [
            "a.example.com",
            "x.a.example.com",
            "*.example.com",
            "b.example.org",
            "*.b.example.org",
            "old.example.net",
        ]
        .map(|host| host.parse().unwrap())
        .into();
        let certificates =
            [seen(&["*.Example.com"], 100), seen(&["b.example.org"], 100), seen(&["old.example.net"], 5)];
        let missing = uncovered(hosts.iter(), &certificates, Timestamp::from_second(10).unwrap());
        let missing: Vec<&str> = missing.into_iter().map(Hostname::as_str).collect();
        assert_eq!(missing, ["x.a.example.com", "*.b.example.org", "old.example.net"]);
    }

    #[test]
    fn of_two_replicas_the_certificate_that_ends_first_counts_and_the_first_end_comes_first() {
        let seen = |name: &str, end: i64| CertificateSeen {
            names: vec![name.to_owned()],
            not_after: Some(Time(Timestamp::from_second(end).unwrap())),
            ..CertificateSeen::default()
        };
        let told = |certificates, ready| Some(Ok(Served { certificates, ready, ..Served::default() }));
        let all = [
            proxy(None, told(vec![seen("b", 50), seen("a", 90)], true)),
            proxy(None, told(vec![seen("a", 40)], true)),
            proxy(None, told(vec![seen("a", 10)], false)),
        ];
        let certificates = Proxies::of("main", all.iter()).certificates();
        assert_eq!(certificates, [seen("a", 40), seen("b", 50)], "one that is not ready shows nothing to anybody");
    }

    #[test]
    fn what_the_replica_says_that_orders_stands_for_all() {
        let follower = CertificateSeen { names: vec!["a".to_owned()], ..CertificateSeen::default() };
        let leader = CertificateSeen { last_error: Some("refused".to_owned()), ..follower.clone() };
        let served = |one: &CertificateSeen, trouble: Option<&str>| {
            let certificates = vec![one.clone()];
            let orders_trouble = trouble.map(str::to_owned);
            Some(Ok(Served { certificates, ready: true, orders_trouble, ..Served::default() }))
        };
        for order in [[&follower, &leader], [&leader, &follower]] {
            let all = order.map(|one| proxy(None, served(one, None)));
            assert_eq!(Proxies::of("main", all.iter()).certificates(), std::slice::from_ref(&leader));
        }
        let all = [proxy(None, served(&follower, None)), proxy(None, served(&follower, Some("no volume")))];
        assert_eq!(Proxies::of("main", all.iter()).orders_trouble(), Some("no volume"));
    }
}
