//! The `bailey` program.
fn main() {}
