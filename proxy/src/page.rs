//! The page on the admin port: what a tier, or all tiers of a folder, do and why. Read-only, rendered here, readable without
//! its script.

pub mod graph;
pub mod query;
