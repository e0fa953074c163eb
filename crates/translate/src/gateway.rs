//! A tier alone: one Gateway object to listeners and a parent for routes.
//!
//! Decides which listeners can be served and which of their certificates may be used. A listener that cannot be served is
//! left out and harms no other.

mod certificates;
mod conflicts;

use std::collections::BTreeSet;
use std::sync::Arc;

use bailey_crds::gateway::{
    FromNamespaces, Gateway, GatewayClass, GrpcRoute, HttpRoute, Listener as Wanted, ListenerProtocol, TlsMode,
};
use bailey_routing::ir::{HostPattern, Listener, ListenerProtocol as Spoken, RouteKind};

use crate::diagnostics::{Code, ObjectRef, Reason, Sink, Subject};
use crate::hosts;
use crate::objects::{Entry, Key, Kind, Objects};
use crate::parents::{Admission, Parent, ParentListener};
use crate::selectors;

pub(crate) use certificates::check_secret;

/// The name by which a `GatewayClass` says that a Gateway is Bailey's.
pub const CONTROLLER: &str = "bailey.dev/gateway-controller";

/// The facts that a listener's status is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerStatus {
    /// The Gateway.
    pub gateway: ObjectRef,
    /// Name of the listener.
    pub listener: String,
    /// [`Reason::Accepted`], or why the listener is left out.
    pub accepted: Reason,
    /// [`Reason::ResolvedRefs`], or what is wrong with a certificate reference or route kind.
    pub resolved_refs: Reason,
    /// The conflict with another listener, if there is one.
    pub conflict: Option<Reason>,
    /// Kinds of routes that may attach.
    pub kinds: Vec<RouteKind>,
    /// How many routes are attached.
    pub attached_routes: usize,
}

/// What a Gateway comes to.
pub(crate) struct Served {
    pub(crate) parent: Parent,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) statuses: Vec<ListenerStatus>,
}

struct Context<'a> {
    objects: &'a Objects,
    gateway: &'a Gateway,
    subject: Subject,
    namespace: &'a str,
    /// A development CA stands in for certificates that a listener does not name.
    local: bool,
}

/// Whether the Gateway is of a class of Bailey's. A class that is not among the objects is taken to be.
pub(crate) fn is_ours(entry: &Entry<Gateway>, objects: &Objects, sink: &mut Sink) -> bool {
    let class = &entry.object.spec.gateway_class_name;
    let Some(found) = objects.get::<GatewayClass>("", class) else { return true };
    let controller = &found.object.spec.controller_name;
    if controller == CONTROLLER {
        return true;
    }
    let message = format!("class {class} belongs to {controller}");
    sink.push(entry.subject().problem(Code::GatewayNotOurs, "spec.gatewayClassName", message));
    false
}

/// The listeners of a Gateway.
pub(crate) fn translate(key: &Key, entry: &Entry<Gateway>, objects: &Objects, local: bool, sink: &mut Sink) -> Served {
    let gateway = entry.object.as_ref();
    let context = Context { objects, gateway, subject: entry.subject(), namespace: &key.namespace, local };
    crate::unknown::report(entry, sink);
    report_unsupported(&context, sink);
    let conflicts = conflicts::find(&gateway.spec.listeners, &context.subject, sink);
    let mut served = Served {
        parent: Parent { key: key.clone(), listeners: Vec::new(), grant: None },
        listeners: Vec::new(),
        statuses: Vec::new(),
    };
    for (index, wanted) in gateway.spec.listeners.iter().enumerate() {
        context.listener(index, wanted, conflicts.get(&index).copied(), &mut served, sink);
    }
    served
}

/// Fields of a Gateway that are valid and that this version does nothing with.
fn report_unsupported(context: &Context<'_>, sink: &mut Sink) {
    let spec = &context.gateway.spec;
    let present = [
        ("addresses", !spec.addresses.is_empty()),
        ("infrastructure", spec.infrastructure.is_some()),
        ("allowedListeners", spec.allowed_listeners.is_some()),
        ("tls", spec.tls.is_some()),
    ];
    for (field, _) in present.into_iter().filter(|(_, present)| *present) {
        let message = format!("{field} is not supported yet and has no effect");
        sink.push(context.subject.problem(Code::UnsupportedField, format!("spec.{field}"), message));
    }
}

