//! What holds for a whole tier, read from its `TierConfig`; a tier alone may have one named after its Gateway.

use std::collections::{BTreeMap, HashSet};
use std::hash::{Hash, Hasher};

use bailey_crds::{
    AccessLog, AccessLogFormat, ClientAddress, IngressTopology, Role, TierConfig, TierConfigSpec, TierLimits,
};
use bailey_translate::{Objects, Scope, resolve};

use crate::access_log::{self, Field, FieldSet, Format, LoggedHeader};
use crate::forward::address::Front;
use crate::telemetry::Tracing;

/// The settings of one snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Who stands in front, and how that tells the client's address.
    pub front: Front,
    /// Every host belongs to a tenant: the tier is part of a topology.
    pub tenants: bool,
    /// Write RFC 7239's `Forwarded` for the application too.
    pub forwarded: bool,
    /// How requests are logged; `None`: they are not.
    pub access_log: Option<access_log::Options>,
    /// Which requests are traced, and where their spans go; `None`: none.
    pub tracing: Option<Tracing>,
    /// Limits of the tier.
    pub limits: TierLimits,
    /// Ports as declared → ports as bound, where something in front maps one to the other: clients see the former.
    pub bind_ports: BTreeMap<u16, u16>,
}

impl Hash for Settings {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.front, self.tenants, self.forwarded, &self.access_log, &self.tracing, &self.bind_ports).hash(state);
        // The limits are numbers all through; their text stands for them.
        format!("{:?}", self.limits).hash(state);
    }
}

impl Settings {
    /// Reads the settings of the tier `scope`.
    pub(super) fn read(objects: &Objects, scope: &Scope) -> Self {
        let (topology, role, tenant) = match scope {
            Scope::Outer { topology } => (topology, Role::Outer, None),
            Scope::Inner { topology, tenant } => (topology, Role::Inner, Some(tenant)),
            Scope::Gateway { namespace, name } => {
                let own = objects.get::<TierConfig>(namespace, name).map(|entry| &entry.object.spec);
                return own.filter(|spec| spec.role == Role::Gateway).map(Self::of).unwrap_or_default();
            }
        };
        let is_it = |spec: &TierConfigSpec| {
            spec.role == role && spec.topology.as_ref() == Some(topology) && spec.tenant.as_ref() == tenant
        };
        let spec = match objects.get::<IngressTopology>("", topology) {
            Some(entry) => resolve(entry, objects).tiers.into_iter().map(|tier| tier.spec).find(is_it),
            None => objects.all::<TierConfig>().map(|(_, entry)| &entry.object.spec).find(|spec| is_it(spec)).cloned(),
        };
        spec.map_or_else(|| Self { tenants: true, ..Self::default() }, |spec| Self::of(&spec))
    }

    fn of(spec: &TierConfigSpec) -> Self {
        Self {
            front: spec.client_address.as_ref().map(front).unwrap_or_default(),
            tenants: spec.role != Role::Gateway,
            forwarded: spec.forwarded,
            access_log: spec.access_log.as_ref().map(log_options),
            tracing: Tracing::of(spec),
            limits: spec.limits,
            bind_ports: spec.listeners.iter().filter_map(|l| Some((l.port, l.bind_port?))).collect(),
        }
    }
}

/// Networks that cannot be read are left out: they would trust nobody anyway, and validation has reported them.
fn front(address: &ClientAddress) -> Front {
    let networks = |from: &[String]| from.iter().filter_map(|network| network.parse().ok()).collect();
    match (&address.proxy_protocol, &address.forwarded_for) {
        (Some(proxy), _) => Front::ProxyProtocol { from: networks(&proxy.from) },
        (None, Some(forwarded)) => Front::ForwardedFor { from: networks(&forwarded.from), hops: forwarded.hops },
        (None, None) => Front::Nobody,
    }
}

/// Names that the log does not have are left out; the translation has reported them.
fn log_options(log: &AccessLog) -> access_log::Options {
    let set = |names: &[String]| names.iter().filter_map(|name| Field::named(name)).collect::<FieldSet>();
    let fields = log.fields.clone().unwrap_or_default();
    let format = match log.format {
        AccessLogFormat::Json => Format::Json,
        AccessLogFormat::Clf => Format::Clf,
    };
    let headers = |names: &[String], redact| -> Vec<LoggedHeader> {
        names.iter().filter_map(|name| Some(LoggedHeader::new(name.strip_prefix("header.")?, redact))).collect()
    };
    // A mark wins over the value.
    let mut chosen = headers(&fields.redact, true);
    chosen.extend(headers(&fields.keep, false));
    let mut seen = HashSet::new();
    chosen.retain(|header| seen.insert(header.name.clone()));
    access_log::Options { format, drop: set(&fields.drop), redact: set(&fields.redact), headers: chosen.into() }
}
