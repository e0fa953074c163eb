//! A request that a match takes, as far as one can be made from what it asks for.

use bailey_proxy::explain::Question;
use bailey_routing::ir::{HostPattern, PathMatch, RouteMatch, Scheme, ValueMatch};
use bailey_routing::pattern::Pattern;

/// Where clients come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Door {
    pub(super) https: bool,
    pub(super) port: u16,
}

/// A request through `door` for a host of the pattern that has all that the match asks for. `None`: its expressions are not
/// simple enough to make up a text for them.
pub(super) fn question(door: Door, host: &HostPattern, of: Option<&RouteMatch>) -> Option<Question> {
    let scheme = if door.https { Scheme::Https } else { Scheme::Http };
    let host = match host {
        HostPattern::Exact(host) => host.to_string(),
        HostPattern::Wildcard(suffix) => format!("any.{suffix}"),
        HostPattern::Any => "any.example".to_owned(),
    };
    let port = if door.port == scheme.default_port() { String::new() } else { format!(":{}", door.port) };
    let conditions = of.and_then(|one| one.conditions.as_deref());
    let path = of.map_or(Some("/".to_owned()), |one| path(&one.path))?;
    let mut query = Vec::new();
    for parameter in conditions.into_iter().flat_map(|all| &all.query) {
        query.push(format!("{}={}", encoded(&parameter.name), encoded(&value(&parameter.value)?)));
    }
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let mut question = Question::get(&format!("{}://{host}{port}{path}{query}", scheme.as_str())).ok()?;
    for header in conditions.into_iter().flat_map(|all| &all.headers) {
        question = question.header(&format!("{}: {}", header.name, value(&header.value)?)).ok()?;
    }
    if let Some(method) = conditions.and_then(|all| all.method) {
        method.as_str().clone_into(&mut question.method);
    }
    Some(question)
}

fn path(of: &PathMatch) -> Option<String> {
    match of {
        PathMatch::Exact(path) => Some(path.to_string()),
        PathMatch::Prefix(prefix) if prefix.trim_end_matches('/').is_empty() => Some("/".to_owned()),
        PathMatch::Prefix(prefix) => Some(prefix.trim_end_matches('/').to_owned()),
        PathMatch::Regex(pattern) => text(pattern).filter(|text| text.starts_with('/')),
        PathMatch::GrpcMethod(method) => Some(format!("/any.Service/{method}")),
    }
}

fn value(of: &ValueMatch) -> Option<String> {
    match of {
        ValueMatch::Exact(value) => Some(value.to_string()),
        ValueMatch::Regex(pattern) => text(pattern),
    }
}

/// A text that an expression matches: the expression itself with its commonest parts replaced, if that does.
fn text(pattern: &Pattern) -> Option<String> {
    const PARTS: [(&str, &str); 12] = [
        ("[^/]+", "x"),
        ("[^/]*", "x"),
        ("[0-9]+", "1"),
        ("[a-z]+", "x"),
        ("[a-z0-9-]+", "x"),
        ("\\d+", "1"),
        ("\\w+", "x"),
        (".*", "x"),
        (".+", "x"),
        ("\\.", "."),
        ("(?:", "("),
        ("$", ""),
    ];
    let plain = PARTS.iter().fold(pattern.as_str().to_owned(), |text, (part, with)| text.replace(part, with));
    let plain = plain.trim_start_matches('^').replace(['(', ')'], "");
    let first = plain.split('|').next().unwrap_or_default().to_owned();
    [plain, first].into_iter().find(|text| pattern.is_match(text.as_bytes()))
}

/// What a query may hold, the rest percent-encoded (RFC 3986 3.4).
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simple_expressions_have_an_example_and_others_none() {
        let example = |text_of: &str| text(&Pattern::new(text_of).unwrap());
        for expression in ["/a/[^/]+/b", "^/v[0-9]+/.*$", "a|b", "(?:x|y)", "/a\\.html"] {
            let example = example(expression).unwrap();
            assert!(Pattern::new(expression).unwrap().is_match(example.as_bytes()), "{expression}: {example}");
        }
        assert_eq!(example("[A-F]{3}"), None);
    }
}
