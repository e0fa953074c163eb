//! Who has which hostname. Pure: the wishes of a topology's tenants and the bindings that exist give what is to be done.
//!
//! A hostname belongs to whoever has its `HostnameBinding`, however old or new the wish of anybody else is. One that is
//! given up stays reserved for its tenant for the hold time, so that nobody takes over traffic that is still on its way;
//! deleting the binding by hand ends that at once. Wildcards and names below them are kept apart between tenants too.
//!
//! That holds across topologies: the same name means the same tenant in all of them, so a tenant may have a hostname at two
//! edges (one for the internet, one for the house), and two tenants never.

use std::collections::BTreeMap;

use bailey_crds::Hostname;
use jiff::{SignedDuration, Timestamp};

/// How long a released hostname is kept from other tenants.
pub const HOLD: SignedDuration = SignedDuration::from_hours(24);

/// A hostname that a tenant asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wish {
    /// The hostname.
    pub hostname: Hostname,
    /// The tenant.
    pub tenant: String,
}

/// A binding that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The hostname.
    pub hostname: Hostname,
    /// The namespace of the binding: the outer tier's of its topology.
    pub namespace: String,
    /// The topology of its owner.
    pub topology: String,
    /// The tenant that has it.
    pub tenant: String,
    /// When it was given up, if it was.
    pub released: Option<Timestamp>,
}

/// A wish that is not granted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lost {
    /// The hostname that was asked for.
    pub hostname: Hostname,
    /// Who asked.
    pub tenant: String,
    /// The hostname that stands against it: the same, or one that covers it or is covered.
    pub against: Hostname,
    /// The topology of the owner.
    pub owner_topology: String,
    /// The owner.
    pub owner: String,
    /// The end of the hold time, when the owner has given it up.
    pub held_until: Option<Timestamp>,
}

/// What is to be done with the bindings of one topology.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Hostnames of each tenant: those it has, and those it may try to take.
    pub granted: BTreeMap<String, Vec<Hostname>>,
    /// Wishes that are not granted.
    pub lost: Vec<Lost>,
    /// Bindings of this topology that nobody asks for any more: they are to be marked as released now.
    pub release: Vec<Held>,
    /// Bindings of this topology that are released and still held.
    pub holding: Vec<Held>,
    /// Bindings whose hold time is over, or that stayed in a namespace which the outer tier has left: they are to be deleted.
    pub expired: Vec<Held>,
}

/// The topology whose hostnames are decided on.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// Its name.
    pub topology: &'a str,
    /// The namespace of its outer tier, where its bindings are.
    pub namespace: &'a str,
}

impl Asking<'_> {
    fn is_own(&self, held: &Held) -> bool {
        held.topology == self.topology
    }

    /// Whether a binding stands against a wish of this tenant: another tenant's does, and that of another topology in the
    /// same namespace, since there is one binding for a name there.
    fn is_foreign(&self, held: &Held, tenant: &str) -> bool {
        held.tenant != tenant || (!self.is_own(held) && held.namespace == self.namespace)
    }
}

/// Decides on all hostnames of one topology. `held` are the bindings of the cluster, whoever they are of. Wishes are served
/// in their own order where nobody has the name yet.
pub fn decide(asking: Asking<'_>, wishes: &[Wish], held: &[Held], now: Timestamp) -> Decision {
    let mut decision = Decision::default();
    let wanted = |held: &Held| {
        asking.is_own(held) && wishes.iter().any(|w| w.hostname == held.hostname && w.tenant == held.tenant)
    };
    // What stands against new wishes: bindings that are in use, and those that are still held.
    let mut standing: Vec<Held> = Vec::new();
    for one in held {
        match one.released {
            _ if asking.is_own(one) && one.namespace != asking.namespace => decision.expired.push(one.clone()),
            _ if wanted(one) => standing.push(Held { released: None, ..one.clone() }),
            None if asking.is_own(one) => {
                decision.release.push(one.clone());
                standing.push(Held { released: Some(now), ..one.clone() });
            }
            None => standing.push(one.clone()),
            Some(at) if now.duration_since(at) < HOLD => {
                standing.push(one.clone());
                if asking.is_own(one) {
                    decision.holding.push(one.clone());
                }
            }
            Some(_) if asking.is_own(one) => decision.expired.push(one.clone()),
            Some(_) => {}
        }
    }
    for wish in wishes {
        let against = standing
            .iter()
            .filter(|held| asking.is_foreign(held, &wish.tenant))
            .find(|held| held.hostname.overlaps(&wish.hostname));
        if let Some(against) = against {
            decision.lost.push(Lost {
                hostname: wish.hostname.clone(),
                tenant: wish.tenant.clone(),
                against: against.hostname.clone(),
                owner_topology: against.topology.clone(),
                owner: against.tenant.clone(),
                held_until: against.released.and_then(|at| at.checked_add(HOLD).ok()),
            });
            continue;
        }
        let granted = decision.granted.entry(wish.tenant.clone()).or_default();
        if !granted.contains(&wish.hostname) {
            granted.push(wish.hostname.clone());
            standing.push(Held {
                hostname: wish.hostname.clone(),
                namespace: asking.namespace.to_owned(),
                topology: asking.topology.to_owned(),
                tenant: wish.tenant.clone(),
                released: None,
            });
        }
    }
    decision
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { hostname, tenant, against, owner_topology, owner, held_until } = self;
        write!(f, "tenant {owner} of topology {owner_topology} ")?;
        match held_until {
            None => write!(f, "owns {against}, so {hostname} cannot be tenant {tenant}'s")?,
            Some(until) => write!(
                f,
                "gave {against} up, and it is held until {until:.0}, so {hostname} is not tenant {tenant}'s yet; \
                 delete HostnameBinding {} to end that now",
                against.binding_name()
            )?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
