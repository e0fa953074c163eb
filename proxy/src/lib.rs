//! The proxy that both tiers run.
