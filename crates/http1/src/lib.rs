//! A strict HTTP/1.1 codec, server and client side, without I/O.
//!
//! Reads only what every parser behind it would read the same way, and refuses the rest with a reason. Heads are one
//! buffer and a short array of ranges; bodies pass through without being copied. Opens no socket, reads no clock.

mod authority;
mod body;
mod class;
mod client;
mod encode;
mod fields;
mod head;
mod hop_by_hop;
mod limits;
mod method;
mod parse;
mod reason;
mod refusal;
mod server;
mod target;

pub use authority::Authority;
pub use body::{BodyDecoder, BodyEncoder, BodyPart, WrongLength, is_trailer_allowed};
pub use client::ClientConnection;
pub use encode::{ConnectionOption, encode_request, encode_response};
pub use fields::{Fields, InvalidField, LineStart, is_secret};
pub use head::{BodyLength, RequestHead, ResponseHead, Scheme, Upgrade, Version};
pub use hop_by_hop::{ConnectionTokens, remove_hop_by_hop_from_request, remove_hop_by_hop_from_response};
pub use limits::Limits;
pub use method::{MAX_METHOD, Method, OtherMethod};
pub use parse::{RequestParser, ResponseContext, ResponseParser};
pub use refusal::Refusal;
pub use server::{Next, ServerConnection};
pub use target::{Target, check_path};
