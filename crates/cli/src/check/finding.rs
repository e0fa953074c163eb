//! How a finding about a cluster is made: a diagnostic whose object need not be one that Bailey reads.

use bailey_translate::{Code, Diagnostic, ObjectRef};

/// A finding about the object `kind` `namespace/name`, with the code's own remedy.
pub(super) fn found(
    code: Code,
    (kind, namespace, name): (&'static str, &str, &str),
    field: impl Into<String>,
    message: impl Into<String>,
) -> Diagnostic {
    Diagnostic {
        object: ObjectRef { kind, namespace: namespace.to_owned(), name: name.to_owned() },
        field: field.into(),
        code,
        message: message.into(),
        remedy: code.remedy().to_owned(),
        location: None,
    }
}
