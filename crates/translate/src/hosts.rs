//! Hostnames in one canonical form, so that no spelling of a name can slip past its owner.
//!
//! Every name of every object passes [`parse`] before it is compared with another. What covers what is decided by
//! [`HostPattern`]; who owns what is not decided here.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use bailey_routing::ir::HostPattern;

/// Why a text is not a hostname; its `Display` completes the sentence "the hostname …".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidHost {
    /// Nothing there, or an empty label.
    Empty,
    /// More than 253 characters, or a label of more than 63.
    TooLong,
    /// A character outside letters, digits and hyphens, or a hyphen at the edge of a label.
    Character,
    /// Characters beyond ASCII: the name has to be written in its `xn--` form.
    NotAscii,
    /// A `*` anywhere but as the whole first label before at least one other.
    Wildcard,
    /// An IP address.
    Address,
    /// A port was written behind the name.
    Port,
}

impl fmt::Display for InvalidHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "is empty or has an empty label",
            Self::TooLong => "is longer than DNS allows",
            Self::Character => "has a character that DNS names do not have",
            Self::NotAscii => "is not ASCII; write its xn-- form",
            Self::Wildcard => "has a '*' that is not its whole first label",
            Self::Address => "is an IP address",
            Self::Port => "has a port",
        })
    }
}

/// The canonical form of `text`: lower case, no trailing dot, at most one wildcard label in front. Never
/// [`HostPattern::Any`], which only the absence of a name means.
pub fn parse(text: &str) -> Result<HostPattern, InvalidHost> {
    if !text.is_ascii() {
        return Err(InvalidHost::NotAscii);
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    let plain = name.strip_prefix("*.").unwrap_or(name);
    if plain.contains('*') {
        return Err(InvalidHost::Wildcard);
    }
    if plain.parse::<Ipv4Addr>().is_ok() || plain.trim_matches(['[', ']']).parse::<Ipv6Addr>().is_ok() {
        return Err(InvalidHost::Address);
    }
    if plain.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())) {
        return Err(InvalidHost::Port);
    }
    if name.len() > 253 {
        return Err(InvalidHost::TooLong);
    }
    plain.split('.').try_for_each(check_label)?;
    Ok(HostPattern::parse(name))
}

fn check_label(label: &str) -> Result<(), InvalidHost> {
    if label.is_empty() {
        return Err(InvalidHost::Empty);
    }
    if label.len() > 63 {
        return Err(InvalidHost::TooLong);
    }
    let allowed = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !allowed || label.starts_with('-') || label.ends_with('-') {
        return Err(InvalidHost::Character);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{InvalidHost, parse};

    #[test]
    fn case_and_trailing_dot_are_one_name() {
        assert_eq!(parse("A.Example.COM."), parse("a.example.com"));
        assert_eq!(parse("*.Example.com").unwrap().to_string(), "*.example.com");
    }

    #[test]
    fn spellings_that_are_no_dns_name_are_refused() {
        for (text, why) in [
            ("", InvalidHost::Empty),
            (".", InvalidHost::Empty),
            ("a..b", InvalidHost::Empty),
            ("a.b..", InvalidHost::Empty),
            ("bücher.example", InvalidHost::NotAscii),
            ("ａ.example", InvalidHost::NotAscii),
            ("a%2eexample", InvalidHost::Character),
            ("a_b.example", InvalidHost::Character),
            ("-a.example", InvalidHost::Character),
            ("a.example:80", InvalidHost::Port),
            ("192.0.2.1", InvalidHost::Address),
            ("[::1]", InvalidHost::Address),
            ("*", InvalidHost::Wildcard),
            ("a.*.example", InvalidHost::Wildcard),
            ("*a.example", InvalidHost::Wildcard),
            ("*.*.example", InvalidHost::Wildcard),
        ] {
            assert_eq!(parse(text), Err(why), "{text:?}");
        }
    }
}
