//! Whole tiers on loopback, with real sockets, TLS and links.

mod alone;
mod limits;
mod support;
mod topology;
