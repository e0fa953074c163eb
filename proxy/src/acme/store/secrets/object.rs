//! A record as a Secret, and back. Pure.
//!
//! One Secret holds one record under `record`, the certificate before it under `previous`, and under `broken-…` what could not
//! be read when it was written over. The fencing number of who wrote it is an annotation as well, so that it can be read
//! whatever the record is like.

use std::collections::BTreeMap;

use bailey_acme::record::Unreadable;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ObjectMeta;

use super::super::{Contents, Name};

/// The label with the topology's name.
pub(super) const TOPOLOGY: &str = "bailey.dev/topology";
/// The label with the kind of record.
pub(super) const KIND: &str = "bailey.dev/acme";
const FENCE: &str = "bailey.dev/fence";
/// What all names begin with; the Lease has the name without the hyphen.
const PREFIX: &str = "bailey-acme-";
/// The type of all of them.
const TYPE: &str = "bailey.dev/acme";
const RECORD: &str = "record";
const PREVIOUS: &str = "previous";
const BROKEN: &str = "broken-";

/// The Secret's name.
pub(super) fn secret_name(name: &Name) -> String {
    format!("{PREFIX}{name}")
}

/// A new Secret. Without a record it only carries a fencing number.
pub(super) fn new(topology: &str, name: &str, kind: &str, fence: u64, record: Option<&[u8]>) -> Secret {
    let labels = [(TOPOLOGY, topology), (KIND, kind), ("app.kubernetes.io/managed-by", "bailey-proxy")];
    let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(labels.map(owned).into_iter().collect()),
            annotations: Some([owned((FENCE, &fence.to_string()))].into_iter().collect()),
            ..ObjectMeta::default()
        },
        type_: Some(TYPE.to_owned()),
        data: Some(record.map(|record| (RECORD.to_owned(), ByteString(record.to_vec()))).into_iter().collect()),
        ..Secret::default()
    }
}

/// The same Secret with another record. The certificate before and what cannot be read stay in it.
pub(super) fn with_record(mut secret: Secret, name: &Name, fence: u64, record: &[u8]) -> Secret {
    let before = fence_of(&secret);
    let data = secret.data.get_or_insert_default();
    if let Some(old) = data.remove(RECORD) {
        match readable(name, &old.0) {
            Ok(()) | Err(Unreadable::Version(_)) if matches!(name, Name::Certificate(_)) => {
                data.insert(PREVIOUS.to_owned(), old);
            }
            Ok(()) => {}
            Err(_) => drop(data.insert(format!("{BROKEN}{before}"), old)),
        }
    }
    data.insert(RECORD.to_owned(), ByteString(record.to_vec()));
    with_fence(secret, fence)
}

/// The same Secret with another fencing number.
pub(super) fn with_fence(mut secret: Secret, fence: u64) -> Secret {
    secret.metadata.annotations.get_or_insert_default().insert(FENCE.to_owned(), fence.to_string());
    // The server writes its own.
    secret.metadata.managed_fields = None;
    secret
}

/// Which record of this topology a Secret is.
pub(super) fn name_of(secret: &Secret, topology: &str) -> Option<Name> {
    let labels = secret.metadata.labels.as_ref()?;
    let name = Name::parse(secret.metadata.name.as_deref()?.strip_prefix(PREFIX)?)?;
    let ours =
        labels.get(TOPOLOGY).is_some_and(|of| of == topology) && labels.get(KIND).is_some_and(|of| of == name.kind());
    ours.then_some(name)
}

/// Who wrote it. A number that is none counts as the lowest: the record says it again.
pub(super) fn fence_of(secret: &Secret) -> u64 {
    let text = secret.metadata.annotations.as_ref().and_then(|all| all.get(FENCE));
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Which version of the object it is.
pub(super) fn version_of(secret: &Secret) -> String {
    secret.metadata.resource_version.clone().unwrap_or_default()
}

/// The record.
pub(super) fn record(secret: &Secret) -> Option<&[u8]> {
    value(secret.data.as_ref()?, RECORD)
}

/// The one before it.
pub(super) fn previous(secret: &Secret) -> Option<&[u8]> {
    value(secret.data.as_ref()?, PREVIOUS)
}

fn value<'a>(data: &'a BTreeMap<String, ByteString>, key: &str) -> Option<&'a [u8]> {
    data.get(key).map(|value| value.0.as_slice())
}

/// Whether it is a record of its kind.
pub(super) fn readable(name: &Name, record: &[u8]) -> Result<(), Unreadable> {
    Contents::default().take(name, record)
}

/// Whether nothing of it may be lost when it is written over.
pub(super) fn must_be_read_first(secret: &Secret, name: &Name) -> bool {
    let broken = |key: &String| key.starts_with(BROKEN);
    matches!(name, Name::Certificate(_))
        || secret.data.as_ref().is_some_and(|data| data.keys().any(broken))
        || record(secret).is_some_and(|record| readable(name, record).is_err())
}

#[cfg(test)]
mod tests {
    use bailey_acme::budget::Budget;
    use bailey_acme::record::Record as _;

    use super::*;

    #[test]
    fn what_is_broken_stays_beside_what_takes_its_place() {
        let (name, budget) = (Name::Budget, Budget::default().encode(8));
        let secret = new("main", &secret_name(&name), name.kind(), 7, Some(b"not a record"));
        assert_eq!((name_of(&secret, "main"), name_of(&secret, "other")), (Some(Name::Budget), None));
        assert!(must_be_read_first(&secret, &name));
        let next = with_record(secret, &name, 8, &budget);
        assert_eq!((record(&next), fence_of(&next)), (Some(&budget[..]), 8));
        assert_eq!(value(next.data.as_ref().unwrap(), "broken-7"), Some(&b"not a record"[..]));
        // And goes on staying there.
        assert!(must_be_read_first(&next, &name));
        let last = with_record(next, &name, 8, &budget);
        assert_eq!(value(last.data.as_ref().unwrap(), "broken-7"), Some(&b"not a record"[..]));
    }
}
