//! Reads heads. One pass over the bytes, line by line; a head that arrives in pieces goes on where the last piece
//! ended. Decides what is refused; what an accepted message means to a connection is decided by the connections.

mod framing;
mod line;
mod request;
mod response;
mod start_line;

pub(crate) use line::{Line, Lines, Next};
pub use request::RequestParser;
pub use response::{ResponseContext, ResponseParser};
