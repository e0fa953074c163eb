//! What is worth saying about objects that are each well in themselves: what no request reaches, what nobody uses, what two
//! claim.
//!
//! A translation says what is wrong for one tier; this looks at all of them together, after the fact, and changes nothing that
//! is served. Costs about as much as compiling the tables. Used by tools and for the status of objects, never on the way of
//! a request.

mod hosts;
mod listeners;
mod shadows;
mod source;
mod topologies;

use bailey_routing::RouteTable;

use crate::diagnostics::{Diagnostic, Sink};
use crate::objects::Objects;
use crate::translation::Scope;
use source::Sources;

/// A tier and the table that was compiled for it.
#[derive(Clone, Debug)]
pub struct Tabled<'a> {
    /// Which tier.
    pub scope: Scope,
    /// What it routes by.
    pub table: &'a RouteTable,
}

/// Everything there is to say about these objects as a whole. `tiers` are all tiers that are known of; what needs one that is
/// missing is not said. `reported` is what their translations said already.
pub fn analyse(objects: &Objects, tiers: &[Tabled<'_>], reported: &[Diagnostic]) -> Vec<Diagnostic> {
    let mut sink = Sink::default();
    let sources = Sources::new(objects, reported);
    topologies::analyse(objects, &mut sink);
    for tier in tiers {
        shadows::analyse(tier.table, &sources, &mut sink);
        match &tier.scope {
            Scope::Inner { topology, tenant } => hosts::analyse(objects, topology, tenant, tier.table, &mut sink),
            Scope::Gateway { namespace, name } => listeners::analyse(objects, namespace, name, tier.table, &mut sink),
            Scope::Outer { .. } => {}
        }
    }
    sink.finish()
}

#[cfg(test)]
mod tests;
