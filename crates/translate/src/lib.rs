//! Kubernetes objects in, intermediate representation and diagnostics out.
//!
//! Pure and total: no clock, no I/O, no errors. What is wrong with an object is a [`Diagnostic`], and everything else is
//! translated all the same. The same code serves in the proxies, reports in the operator and runs in local mode.
//!
//! ```text
//! Objects + Scope ──translate──▶ Translation { ir, diagnostics, what became of each parentRef and listener }
//! IngressTopology ──resolve────▶ TierConfigs and HostnameBindings, which the outer and inner scopes read
//! ```

mod addresses;
pub mod analysis;
mod claims;
mod diagnostics;
mod durations;
mod gateway;
mod hosts;
mod inner;
pub mod names;
mod objects;
mod outer;
mod parents;
mod references;
mod routes;
mod selectors;
mod syntax;
mod tiers;
mod topology;
mod translation;
mod unknown;
mod upstreams;

pub use diagnostics::{Code, Diagnostic, Location, ObjectRef, Reason, Severity};
pub use gateway::{CONTROLLER, ListenerStatus};
pub use objects::{Entry, Key, Kind, Object, ObjectError, Objects, Set};
pub use routes::ParentStatus;
pub use topology::{LocalCertificates, Resolved, local_notes, resolve};
pub use translation::{Options, Scope, Translation, translate};
