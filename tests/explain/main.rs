//! Explanations against real tiers: what `bailey_proxy::explain` says of a request is what happens to it.
#![expect(unreachable_pub, reason = "a test")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod agreement;
mod mistakes;
mod running;
