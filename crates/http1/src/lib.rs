//! A strict HTTP/1.1 codec, server and client side, without I/O.