impl Context<'_> {
    fn listener(&self, index: usize, wanted: &Wanted, conflict: Option<Code>, served: &mut Served, sink: &mut Sink) {
        let at = format!("spec.listeners[{index}]");
        if wanted.tls.as_ref().is_some_and(|tls| !tls.options.is_empty()) {
            let message = "options are not supported and have no effect".to_owned();
            sink.push(self.subject.problem(Code::UnsupportedField, format!("{at}.tls.options"), message));
        }
        let (kinds, kinds_resolved) = self.kinds(wanted, &at, sink);
        let mut status = ListenerStatus {
            gateway: self.subject.object.clone(),
            listener: wanted.name.clone(),
            accepted: Reason::Accepted,
            resolved_refs: kinds_resolved,
            conflict: conflict.map(Code::reason),
            kinds: kinds.iter().copied().collect(),
            attached_routes: 0,
        };
        match self.servable(wanted, conflict, &at, sink) {
            Err(reason) => status.accepted = reason,
            Ok((protocol, hostname)) => {
                let (certificates, resolved) = self.certificates(wanted, protocol, &at, sink);
                if resolved != Reason::ResolvedRefs {
                    status.resolved_refs = resolved;
                }
                let name: Arc<str> = wanted.name.as_str().into();
                let from = self.admission(wanted, &at, sink);
                served.parent.listeners.push(ParentListener {
                    name: Arc::clone(&name),
                    port: wanted.port,
                    hostname: hostname.clone(),
                    from,
                    kinds,
                });
                served.listeners.push(Listener {
                    name,
                    port: wanted.port,
                    protocol,
                    hostname,
                    certificates: certificates.into(),
                    https_redirect: None,
                    tenant: None,
                });
            }
        }
        served.statuses.push(status);
    }

    /// What the listener speaks and for which hosts, or why it is left out.
    fn servable(
        &self,
        wanted: &Wanted,
        conflict: Option<Code>,
        at: &str,
        sink: &mut Sink,
    ) -> Result<(Spoken, HostPattern), Reason> {
        if let Some(code) = conflict {
            return Err(code.reason());
        }
        let protocol = match &wanted.protocol {
            ListenerProtocol::Http => Spoken::Http,
            ListenerProtocol::Https => Spoken::Https,
            other @ (ListenerProtocol::Tls
            | ListenerProtocol::Tcp
            | ListenerProtocol::Udp
            | ListenerProtocol::Other(_)) => {
                let message = format!("listeners of protocol {other} are not served");
                sink.push(self.subject.problem(Code::ListenerProtocol, format!("{at}.protocol"), message));
                return Err(Code::ListenerProtocol.reason());
            }
        };
        self.check_tls_mode(wanted, protocol, at, sink)?;
        match wanted.hostname.as_deref().filter(|text| !text.is_empty()) {
            None => Ok((protocol, HostPattern::Any)),
            Some(text) => hosts::parse(text).map(|host| (protocol, host)).map_err(|why| {
                let message = format!("{text:?} is not valid: {why}");
                sink.push(self.subject.problem(Code::InvalidHostname, format!("{at}.hostname"), message));
                Code::InvalidHostname.reason()
            }),
        }
    }

    fn check_tls_mode(&self, wanted: &Wanted, protocol: Spoken, at: &str, sink: &mut Sink) -> Result<(), Reason> {
        let mode = wanted.tls.as_ref().and_then(|tls| tls.mode.as_ref());
        let message = match (protocol, mode) {
            (Spoken::Http, _) if wanted.tls.is_some() => "an HTTP listener has no TLS".to_owned(),
            (_, None | Some(TlsMode::Terminate)) => return Ok(()),
            (_, Some(mode)) => format!("an {} listener cannot have mode {mode}", wanted.protocol),
        };
        sink.push(self.subject.problem(Code::TlsMode, format!("{at}.tls"), message));
        Err(Code::TlsMode.reason())
    }

    /// The kinds of routes that may attach, of those that HTTP can carry.
    fn kinds(&self, wanted: &Wanted, at: &str, sink: &mut Sink) -> (BTreeSet<RouteKind>, Reason) {
        let asked = wanted.allowed_routes.as_ref().map(|allowed| allowed.kinds.as_slice()).unwrap_or_default();
        if asked.is_empty() {
            return ([RouteKind::Http, RouteKind::Grpc].into(), Reason::ResolvedRefs);
        }
        let mut kinds = BTreeSet::new();
        let mut reason = Reason::ResolvedRefs;
        for (index, kind) in asked.iter().enumerate() {
            match (kind.group.as_str(), kind.kind.as_str()) {
                (HttpRoute::GROUP, HttpRoute::KIND) => drop(kinds.insert(RouteKind::Http)),
                (GrpcRoute::GROUP, GrpcRoute::KIND) => drop(kinds.insert(RouteKind::Grpc)),
                (_, other) => {
                    let field = format!("{at}.allowedRoutes.kinds[{index}]");
                    let message = format!("an {} listener cannot carry {other}", wanted.protocol);
                    sink.push(self.subject.problem(Code::ListenerRouteKinds, field, message));
                    reason = Code::ListenerRouteKinds.reason();
                }
            }
        }
        (kinds, reason)
    }

    fn admission(&self, wanted: &Wanted, at: &str, sink: &mut Sink) -> Admission {
        let namespaces = wanted.allowed_routes.as_ref().and_then(|allowed| allowed.namespaces.as_ref());
        let field = format!("{at}.allowedRoutes.namespaces");
        let mut refuse = |field: String, message: String| {
            sink.push(self.subject.problem(Code::InvalidSelector, field, message));
            Admission::None
        };
        let selector = namespaces.and_then(|namespaces| namespaces.selector.as_ref());
        match namespaces.and_then(|namespaces| namespaces.from.as_ref()) {
            None | Some(FromNamespaces::Same) => Admission::Same,
            Some(FromNamespaces::All) => Admission::All,
            Some(FromNamespaces::None) => Admission::None,
            Some(FromNamespaces::Selector) => match selector {
                None => refuse(field, "from is Selector and there is no selector".to_owned()),
                Some(selector) => match selectors::problem(selector) {
                    None => Admission::Selector(selector.clone()),
                    Some(problem) => refuse(format!("{field}.selector"), format!("the requirement on {problem}")),
                },
            },
            Some(FromNamespaces::Other(other)) => {
                refuse(format!("{field}.from"), format!("{other:?} is none of All, Same and Selector"))
            }
        }
    }
}
