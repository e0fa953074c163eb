//! Hosts that a tier serves over HTTPS and has no certificate for. For people who look before clients do; the handshake asks
//! [`Certificates::choose`](super::certificates::Certificates::choose) itself.

use bailey_crds::IngressTopology;
use bailey_crds::gateway::Gateway;
use bailey_routing::ir::{HostPattern, Listener, ListenerProtocol};
use bailey_translate::{Code, Diagnostic, Entry, Kind, Objects, Scope};

use super::Snapshot;

/// A name below a wildcard, which stands for exactly one label in a certificate.
const ANY_LABEL: &str = "any";
/// How many hosts a message names.
const NAMED: usize = 3;

/// One diagnostic for each listener with such hosts. Certificates that are missing or cannot be read have been reported, and
/// those that the topology orders (ACME) come later.
pub fn analyse(objects: &Objects, scope: &Scope, snapshot: &Snapshot) -> Vec<Diagnostic> {
    let listeners = snapshot.table.listeners().map(|(_, listener)| listener);
    let https = listeners.filter(|listener| listener.protocol == ListenerProtocol::Https);
    let found = https.filter_map(|listener| Some((listener, hosts(snapshot, listener)?)));
    match scope {
        Scope::Gateway { namespace, name } => {
            let Some(entry) = objects.get::<Gateway>(namespace, name) else { return Vec::new() };
            let place = |listener: &Listener| {
                let wanted = &entry.object.spec.listeners;
                wanted.iter().position(|one| *one.name == *listener.name)
            };
            let of = |(listener, hosts)| {
                let field = format!("spec.listeners[{}].tls.certificateRefs", place(listener)?);
                Some(diagnostic(entry, field, listener, hosts))
            };
            // A listener without any certificate has been reported.
            found.filter(|(listener, _)| !listener.certificates.is_empty()).filter_map(of).collect()
        }
        Scope::Outer { topology } => {
            let entry = objects.get::<IngressTopology>("", topology);
            let Some(entry) = entry.filter(|entry| entry.object.spec.outer.acme.is_none()) else { return Vec::new() };
            let field = || "spec.outer.certificates".to_owned();
            found.map(|(listener, hosts)| diagnostic(entry, field(), listener, hosts)).collect()
        }
        Scope::Inner { .. } => Vec::new(),
    }
}

/// The first hosts without a certificate, and how many more there are; `None`: every host has one, or one that has been
/// reported.
fn hosts(snapshot: &Snapshot, listener: &Listener) -> Option<(Vec<String>, usize)> {
    if !snapshot.certificates.has_all(listener) {
        return None;
    }
    let attachments = snapshot.table.routes().flat_map(|route| route.attachments.iter());
    let hosts = attachments.filter(|at| at.listener == listener.name).flat_map(|at| at.hosts.iter());
    let uncovered = |host: &&HostPattern| {
        let name = match host {
            HostPattern::Exact(name) => name.to_string(),
            HostPattern::Wildcard(suffix) => format!("{ANY_LABEL}.{suffix}"),
            HostPattern::Any => return false,
        };
        snapshot.certificates.choose(listener, &name).is_none()
    };
    let mut names: Vec<String> = hosts.filter(uncovered).map(ToString::to_string).collect();
    names.sort();
    names.dedup();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    (!names.is_empty()).then_some((names, more))
}

fn diagnostic<T: Kind>(
    entry: &Entry<T>,
    field: String,
    listener: &Listener,
    (hosts, more): (Vec<String>, usize),
) -> Diagnostic {
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let code = Code::HostWithoutCertificate;
    Diagnostic {
        object: entry.reference(),
        field,
        code,
        message: format!("no certificate of listener {} names {}{more}", listener.name, hosts.join(", ")),
        remedy: code.remedy().to_owned(),
        location: entry.location.clone(),
    }
}
