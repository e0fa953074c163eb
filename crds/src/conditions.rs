//! The words of conditions: types and reasons, those of the Gateway API and ours. Nobody writes such a word by hand.

/// Enums of fixed words.
macro_rules! words {
    ($($(#[$meta:meta])* pub enum $name:ident { $($(#[$doc:meta])* $word:ident,)* })*) => { $(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$doc])* $word,)* }

        impl $name {
            /// Every word, in the order of its documentation.
            pub const ALL: &'static [Self] = &[$(Self::$word,)*];

            /// The word as it stands in a condition.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$word => stringify!($word),)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )* };
}

words! {
    /// The type of a condition.
    pub enum ConditionType {
        /// The object is understood and will be acted on.
        Accepted,
        /// What it asks for is in the proxies.
        Programmed,
        /// Every reference leads to something that may be used.
        ResolvedRefs,
        /// Part of the object is left out (routes).
        PartiallyInvalid,
        /// Two listeners want the same (listeners).
        Conflicted,
        /// Every certificate is there and in date.
        CertificatesReady,
        /// Everything is in order.
        Ready,
    }

    /// Why a condition is as it is.
    pub enum Reason {
        /// Accepted: all is well.
        Accepted,
        /// Programmed: all is well.
        Programmed,
        /// ResolvedRefs: all is well.
        ResolvedRefs,
        /// Ready: all is well.
        Ready,
        /// Nothing is known yet.
        Pending,
        /// Work is under way.
        Progressing,
        /// The object breaks a rule of its kind.
        Invalid,
        /// A parameter object is missing or wrong.
        InvalidParameters,
        /// A field or value is known to the API but not supported here.
        UnsupportedValue,
        /// A field that this kind does not have.
        UnknownField,
        /// The listener's protocol is not supported.
        UnsupportedProtocol,
        /// The address cannot be had.
        AddressNotUsable,
        /// The address type is not supported.
        UnsupportedAddress,
        /// A port of the listener cannot be had.
        PortUnavailable,
        /// Another listener has the same hostname and port.
        HostnameConflict,
        /// Another listener has the port with another protocol.
        ProtocolConflict,
        /// No two listeners conflict.
        NoConflicts,
        /// The listener accepts a kind of route that it cannot serve.
        InvalidRouteKinds,
        /// A certificate reference leads to nothing usable.
        InvalidCertificateRef,
        /// One listener or more is not valid.
        ListenersNotValid,
        /// The listener does not let routes of this namespace or kind attach.
        NotAllowedByListeners,
        /// No hostname of the route fits the listener.
        NoMatchingListenerHostname,
        /// No listener of the parent fits the reference.
        NoMatchingParent,
        /// No ReferenceGrant allows the reference.
        RefNotPermitted,
        /// The kind of the reference is not one that can be used.
        InvalidKind,
        /// The backend does not exist.
        BackendNotFound,
        /// The backend speaks a protocol that cannot be used here.
        UnsupportedBackendProtocol,
        /// Filters of one rule contradict each other.
        IncompatibleFilters,
        /// The hostname is not one of the tenant's.
        HostnameNotGranted,
        /// Another tenant owns the hostname.
        HostnameOwned,
        /// The hostname is not a hostname.
        InvalidHostname,
        /// The tenant has as much as it may have.
        LimitExceeded,
        /// The tenant is switched off.
        TenantSuspended,
        /// The outer namespace or a tenant's namespace does not exist.
        NamespaceNotFound,
        /// An object of the name exists and is not ours.
        NameConflict,
        /// Another controller keeps changing an object of ours.
        Contested,
        /// The API server refused or did not answer; it is tried again.
        ClusterFailing,
        /// A permission is missing; the message names verb, resource, namespace and subject.
        PermissionMissing,
        /// Not every proxy is ready.
        ProxiesNotReady,
        /// A certificate is on its way.
        CertificatesPending,
        /// A certificate could not be got or has ended.
        CertificatesFailed,
        /// The field has no effect where the object is used, such as in local mode.
        NoEffectHere,
    }
}

#[cfg(test)]
mod tests {
    use super::{ConditionType, Reason};

    #[test]
    fn every_word_is_a_valid_condition_reason() {
        let words =
            ConditionType::ALL.iter().map(|word| word.as_str()).chain(Reason::ALL.iter().map(|word| word.as_str()));
        for word in words {
            assert!(word.starts_with(|first: char| first.is_ascii_uppercase()), "{word}");
            assert!(word.chars().all(|letter| letter.is_ascii_alphanumeric()), "{word}");
        }
    }
}
