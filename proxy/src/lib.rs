//! The proxy that both tiers run.

pub mod io;
pub mod timer;
pub mod worker;
