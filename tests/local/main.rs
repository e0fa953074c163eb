//! The whole path on one machine: outer tier, link, inner tiers and applications, in one process, asked by an independent client.
#![expect(unreachable_pub, reason = "a test")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod alone;
mod attempts;
mod backend;
mod client;
mod client_address;
mod evil;
mod filters;
mod folder;
mod frames;
mod hostile;
mod hostile_h2;
mod http;
mod limits;
mod matches;
mod matrix;
mod messages;
mod observed;
mod page;
mod reload;
mod samples;
mod streams;
mod tenancy;
mod trust;
mod watched;
mod websocket;
