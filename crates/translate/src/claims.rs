//! Who has which hostnames, and who would have them twice.
//!
//! Names are kept by their labels from the right, so that all names below a domain are neighbours and no question needs a
//! walk over everything.

use std::collections::BTreeMap;
use std::sync::Arc;

use bailey_routing::ir::HostPattern;

/// Hostnames and their holders.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    taken: BTreeMap<String, Claim>,
}

/// One hostname and who has it.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) host: HostPattern,
    pub(crate) holder: Arc<str>,
}

impl Claims {
    /// Notes that `holder` has `host`; whoever had it before keeps it.
    pub(crate) fn take(&mut self, host: &HostPattern, holder: &Arc<str>) {
        let claim = || Claim { host: host.clone(), holder: Arc::clone(holder) };
        self.taken.entry(key(host)).or_insert_with(claim);
    }

    /// All claims that have some name in common with `host`.
    pub(crate) fn overlapping<'a>(&'a self, host: &HostPattern) -> impl Iterator<Item = &'a Claim> + use<'a> {
        let key = key(host);
        // What is written below the domain of a pattern, the pattern itself included.
        let below = match host {
            HostPattern::Any => Some(String::new()),
            HostPattern::Wildcard(_) => Some(key[..key.len() - 1].to_owned()),
            HostPattern::Exact(_) => None,
        };
        let around: Vec<_> = wider(host, key).iter().filter_map(|key| self.taken.get(key)).collect();
        let inside = below.into_iter().flat_map(|prefix| {
            let from = self.taken.range(prefix.clone()..);
            from.take_while(move |(key, _)| key.starts_with(&prefix)).map(|(_, claim)| claim)
        });
        around.into_iter().chain(inside)
    }

    /// The claim of somebody else that has some name in common with `host`.
    pub(crate) fn of_another(&self, host: &HostPattern, than: &str) -> Option<&Claim> {
        self.overlapping(host).find(|claim| &*claim.holder != than)
    }
}

/// Labels from the right, each behind a dot: `*.a.example` is `.example.a.*`, every host is the empty text.
fn key(host: &HostPattern) -> String {
    let (text, wildcard) = match host {
        HostPattern::Any => return String::new(),
        HostPattern::Exact(text) => (text, ""),
        HostPattern::Wildcard(text) => (text, ".*"),
    };
    let mut key: String = text.rsplit('.').flat_map(|label| [".", label]).collect();
    key.push_str(wildcard);
    key
}

/// The keys of the host and of every pattern that covers it.
fn wider(host: &HostPattern, key: String) -> Vec<String> {
    let mut keys = vec![String::new()];
    let own = match host {
        HostPattern::Any => return keys,
        HostPattern::Exact(_) => key.as_str(),
        HostPattern::Wildcard(_) => key.trim_end_matches(".*"),
    };
    keys.extend(own.match_indices('.').skip(1).map(|(at, _)| format!("{}.*", &own[..at])));
    keys.push(key);
    keys
}

#[cfg(test)]
mod tests {
    use super::Claims;
    use bailey_routing::ir::HostPattern;
    use std::sync::Arc;

    fn overlaps(taken: &str, asked: &str) -> bool {
        let mut claims = Claims::default();
        claims.take(&HostPattern::parse(taken), &Arc::from("a"));
        claims.overlapping(&HostPattern::parse(asked)).next().is_some()
    }

    #[test]
    fn names_overlap_exactly_when_one_covers_the_other() {
        let names = [
            "",
            "com",
            "*.com",
            "example.com",
            "*.example.com",
            "a.example.com",
            "*.a.example.com",
            "b.a.example.com",
            "ab.example.com",
            "aexample.com",
            "*.org",
        ];
        for one in names {
            for other in names {
                let (first, second) = (HostPattern::parse(one), HostPattern::parse(other));
                let expected = first.covers(&second) || second.covers(&first);
                assert_eq!(overlaps(one, other), expected, "{one:?} and {other:?}");
            }
        }
    }

    #[test]
    fn the_first_holder_keeps_the_name() {
        let mut claims = Claims::default();
        let host = HostPattern::parse("a.example.com");
        claims.take(&host, &Arc::from("a"));
        claims.take(&host, &Arc::from("b"));
        assert!(claims.of_another(&host, "a").is_none());
        assert_eq!(&*claims.of_another(&host, "b").unwrap().holder, "a");
    }
}
