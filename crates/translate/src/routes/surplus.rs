//! A tenant with more routes than its topology grants keeps the oldest.

use super::Found;
use crate::diagnostics::{Code, Reason, Sink};
use crate::parents::Grant;

/// Detaches the routes beyond the grant. `found` has the oldest first.
pub(super) fn detach(found: &mut [Found], grant: &Grant, sink: &mut Sink) {
    let Some(limit) = grant.routes else { return };
    let attached = found.iter_mut().filter(|one| !one.route.attachments.is_empty());
    for one in attached.skip(limit as usize) {
        let message = format!("tenant {} may have {limit} routes, and that many are older than this one", grant.tenant);
        sink.push(one.subject.problem(Code::TooManyRoutes, "", message));
        one.route.attachments = Box::default();
        for status in &mut one.statuses {
            status.listeners.clear();
            status.accepted = Reason::NotAllowedByListeners;
        }
    }
}
