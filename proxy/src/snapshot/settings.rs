//! What holds for a whole tier, read from its `TierConfig`; a tier alone has the defaults.

use bailey_translate::{Objects, Scope};

use crate::forward::address::Front;

/// The settings of one snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Settings {
    /// Who stands in front, and how that tells the client's address.
    pub front: Front,
    /// Every host belongs to a tenant: the tier is part of a topology.
    pub tenants: bool,
    /// Write RFC 7239's `Forwarded` for the application too.
    pub forwarded: bool,
}

impl Settings {
    /// Reads the settings of the tier `scope`.
    pub(super) fn read(_objects: &Objects, scope: &Scope) -> Self {
        match scope {
            Scope::Outer { .. } | Scope::Inner { .. } => Self { tenants: true, ..Self::default() },
            Scope::Gateway { .. } => Self::default(),
        }
    }
}
