//! Where a proxy's objects come from. A source yields whole sets of objects and says what is wrong with them; it decides nothing about routes.
//!
//! - [`file`]: a folder of YAML (local mode, tests, benchmarks)
//! - [`watch`]: tells when that folder has changed
//! - [`kubernetes`]: a cluster, watched by the tier itself
//! - [`disk`]: the last good set, for a start when the source itself cannot be read

pub mod disk;
pub mod file;
pub mod kubernetes;
pub mod watch;
