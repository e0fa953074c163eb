//! Listeners of a Gateway that no route uses.

use std::collections::BTreeSet;

use bailey_crds::gateway::Gateway;
use bailey_routing::RouteTable;

use crate::diagnostics::{Code, Sink};
use crate::objects::Objects;

pub(super) fn analyse(objects: &Objects, namespace: &str, name: &str, table: &RouteTable, sink: &mut Sink) {
    let Some(entry) = objects.get::<Gateway>(namespace, name) else { return };
    let attachments = table.routes().flat_map(|route| route.attachments.iter());
    let used: BTreeSet<&str> = attachments.filter(|at| !at.hosts.is_empty()).map(|at| &*at.listener).collect();
    for (index, listener) in entry.object.spec.listeners.iter().enumerate() {
        // One that is not served has been reported.
        let served = table.listener_named(&listener.name).is_some();
        if served && !used.contains(listener.name.as_str()) {
            let message = format!("no route is attached to listener {}", listener.name);
            sink.push(entry.subject().problem(Code::ListenerUnused, format!("spec.listeners[{index}]"), message));
        }
    }
}
