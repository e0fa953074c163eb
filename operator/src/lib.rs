//! The operator: makes the tiers of a topology in a cluster, and says what is wrong.
//!
//! ```text
//! observe ─▶ World ─ validate ─▶ ValidTopology ─ render ─▶ Manifests ─ apply ─▶ Outcome ─ report ─▶ status
//!                        └ ledger: who has which hostname       └ link: certificates between the tiers
//!            └ attach: what Gateways and routes are told    poll ─▶ proxies: what is really served
//! ```
//!
//! `validate`, `ledger`, `render`, `drift`, `link`, `permissions`, `workload`, `proxies` and `status` are pure: the same world
//! gives the same answer, and nothing is remembered between two rounds that could not be read again from the cluster.
//! `observe`, `apply`, `hostnames`, `certificates`, `poll`, `report` and `run` do I/O and decide nothing about tiers; `attach`
//! keeps the two apart in its own folder.

pub mod apply;
pub mod args;
pub mod attach;
pub mod cage;
pub mod certificates;
pub mod drift;
pub mod failure;
pub mod hostnames;
pub mod install;
pub mod labels;
pub mod ledger;
pub mod link;
pub mod manifest;
pub mod metrics;
pub mod names;
pub mod observe;
pub mod permissions;
pub mod poll;
pub mod problem;
pub mod proxies;
pub mod reconcile;
pub mod render;
pub mod report;
pub mod run;
pub mod status;
#[cfg(test)]
mod testing;
pub mod tier;
pub mod validate;
pub mod workload;
