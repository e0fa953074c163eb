//! The link between the tiers on real sockets: the outer side dials, the inner side accepts. The protocol itself is `bailey-link`'s.

mod channel;
pub(crate) mod client;
mod convert;
mod dial;
mod server;
mod stream;
mod wire;

pub(crate) use convert::ends;
pub use dial::LinkSecurity;
pub use server::{LinkDownstream, LinkService, Seats, serve_link};
pub use stream::LinkStream;

#[cfg(test)]
mod tests;
