//! Certificates that this tier gets for itself. What is wanted and what comes next is decided in `bailey-acme`; here is
//! what touches the world: the store, the authority, and what the workers answer with.
//!
//! ```text
//! snapshot ──names──▶ Hold ──watch──▶ Driver ──step──▶ actions ──▶ Client ──▶ the authority
//!                      ▲  proofs, certificates │            └────▶ Store ◀──▶ the other replicas
//! handshakes, requests ┘◀──────────────────────┘
//! ```
//! [`Ordering`] begins a driver, and another one when what the tier is asked changes.

mod account;
mod authority;
mod client;
mod dns;
mod driver;
mod hold;
mod jws;
mod keys;
mod material;
mod ordering;
mod prover;
mod reach;
mod register;
mod settings;
pub mod store;

pub use dns::Dns;
pub use driver::{Driver, DriverError};
pub use hold::{Hold, Listed, Listing, Names, Orders, Renewals, Served, Step};
pub use material::{Material, Pem, Reference};
pub use ordering::{Asked, Ordering, OrderingError};
pub use settings::{ExternalAccount, Settings, SettingsError};

#[cfg(test)]
mod tests;
