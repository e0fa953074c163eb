//! Tests across crates: the dependency law, goldens, the whole path on one machine.
