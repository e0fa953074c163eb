//! Keeping what we do not know: fields of an object that these types have no place for are kept and can be listed.
//!
//! A field that is silently dropped is a promise silently broken, so every Gateway API struct here keeps the rest of its
//! fields in `unknown`, and [`UnknownFields`] lists them with their exact path. What to say about them is `translate`'s.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

/// Lists the fields of an object that its type does not know.
pub trait UnknownFields {
    /// Adds the path of every unknown field below `path` to `found`, in the order of the type's fields.
    fn collect_unknown(&self, path: &str, found: &mut Vec<String>);

    /// The paths of all unknown fields, such as `spec.rules[0].matches[1].hostname`.
    fn unknown_fields(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.collect_unknown("", &mut found);
        found
    }
}

impl<T: UnknownFields> UnknownFields for Option<T> {
    fn collect_unknown(&self, path: &str, found: &mut Vec<String>) {
        if let Some(inner) = self {
            inner.collect_unknown(path, found);
        }
    }
}

impl<T: UnknownFields> UnknownFields for Vec<T> {
    fn collect_unknown(&self, path: &str, found: &mut Vec<String>) {
        for (index, item) in self.iter().enumerate() {
            item.collect_unknown(&format!("{path}[{index}]"), found);
        }
    }
}

/// Types without fields of their own, or whose keys are the user's.
macro_rules! leaves {
    ($($leaf:ty),* $(,)?) => { $(
        impl $crate::unknown::UnknownFields for $leaf {
            fn collect_unknown(&self, _path: &str, _found: &mut Vec<String>) {}
        }
    )* };
}
pub(crate) use leaves;
leaves!(String, bool, u16, u32, BTreeMap<String, String>, LabelSelector);

/// `path` extended by a field; `name` is as Rust spells it and comes out as the API spells it (`parent_refs` → `parentRefs`).
pub(crate) fn child(path: &str, name: &str) -> String {
    let mut out = String::with_capacity(path.len() + name.len() + 1);
    out.push_str(path);
    if !path.is_empty() {
        out.push('.');
    }
    for (index, word) in name.split('_').enumerate() {
        let (head, tail) = word.split_at(usize::from(index > 0 && !word.is_empty()));
        out.push_str(&head.to_ascii_uppercase());
        out.push_str(tail);
    }
    out
}

/// Structs that keep the fields they do not know. Field names follow the API's camel case.
macro_rules! tolerant {
    ($($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident: $ty:ty,)* })*) => { $(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $ty,)*
            /// Fields that this type does not know, kept so that they can be reported.
            #[serde(flatten)]
            pub unknown: std::collections::BTreeMap<String, serde_json::Value>,
        }

        impl $crate::unknown::UnknownFields for $name {
            fn collect_unknown(&self, path: &str, found: &mut Vec<String>) {
                $($crate::unknown::UnknownFields::collect_unknown(
                    &self.$field, &$crate::unknown::child(path, stringify!($field)), found);)*
                for key in self.unknown.keys() {
                    found.push(if path.is_empty() { key.clone() } else { format!("{path}.{key}") });
                }
            }
        }
    )* };
}
pub(crate) use tolerant;

/// Enums of the API, with a place for a value that came after us (or is a typing error): kept as text, never a failure.
macro_rules! open_enum {
    ($($(#[$meta:meta])* pub enum $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)* })*) => { $(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$variant_meta])* #[serde(rename = $text)] $variant,)*
            /// A value this version does not know, as it was written.
            #[serde(untagged)]
            Other(String),
        }

        impl $name {
            /// The value as the API spells it.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(text) => text,
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        $crate::unknown::leaves!($name);
    )* };
}
pub(crate) use open_enum;
