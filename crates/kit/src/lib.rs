//! Process chores: logs, metrics, the admin server, readiness, drain.
