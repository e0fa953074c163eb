//! Fields that an object has and that do nothing, each reported by its path.

use bailey_crds::gateway::UnknownFields;

use crate::diagnostics::{Code, Sink};
use crate::objects::{Entry, Kind};

/// Fields of newer or experimental releases of Gateway API that this version leaves alone.
const UNSUPPORTED: [&str; 4] = ["sessionPersistence", "useDefaultGateways", "externalAuth", "defaultScope"];

/// What people write into a match to name a host.
const HOSTS: [&str; 4] = ["hostname", "hostnames", "host", "hosts"];

/// Reports the fields of one of Bailey's own kinds that the kind does not have.
pub(crate) fn report_own<T: Kind>(entry: &Entry<T>, sink: &mut Sink) {
    for field in &entry.unknown {
        let name = field.rsplit('.').next().unwrap_or_default();
        let message = format!("{} has no field {name}; the API server drops it", T::KIND);
        sink.push(entry.subject().problem(Code::UnknownField, field, message));
    }
}

/// Reports every field of the object that its kind does not have.
pub(crate) fn report<T: Kind + UnknownFields>(entry: &Entry<T>, sink: &mut Sink) {
    let fields = entry.object.unknown_fields();
    if fields.is_empty() {
        return;
    }
    let subject = entry.subject();
    let value = serde_json::to_value(entry.object.as_ref()).unwrap_or_default();
    for field in fields {
        let name = field.rsplit('.').next().unwrap_or_default();
        let (code, message) = if HOSTS.contains(&name) && is_in_match(&field) {
            let written = value.pointer(&pointer(&field)).map(ToString::to_string).unwrap_or_default();
            (Code::HostInMatch, host_in_match(name, &written, T::KIND))
        } else if UNSUPPORTED.contains(&name) {
            (Code::UnsupportedField, format!("{name} is not supported yet and has no effect"))
        } else {
            (Code::UnknownField, format!("{} has no field {name}; the API server drops it", T::KIND))
        };
        sink.push(subject.problem(code, field, message));
    }
}

fn host_in_match(name: &str, written: &str, kind: &str) -> String {
    let matches = if kind == "GRPCRoute" { "GRPCRouteMatch" } else { "HTTPRouteMatch" };
    format!(
        "{matches} has no field {name}. The API server drops it (a strict kubectl refuses the object), and the rule then \
         matches every host of the route, not only {written}"
    )
}

/// Whether the path leads to a field of a match itself: `spec.rules[0].matches[1].hostname`.
fn is_in_match(field: &str) -> bool {
    field.rsplit_once('.').is_some_and(|(parent, _)| {
        let last = parent.rsplit('.').next().unwrap_or_default();
        last.starts_with("matches[")
    })
}

/// The JSON pointer (RFC 6901) of a field path.
fn pointer(field: &str) -> String {
    let mut pointer = String::from("/");
    for character in field.chars() {
        match character {
            '.' | '[' => pointer.push('/'),
            ']' => {}
            other => pointer.push(other),
        }
    }
    pointer
}
