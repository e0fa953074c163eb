//! What an answer of the API server means for a topology: a condition's words, and whether it is worth another try soon.

use bailey_crds::conditions::Reason;
use bailey_kit::kube::Denied;

use crate::problem::Problem;

/// The problem that a failed call is. `what` completes the sentence, such as `cannot write Service a/b`.
pub fn problem(what: &str, error: &kube::Error) -> Problem {
    if let Some(denied) = Denied::of(error) {
        return Problem::new(Reason::PermissionMissing, format!("{what}: {denied}; apply Bailey's installation again"));
    }
    let kube::Error::Api(status) = error else {
        // The text of a broken connection names addresses and times: it would make a new message every time.
        return Problem::new(Reason::ClusterFailing, format!("{what}: the API server did not answer"));
    };
    match status.code {
        403 | 422 => Problem::new(Reason::Invalid, format!("{what}: the API server refuses it: {}", status.message)),
        _ => Problem::new(Reason::ClusterFailing, format!("{what}: {}", status.message)),
    }
}

/// Whether the object is not there.
pub fn is_missing(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

/// Whether the object is not any more what it was when it was looked at.
pub fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}

/// Whether the name is taken: somebody was faster. Any other conflict says nothing about who has it.
pub fn is_taken(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409 && status.reason == "AlreadyExists")
}
