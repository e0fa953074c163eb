//! Whole tiers on loopback, with real sockets, TLS and links.

mod alone;
mod fields;
mod limits;
mod support;
mod topology;
mod tracing;
