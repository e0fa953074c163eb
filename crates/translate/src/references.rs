//! Whether a reference may cross namespaces. The one place that reads `ReferenceGrant`s.

use bailey_crds::gateway::ReferenceGrant;

use crate::objects::{Kind, Objects};

/// Who refers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct From<'a> {
    pub(crate) group: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) namespace: &'a str,
}

/// What is referred to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct To<'a> {
    pub(crate) group: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
}

impl<'a> From<'a> {
    /// Objects of the kind `T` in a namespace.
    pub(crate) fn kind<T: Kind>(namespace: &'a str) -> Self {
        Self { group: T::GROUP, kind: T::KIND, namespace }
    }
}

impl<'a> To<'a> {
    /// One object of the kind `T`.
    pub(crate) fn object<T: Kind>(namespace: &'a str, name: &'a str) -> Self {
        Self { group: T::GROUP, kind: T::KIND, namespace, name }
    }
}

/// A reference within a namespace is always permitted; one that crosses needs a grant where it leads to.
pub(crate) fn permitted(objects: &Objects, from: From<'_>, to: To<'_>) -> bool {
    from.namespace == to.namespace
        || objects.within::<ReferenceGrant>(to.namespace).any(|(_, grant)| grants(&grant.object, from, to))
}

fn grants(grant: &ReferenceGrant, from: From<'_>, to: To<'_>) -> bool {
    let sources = &grant.spec.from;
    let targets = &grant.spec.to;
    let source = |entry: &bailey_crds::gateway::ReferenceGrantFrom| {
        entry.group == from.group && entry.kind == from.kind && entry.namespace == from.namespace
    };
    let target = |entry: &bailey_crds::gateway::ReferenceGrantTo| {
        let name = entry.name.as_deref().filter(|name| !name.is_empty());
        entry.group == to.group && entry.kind == to.kind && name.is_none_or(|name| name == to.name)
    };
    sources.iter().any(source) && targets.iter().any(target)
}
