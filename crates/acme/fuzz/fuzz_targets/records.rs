#![no_main]
//! Whatever a store gives back is a record or an error, also behind a checksum that fits; and a record that is read is written as
//! it was.

use bailey_acme::budget::Budget;
use bailey_acme::record::{Account, Certificate, Order, Record};

fn read<R: Record + PartialEq>(bytes: &[u8]) {
    if let Ok((record, fence)) = R::decode(bytes) {
        let again = R::decode(&record.encode(fence)).unwrap_or_else(|why| panic!("written and not read: {why}"));
        assert!(again == (record, fence));
    }
}

fn read_all(bytes: &[u8]) {
    read::<Certificate>(bytes);
    read::<Account>(bytes);
    read::<Order>(bytes);
    read::<Budget>(bytes);
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    read_all(data);
    if let Ok(text) = std::str::from_utf8(data) {
        read_all(&bailey_acme::record::sealed(text));
    }
});
