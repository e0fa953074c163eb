//! The proxy that both tiers run: an outer tier, an inner tier, or one tier alone, from the same parts.
//!
//! ```text
//! front/h1 ─┐                                   ┌─ link client   (to a tenant's inner tier)
//! front/h2 ─┼─ Downstream ─ forward ─ Upstream ─┼─ upstream h1   (to an endpoint)
//! link srv ─┘                                   └─ upstream h2c  (to an endpoint)
//! ```
//!
//! `forward` decides, everything around it moves bytes. Configuration comes in through `source`, becomes one immutable
//! `Snapshot`, and is swapped whole; a request keeps the one it started with.

pub mod access_log;
pub mod acme;
pub mod args;
pub mod describe;
pub mod error;
pub mod exchange;
pub mod explain;
pub mod forward;
pub mod front;
pub mod io;
pub mod limits;
pub mod link;
pub mod listen;
pub mod metrics;
pub mod page;
pub mod respond;
mod seats;
mod secrets;
pub mod serve;
pub mod served;
pub mod snapshot;
pub mod source;
pub mod telemetry;
pub mod tier;
pub mod timer;
pub mod tls;
pub mod upstream;
pub mod worker;

pub use secrets::secret_parameters;
pub use tier::{
    Address, Applied, DrainTimes, LinkCredentials, LogTarget, Role, StartError, Tier, TierHandle, TierOptions,
};
