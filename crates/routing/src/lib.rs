//! Route tables: intermediate representation, compilation, lookup and the plan for a request.
//!
//! `translate` fills an [`ir::Ir`]. Everything here is pure: no I/O, no clock, no randomness.

mod hash;
pub mod ir;
pub mod pattern;
