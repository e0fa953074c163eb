//! Who sends spans: the attributes of a resource, from what the program knows and what the environment says (OpenTelemetry, resource
//! SDK and environment variables). The environment wins.

/// A list of attributes, comma-separated, values percent-encoded.
const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
/// The name of the service, whatever the list says.
const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";

/// The attributes of a resource: `own` ones, those of the environment in their place or beside them.
pub(super) fn attributes(
    own: &[(&'static str, String)],
    environment: impl Fn(&str) -> Option<String>,
) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = own.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let mut set = |name: &str, value: String| match all.iter_mut().find(|(known, _)| known == name) {
        Some((_, known)) => *known = value,
        None => all.push((name.to_owned(), value)),
    };
    for (name, value) in read(&environment(ATTRIBUTES).unwrap_or_default()).unwrap_or_default() {
        set(&name, value);
    }
    if let Some(name) = environment(SERVICE_NAME).filter(|name| !name.is_empty()) {
        set("service.name", name);
    }
    all
}

/// Reads the list; one that breaks its grammar is discarded whole, as the specification asks.
fn read(list: &str) -> Option<Vec<(String, String)>> {
    let members = list.split(',').map(str::trim).filter(|member| !member.is_empty());
    members
        .map(|member| {
            let (name, value) = member.split_once('=')?;
            let name = decode(name.trim())?;
            (!name.is_empty()).then_some((name, decode(value.trim())?))
        })
        .collect()
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        bytes.push((digit()? * 16 + digit()?) as u8);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(list: &str, name: &str) -> Vec<(String, String)> {
        let own = [("service.name", "bailey-outer".to_owned()), ("service.version", "1".to_owned())];
        attributes(&own, |variable| Some(if variable == ATTRIBUTES { list } else { name }.to_owned()))
    }

    fn text(attributes: &[(String, String)]) -> String {
        attributes.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_environment_adds_and_replaces() {
        let found = with("k8s.pod.name=edge-0, service.version=2,a%20b=c%2Cd", "");
        assert_eq!(text(&found), "service.name=bailey-outer service.version=2 k8s.pod.name=edge-0 a b=c,d");
        assert_eq!(text(&with("service.name=listed", "named")), "service.name=named service.version=1");
        assert_eq!(text(&with("service.name=listed", "")), "service.name=listed service.version=1");
    }

    #[test]
    fn a_list_that_cannot_be_read_is_discarded() {
        for wrong in ["a", "a=1,b", "=1", "a=%zz", "a=%f", "a=%ff"] {
            assert_eq!(text(&with(wrong, "")), "service.name=bailey-outer service.version=1", "{wrong}");
        }
    }
}
