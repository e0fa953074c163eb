#![no_main]
//! See `read_any` in the shared bodies, which run as short tests too.

#[allow(dead_code)]
#[path = "../../tests/link/bodies.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::read_any(data));
