//! The `bailey` program.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    bailey::run(bailey::args::parse(std::env::args_os()))
}
