//! What there is to say of one route.

use serde::Serialize;

use super::{Related, RuleRef};

/// Everything there is to say of one route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RouteAccount {
    /// The route, as `HTTPRoute a/web`.
    pub route: String,
    /// Where it is written.
    pub location: Option<String>,
    /// Requests can reach it.
    pub served: bool,
    /// One sentence.
    pub sentence: String,
    /// The tiers that serve it, with listener and hosts.
    pub attachments: Vec<AttachmentView>,
    /// Its rules that are served.
    pub rules: Vec<RuleAccount>,
    /// What is wrong with it.
    pub related: Vec<Related>,
}

/// A route on a listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttachmentView {
    /// `inner tier of main, tenant a`.
    pub tier: String,
    /// The listener.
    pub listener: String,
    /// Host patterns.
    pub hosts: Vec<String>,
}

/// A rule of a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleAccount {
    /// Its place, from 0.
    pub rule: usize,
    /// Its name.
    pub name: Option<String>,
    /// What becomes of requests.
    pub does: Vec<String>,
    /// The ways to reach it.
    pub matches: Vec<MatchAccount>,
}

/// One match of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MatchAccount {
    /// What it asks for.
    pub wants: String,
    /// Requests that show what reaches it, as URLs.
    pub example: String,
    /// Rules that come first.
    pub shadows: Vec<Shadow>,
}

/// A rule that comes first for requests of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shadow {
    /// It takes all of them, not only some.
    pub fully: bool,
    /// The rule.
    pub by: RuleRef,
    /// Why it comes first.
    pub why: String,
}
