//! Route tables: intermediate representation, compilation, lookup and the plan for a request.
//!
//! ```text
//! Ir --compile--> RouteTable --find(listener, host, request)--> Found --plan--> Plan
//!                     `--apply(changes)--> the next RouteTable, sharing all that did not change
//! ```
//! Everything is pure: no I/O, no clock, no randomness, and nothing is known of Kubernetes or of an HTTP library.

mod compile;
mod find;
mod hash;
mod host;
pub mod ir;
mod listing;
mod matching;
mod overlap;
pub mod pattern;
mod persistent;
mod plan;
mod precedence;
mod request;
mod survey;
mod table;

pub use compile::{Change, compile};
pub use find::{Found, HostRoutes, Matched};
pub use host::host_of;
pub use listing::{Hidden, Listed};
pub use matching::Condition;
pub use overlap::{Overlap, overlap};
pub use plan::{Arrival, Cause, Forward, HeaderOp, OwnHeaders, PathChange, Plan, Respond, draws, https_redirect, plan};
pub use precedence::Criterion;
pub use request::RequestView;
pub use survey::{Considered, Layer, Mismatch, Shadow};
pub use table::{ListenerId, RouteTable};
