//! Where the tiers of a topology find their configuration: derived from the `IngressTopology` when it is among the objects
//! (local mode, the operator), else as the operator wrote it (proxies in a cluster). Readers cannot tell the difference.

use bailey_crds::{HostnameBinding, HostnameBindingSpec, IngressTopology, Role, TierConfig, TierConfigSpec};
use kube::ResourceExt as _;

use crate::diagnostics::{Sink, Subject};
use crate::objects::{Kind, Objects, key_of};
use crate::topology::{Resolved, log_fields, resolve};
use crate::unknown;

/// The objects of one topology.
pub(crate) struct Tiers {
    pub(crate) all: Vec<Tier>,
    /// The owner of each hostname, those who were first before the others.
    pub(crate) owners: Vec<Owner>,
    /// Whether they were derived from the topology.
    pub(crate) derived: bool,
}

/// One tier's configuration.
pub(crate) struct Tier {
    pub(crate) namespace: String,
    pub(crate) config: TierConfigSpec,
    /// Whom to tell of what is wrong with it: the object that a person wrote.
    pub(crate) subject: Subject,
}

/// One owned hostname.
pub(crate) struct Owner {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) created: Option<i64>,
    pub(crate) binding: HostnameBindingSpec,
    pub(crate) subject: Subject,
}

impl Tiers {
    pub(crate) fn of(topology: &str, objects: &Objects, sink: &mut Sink) -> Self {
        let Some(entry) = objects.get::<IngressTopology>("", topology) else { return Self::written(topology, objects) };
        let Resolved { tiers, bindings, diagnostics } = resolve(entry, objects);
        sink.extend(diagnostics);
        unknown::report_own(entry, sink);
        log_fields::report(entry, sink);
        let subject = entry.subject();
        let tier = |tier: TierConfig| Tier {
            namespace: tier.namespace().unwrap_or_default(),
            config: tier.spec,
            subject: subject.clone(),
        };
        Self {
            all: tiers.into_iter().map(tier).collect(),
            owners: bindings.into_iter().map(|binding| Owner::new(binding, subject.clone())).collect(),
            derived: true,
        }
    }

    fn written(topology: &str, objects: &Objects) -> Self {
        let tiers =
            objects.all::<TierConfig>().filter(|(_, entry)| entry.object.spec.topology.as_deref() == Some(topology));
        let tier = |namespace: &str, config: &TierConfigSpec, subject| Tier {
            namespace: namespace.to_owned(),
            config: config.clone(),
            subject,
        };
        let tiers: Vec<_> =
            tiers.map(|(key, entry)| tier(&key.namespace, &entry.object.spec, entry.subject())).collect();
        // Bindings count in the outer tier's namespace only: whoever could write them elsewhere owns nothing by it.
        let namespace = tiers.iter().find(|tier| tier.config.role == Role::Outer).map(|tier| tier.namespace.clone());
        let bindings = namespace.iter().flat_map(|namespace| objects.within::<HostnameBinding>(namespace));
        let mut owners: Vec<_> =
            bindings.map(|(_, entry)| Owner::new(entry.object.as_ref().clone(), entry.subject())).collect();
        owners
            .sort_by(|a, b| (a.created.is_none(), a.created, &a.name).cmp(&(b.created.is_none(), b.created, &b.name)));
        Self { all: tiers, owners, derived: false }
    }

    /// The tier of that role, and of that tenant if it is an inner one.
    pub(crate) fn find(&self, role: Role, tenant: Option<&str>) -> Option<&Tier> {
        self.all.iter().find(|tier| tier.config.role == role && tier.config.tenant.as_deref() == tenant)
    }
}

impl Owner {
    fn new(binding: HostnameBinding, subject: Subject) -> Self {
        let key = key_of(&binding);
        let created = binding.metadata.creation_timestamp.as_ref().map(|time| time.0.as_second());
        Self { namespace: key.namespace, name: key.name, created, binding: binding.spec, subject }
    }
}

impl Subject {
    /// An object that is not there.
    pub(crate) fn missing<T: Kind>(namespace: &str, name: &str) -> Self {
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        Self { object: crate::diagnostics::ObjectRef { kind: T::KIND, namespace, name }, location: None }
    }
}
