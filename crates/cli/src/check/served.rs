//! What proxies really serve, against what the cluster's objects come to for their tier. Pure: the answers are asked for elsewhere.

use std::collections::BTreeMap;

use bailey_kit::admin::served::Served;
use bailey_translate::{Code, Diagnostic};

use super::finding::found;

/// What one proxy told, or why it did not.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) namespace: String,
    pub(super) pod: String,
    /// The tier, as it is called in messages.
    pub(super) tier: String,
    pub(super) answer: Result<Served, String>,
}

/// What is wrong with what proxies serve. `should` has the digest of each tier of which everything could be read.
pub(super) fn findings(told: &[Told], should: &BTreeMap<String, String>) -> Vec<Diagnostic> {
    told.iter().flat_map(|one| of(one, should.get(&one.tier))).collect()
}

fn of(told: &Told, should: Option<&String>) -> Vec<Diagnostic> {
    let object = ("Pod", told.namespace.as_str(), told.pod.as_str());
    let served = match &told.answer {
        Ok(served) => served,
        Err(why) => return vec![found(Code::PodUnreachable, object, "", why.clone())],
    };
    let mut all: Vec<Diagnostic> =
        served.denied.iter().map(|denied| found(Code::PermissionMissing, object, "", denied.to_string())).collect();
    if served.stale {
        let message = format!("it serves configuration {} from its disk", short(served.digest.as_ref()));
        all.push(found(Code::ServesStale, object, "", message));
    }
    match should {
        Some(should) if served.digest.as_ref() != Some(should) => {
            let mut message = format!(
                "it serves configuration {}, the cluster's objects come to {} for tier {}",
                short(served.digest.as_ref()),
                short(Some(should)),
                told.tier
            );
            if served.version != env!("CARGO_PKG_VERSION") {
                message = format!("{message}; it is version {}, this is {}", served.version, env!("CARGO_PKG_VERSION"));
            }
            all.push(found(Code::ServesOther, object, "", message));
        }
        Some(_) | None => {}
    }
    all
}

fn short(digest: Option<&String>) -> String {
    digest.map_or_else(|| "none".to_owned(), |digest| digest.chars().take(12).collect())
}

#[cfg(test)]
mod tests {
    use bailey_kit::kube::Denied;

    use super::*;

    fn told(served: Served) -> Told {
        Told { namespace: "n".to_owned(), pod: "p".to_owned(), tier: "outer main".to_owned(), answer: Ok(served) }
    }

    #[test]
    fn another_digest_a_stale_one_and_a_refusal_are_told() {
        let should = BTreeMap::from([("outer main".to_owned(), "aa".to_owned())]);
        let codes = |served| findings(&[told(served)], &should).iter().map(|one| one.code).collect::<Vec<_>>();
        let digest = Some("aa".to_owned());
        assert_eq!(codes(Served { digest: digest.clone(), ..Served::default() }), []);
        assert_eq!(codes(Served { digest: Some("bb".to_owned()), ..Served::default() }), [Code::ServesOther]);
        assert_eq!(codes(Served { digest: digest.clone(), stale: true, ..Served::default() }), [Code::ServesStale]);
        let denied = Denied {
            verb: "list".to_owned(),
            resource: "services".to_owned(),
            namespace: "n".to_owned(),
            subject: "u".to_owned(),
        };
        assert_eq!(codes(Served { digest, denied: vec![denied], ..Served::default() }), [Code::PermissionMissing]);
        let away = Told { answer: Err("no".to_owned()), ..told(Served::default()) };
        assert_eq!(findings(&[away], &should)[0].code, Code::PodUnreachable);
    }

    #[test]
    fn a_tier_of_which_not_all_could_be_read_is_not_judged() {
        assert!(findings(&[told(Served::default())], &BTreeMap::new()).is_empty());
    }
}
