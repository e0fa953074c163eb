//! Process chores that every Bailey program shares: logs, traces, the admin port, readiness, signals,
//! watches of a cluster. Knows nothing of routes.

pub mod admin;
pub mod kube;
pub mod logging;
pub mod readiness;
pub mod signal;
pub mod telemetry;
