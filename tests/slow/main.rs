//! The slower suites: real `bailey-proxy` processes on loopback, an outer and an inner tier, under load, restarts, floods and large bodies.
//!
//! Run by `make slow`. Every process is stopped by its own id; figures go to standard error, and nothing is asserted about speed.

mod bodies;
mod cancel;
mod certificates;
mod client;
mod drain;
mod edits;
mod floods;
mod frames;
mod framing;
mod load;
mod no_loss;
mod origin;
mod process;
mod site;
