//! The link protocol, seen from outside: two connections joined by byte buffers, or one and bytes written by hand.

mod bodies;
mod document;
mod exchange;
mod flow;
mod properties;
mod streams;
mod support;
mod violations;
