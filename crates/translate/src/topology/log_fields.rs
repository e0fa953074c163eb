//! Names in `accessLog.fields` that mean nothing.

use bailey_crds::{ACCESS_LOG_FIELDS, AccessLogFormat, IngressTopology};

use crate::diagnostics::{Code, Sink};
use crate::objects::Entry;

/// Reports every entry that changes nothing in the log.
pub(crate) fn report(entry: &Entry<IngressTopology>, sink: &mut Sink) {
    let Some(log) = &entry.object.spec.access_log else { return };
    let Some(fields) = &log.fields else { return };
    let subject = entry.subject();
    for (list, names) in [("drop", &fields.drop), ("keep", &fields.keep), ("redact", &fields.redact)] {
        for (index, name) in names.iter().enumerate() {
            let Some(message) = problem(list, name, log.format) else { continue };
            let field = format!("spec.accessLog.fields.{list}[{index}]");
            sink.push(subject.problem(Code::LogFieldUnknown, field, message));
        }
    }
}

fn problem(list: &str, name: &str, format: AccessLogFormat) -> Option<String> {
    if let Some(header) = name.strip_prefix("header.") {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        return if header.is_empty() || !header.bytes().all(token) {
            Some(format!("{header:?} is not the name of a header"))
        } else if list == "drop" {
            Some(format!("{name} is not there unless it is kept"))
        } else if format == AccessLogFormat::Clf {
            Some(format!("the format clf has a fixed set of fields, without {name}"))
        } else {
            None
        };
    }
    if !ACCESS_LOG_FIELDS.contains(&name) {
        return Some(format!("the access log has no field {name}"));
    }
    (list == "keep").then(|| format!("{name} is there anyway"))
}
