//! Message bodies: taking them out of the stream of bytes and putting them in. Decides where a body ends and what may
//! stand around its chunks; never looks at the content.

mod decode;
mod encode;
mod trailers;

use bytes::Bytes;
pub use decode::BodyDecoder;
pub use encode::{BodyEncoder, WrongLength};
pub use trailers::is_trailer_allowed;

use crate::Fields;

/// A piece of a body.
#[derive(Debug, Clone)]
pub enum BodyPart {
    /// Content, never empty; shares the memory it was read into.
    Data(Bytes),
    /// The end, with the trailer fields that may be passed on.
    Trailers(Fields),
    /// The end.
    End,
}
