//! Hostnames that a tenant has been granted and does not use.

use std::sync::Arc;

use bailey_crds::IngressTopology;
use bailey_routing::RouteTable;

use crate::claims::Claims;
use crate::diagnostics::{Code, Sink};
use crate::hosts;
use crate::objects::Objects;

pub(super) fn analyse(objects: &Objects, topology: &str, tenant: &str, table: &RouteTable, sink: &mut Sink) {
    let Some(entry) = objects.get::<IngressTopology>("", topology) else { return };
    let (mut used, holder) = (Claims::default(), Arc::from(tenant));
    for host in table.routes().flat_map(|route| route.attachments.iter()).flat_map(|at| at.hosts.iter()) {
        used.take(host, &holder);
    }
    // Of two tenants with one name the first is used, and the second has been reported.
    let tenants = entry.object.spec.tenants.iter().enumerate();
    let Some((index, found)) = tenants.into_iter().find(|(_, one)| one.name == tenant) else { return };
    for (at, host) in found.hostnames.iter().enumerate() {
        if used.overlapping(&hosts::pattern(host)).next().is_none() {
            let message = format!("no route of tenant {tenant} has {}", hosts::pattern(host));
            let field = format!("spec.tenants[{index}].hostnames[{at}]");
            sink.push(entry.subject().problem(Code::HostUnused, field, message));
        }
    }
}
