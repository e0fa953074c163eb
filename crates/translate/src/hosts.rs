//! Hostnames as patterns of the route table. Every name of every object passes [`parse`] before it is compared with
//! another, so that no spelling can slip past its owner; who owns what is not decided here.

use bailey_crds::{Hostname, HostnameError};
use bailey_routing::ir::HostPattern;

/// The pattern for `text`, which has to be a hostname in any case, with or without a trailing dot. Never
/// [`HostPattern::Any`], which only the absence of a name means.
pub(crate) fn parse(text: &str) -> Result<HostPattern, HostnameError> {
    Hostname::parse(text).map(|host| pattern(&host))
}

/// The pattern for a canonical hostname.
pub(crate) fn pattern(host: &Hostname) -> HostPattern {
    HostPattern::parse(host.as_str())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn every_spelling_of_a_name_is_one_pattern() {
        assert_eq!(parse("A.Example.COM.").unwrap(), parse("a.example.com").unwrap());
        assert_eq!(parse("*.Example.com").unwrap().to_string(), "*.example.com");
    }

    #[test]
    fn spellings_that_are_no_dns_name_are_refused() {
        for text in [
            "",
            ".",
            "a..b",
            "a.b..",
            "bücher.example",
            "ａ.example",
            "a%2eexample",
            "a_b.example",
            "-a.example",
            "a.example:80",
            "192.0.2.1",
            "[::1]",
            "*",
            "a.*.example",
            "*a.example",
            "*.*.example",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
