//! What each tier does with a request, and how the client's address travels.

use serde::Serialize;

use super::Cause;

/// What one tier does with the request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TierAccount {
    /// `outer`, `inner` or `gateway`.
    pub tier: &'static str,
    /// Its name in `Proxy-Status`.
    pub name: &'static str,
    /// Which one: `main`, `main, tenant a`, `a/web`.
    pub of: String,
    /// The listener.
    pub listener: String,
    /// The host that is looked up.
    pub host: String,
    /// Field changes when the request arrives, before any route is asked.
    pub arrival: Vec<FieldChange>,
    /// Host patterns that were tried, the most specific first.
    pub hosts: Vec<HostTried>,
    /// Matches of rules in order of precedence.
    pub candidates: Vec<Candidate>,
    /// How many more there are, of those that failed.
    pub candidates_left_out: usize,
    /// The rule that takes the request.
    pub won: Option<Won>,
    /// What may become of it then: one way for each backend that has a share, or one answer of the tier.
    pub ways: Vec<Way>,
}

/// A host pattern under which routes were looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostTried {
    /// The pattern.
    pub pattern: String,
    /// The tenant whose routes are there.
    pub tenant: Option<String>,
    /// `false`: the pattern is another tenant's than the more specific one above, so it is not asked.
    pub asked: bool,
    /// How many matches of rules there are under it.
    pub candidates: usize,
}

/// A rule, by where it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleRef {
    /// The route, as `HTTPRoute a/web`.
    pub route: String,
    /// The rule's place in it, from 0 (among those that are served).
    pub rule: usize,
    /// The rule's name.
    pub name: Option<String>,
    /// Which of its matches, from 0; `None`: it has none and takes everything.
    #[serde(rename = "match")]
    pub matched: Option<usize>,
    /// The host pattern under which it is looked up.
    pub host: String,
    /// What it asks for, as `path /shop/* · header x-beta: yes`.
    pub wants: String,
}

/// A match of a rule, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// The rule.
    #[serde(flatten)]
    pub rule: RuleRef,
    /// What became of it.
    pub result: CandidateResult,
    /// The first condition that failed.
    pub failed: Option<Failed>,
    /// Why another one that matches too comes first.
    pub beaten: Option<String>,
}

/// What became of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CandidateResult {
    /// It takes the request.
    Won,
    /// It would take it, but another one comes first.
    Beaten,
    /// A condition fails.
    Failed,
}

/// A condition that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// `path`, `method`, `header` or `query`.
    pub condition: &'static str,
    /// Name of the field or parameter.
    pub name: Option<String>,
    /// What the rule asks for.
    pub wanted: String,
    /// What the request has; `None`: nothing of that name.
    pub got: Option<String>,
}

/// The rule that takes a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Won {
    /// The rule.
    #[serde(flatten)]
    pub rule: RuleRef,
    /// Why it comes before the others that match: one sentence for the next in line, empty when it is alone.
    pub why: String,
}

/// One thing that may become of a request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Way {
    /// Its share of the requests in percent.
    pub percent: f64,
    /// Where it goes; `None`: the tier answers without a backend.
    pub backend: Option<BackendView>,
    /// The answer of the tier; `None`: it is forwarded.
    pub answer: Option<AnswerView>,
    /// The head that is sent on; `None`: nothing is.
    pub sent: Option<SentHead>,
    /// Field changes of the request between arriving and being sent on.
    pub request: Vec<FieldChange>,
    /// Field changes of the response.
    pub response: Vec<FieldChange>,
    /// Where copies go.
    pub mirrors: Vec<MirrorView>,
    /// Deadlines.
    pub timeouts: Option<Timeouts>,
    /// Repetitions.
    pub retries: Option<Retries>,
}

/// A backend of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackendView {
    /// Its place in the rule, from 0.
    pub index: usize,
    /// `Service a/app port 80`, `link to tenant a`, or why the reference leads nowhere.
    pub target: String,
    /// `HTTP/1.1`, `h2c` or `link`; empty where the reference leads nowhere.
    pub protocol: &'static str,
    /// Its weight.
    pub weight: u32,
    /// Ready endpoints.
    pub endpoints: Vec<String>,
}

/// An answer of a tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AnswerView {
    /// The status.
    pub status: u16,
    /// Why.
    pub cause: Cause,
    /// One sentence.
    pub detail: String,
    /// `Location`, of a redirect.
    pub location: Option<String>,
}

/// A request head as it is sent on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SentHead {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Host and port.
    pub host: String,
    /// All fields in order.
    pub fields: Vec<(String, String)>,
    /// What travels beside the head: on a link the client, its port, the scheme.
    pub beside: Vec<(&'static str, String)>,
}

/// A change of a header field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    /// Lower-case name.
    pub name: String,
    /// What happened.
    pub change: Change,
    /// Values before.
    pub before: Vec<String>,
    /// Values after.
    pub after: Vec<String>,
    /// Who did it.
    pub by: String,
}

/// What happened to a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is gone.
    Deleted,
    /// It has another value, or is new.
    Set,
    /// It has a value more.
    Added,
}

/// A copy of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MirrorView {
    /// Where it goes.
    pub target: String,
    /// How many of the requests, as `1/1`.
    pub fraction: String,
    /// Why it is not made, if it never is.
    pub problem: Option<String>,
}

/// Deadlines, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Timeouts {
    /// For the whole exchange; `None`: none.
    pub request_ms: Option<u64>,
    /// For one attempt; `None`: none.
    pub attempt_ms: Option<u64>,
    /// Until the first byte of an answer.
    pub first_byte_ms: u64,
}

/// When a request is sent once more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Retries {
    /// Repetitions that the route asks for.
    pub attempts: u8,
    /// Repetitions that do no harm, made without being asked.
    pub unasked: u8,
    /// Statuses that are worth one.
    pub codes: Vec<u16>,
    /// The first pause, in milliseconds.
    pub backoff_ms: u64,
    /// The method may be repeated once something was sent.
    pub idempotent: bool,
}

/// What one hop knows of the client's address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AddressStep {
    /// `outer`, `inner`, `gateway`, `application`.
    pub hop: &'static str,
    /// The other end of its connection.
    pub peer: String,
    /// What it is told, as `x-forwarded-for: 6.6.6.6`; empty when nothing.
    pub told: String,
    /// Whether that is believed.
    pub believed: bool,
    /// The client's address from here on.
    pub client: String,
    /// Why.
    pub why: String,
}
