#![no_main]
//! Whatever an authority sends as a certificate is taken or refused.

use bailey_acme::Time;
use bailey_acme::check::{check, read_chain};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let now = Time(1_800_000_000);
    let _ = check(data, "a.example.com", b"key", now);
    let _ = read_chain(&[data.to_vec()]);
});
