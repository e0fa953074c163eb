//! The rules of Gateway API, one test each.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "rules/finding.rs"]
mod finding;
#[path = "rules/listing.rs"]
mod listing;
#[path = "rules/planning.rs"]
mod planning;
#[path = "rules/redirecting.rs"]
mod redirecting;
#[path = "rules/sharing.rs"]
mod sharing;
#[path = "rules/surveying.rs"]
mod surveying;
#[path = "rules/world.rs"]
mod world;
