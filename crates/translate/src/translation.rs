//! The one entry: a set of objects and the tier they are read for, to what that tier routes by.

use bailey_crds::gateway::{Gateway, GrpcRoute, HttpRoute};
use bailey_routing::ir::Ir;
use k8s_openapi::api::networking::v1::Ingress;

use crate::diagnostics::{Code, Diagnostic, Reason, Sink, Subject};
use crate::gateway::{self, ListenerStatus, Served};
use crate::inner;
use crate::objects::{Key, Objects};
use crate::outer;
use crate::parents::Parent;
use crate::routes::{ParentStatus, Router};
use crate::upstreams::Upstreams;

/// Which tier a translation is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The outer tier of a topology: hostnames to tenants.
    Outer {
        /// Name of the topology.
        topology: String,
    },
    /// The inner tier of one tenant: the tenant's routes. It has one listener, the link, and requests of all the outer
    /// tier's listeners are looked up there.
    Inner {
        /// Name of the topology.
        topology: String,
        /// Name of the tenant.
        tenant: String,
    },
    /// A tier alone, which serves one Gateway object.
    Gateway {
        /// Namespace of the Gateway.
        namespace: String,
        /// Name of the Gateway.
        name: String,
    },
}

/// What differs between a cluster and one machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Everything runs on this machine: backends may have loopback addresses, and a development CA stands in for
    /// certificates that nobody names.
    pub local: bool,
}

/// What a tier routes by, and everything there is to say about the objects it comes from.
#[derive(Clone, Debug, Default)]
pub struct Translation {
    /// Routes, listeners, upstreams and tenants.
    pub ir: Ir,
    /// Every problem once, by object and field.
    pub diagnostics: Vec<Diagnostic>,
    /// What became of each parentRef that means this tier, by route.
    pub parents: Vec<ParentStatus>,
    /// What became of each listener of the Gateway; empty in a topology.
    pub listeners: Vec<ListenerStatus>,
}

/// Translates `objects` for the tier `scope`. Total: what is wrong is in the diagnostics, and the rest works. Equal
/// objects give an equal translation, in whatever order they came.
pub fn translate(objects: &Objects, scope: &Scope, options: Options) -> Translation {
    let mut sink = Sink::default();
    let mut translation = match scope {
        Scope::Outer { topology } => {
            let ir = outer::translate(topology, objects, options.local, &mut sink);
            Translation { ir, ..Translation::default() }
        }
        Scope::Inner { topology, tenant } => match inner::translate(topology, tenant, objects, &mut sink) {
            Some(served) => serve(objects, served, options, &mut sink),
            None => Translation::default(),
        },
        Scope::Gateway { namespace, name } => {
            let key = Key::new(namespace, name);
            translate_gateway(objects, &key, options, &mut sink)
        }
    };
    translation.diagnostics = sink.finish();
    translation
}

fn translate_gateway(objects: &Objects, key: &Key, options: Options, sink: &mut Sink) -> Translation {
    let Some(entry) = objects.get::<Gateway>(&key.namespace, &key.name) else {
        let subject = Subject::missing::<Gateway>(&key.namespace, &key.name);
        sink.push(subject.problem(Code::ParentNotFound, "", format!("there is no Gateway {}", key.name)));
        return Translation::default();
    };
    if !gateway::is_ours(entry, objects, sink) {
        return Translation::default();
    }
    let served = gateway::translate(key, entry, objects, options.local, sink);
    serve(objects, served, options, sink)
}

/// Attaches the routes and resolves their backends.
fn serve(objects: &Objects, served: Served, options: Options, sink: &mut Sink) -> Translation {
    let Served { parent, listeners, mut statuses } = served;
    report_ingresses(objects, &parent, sink);
    let mut upstreams = Upstreams::new(objects, options.local);
    let mut router = Router { objects, parent: &parent, upstreams: &mut upstreams, sink, found: Vec::new() };
    router.translate_all::<HttpRoute>();
    router.translate_all::<GrpcRoute>();
    let (routes, parents) = router.finish();
    for status in statuses.iter_mut().filter(|status| status.accepted == Reason::Accepted) {
        let on = |route: &&std::sync::Arc<bailey_routing::ir::Route>| {
            route.attachments.iter().any(|attachment| *attachment.listener == *status.listener)
        };
        status.attached_routes = routes.iter().filter(on).count();
    }
    let ir = Ir { listeners, routes, upstreams: upstreams.finish(), tenants: Vec::new() };
    Translation { ir, diagnostics: Vec::new(), parents, listeners: statuses }
}

/// Says of every Ingress that is meant for Bailey, or for nobody in particular, that nothing serves it yet.
fn report_ingresses(objects: &Objects, parent: &Parent, sink: &mut Sink) {
    for (_, entry) in objects.all::<Ingress>().filter(|(key, _)| parent.sees(&key.namespace)) {
        let class = entry.object.spec.as_ref().and_then(|spec| spec.ingress_class_name.as_deref());
        if class.is_some_and(|class| class != parent.key.name && class != "bailey") {
            continue;
        }
        let message = "Ingress is not supported yet in this version; nothing serves this object".to_owned();
        sink.push(entry.subject().problem(Code::UnsupportedKind, "", message));
    }
}
