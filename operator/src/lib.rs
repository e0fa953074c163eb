//! The operator: makes the tiers of a topology in a cluster, and says what is wrong.
//!
//! ```text
//! observe ─▶ World ─ validate ─▶ ValidTopology ─ render ─▶ Manifests ─ apply ─▶ Outcome ─ report ─▶ status
//!                        └ ledger: who has which hostname       └ link: certificates between the tiers
//! ```
//!
//! `validate`, `ledger`, `render`, `link::decide`, `permissions` and `status` are pure: the same world gives the same
//! answer, and nothing is remembered between two rounds that could not be read again from the cluster. `observe`, `apply`,
//! `report` and `leader` do I/O and decide nothing about tiers.

pub mod labels;
pub mod ledger;
pub mod link;
pub mod manifest;
pub mod names;
pub mod problem;
pub mod render;
pub mod tier;
pub mod validate;
