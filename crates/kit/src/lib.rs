//! Process chores that every Bailey program shares: logs, traces, the admin port, readiness, signals. Knows nothing of routes or Kubernetes.

pub mod admin;
pub mod logging;
pub mod readiness;
pub mod signal;
pub mod telemetry;
