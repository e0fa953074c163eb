//! Certificates by ACME (RFC 8555), as decisions: which are wanted, when each is ordered or renewed, how far an order has
//! come, what the authority's limits allow, and whether what it gave can be used.
//!
//! Opens no socket and no file and reads no clock: every function takes the time, and what is to be done comes back as
//! [`order::Action`]s for a driver. So years of renewals, outages and crashes run in a test within seconds.

pub mod agenda;
pub mod backoff;
pub mod budget;
pub mod challenge;
pub mod check;
pub mod names;
pub mod order;
pub mod record;
pub mod renewal;
mod secret;
mod time;

pub use secret::Secret;
pub use time::Time;
