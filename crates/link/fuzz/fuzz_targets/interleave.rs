#![no_main]
//! See `interleave` in the shared bodies, which run as short tests too.

#[allow(dead_code)]
#[path = "../../tests/link/bodies.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::interleave(data));
