//! Bailey's Kubernetes API types, their validation rules and the condition vocabulary.
//!
//! This crate says what an object looks like and what a valid one is. It decides nothing about routing and does no I/O.

pub mod gateway;
pub mod unknown;
