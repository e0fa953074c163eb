//! The limits that refuse or cut something, by the path of their field in the API, so that who reads the metric knows what to change.

macro_rules! limits {
    ($($variant:ident $name:literal)*) => {
        /// A limit that was hit.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Limit {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
        }

        impl Limit {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The path of its field: in the limits of a tier, or below `tenants` in those of a tenant.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }

        /// How many there are.
        pub(super) const LIMITS: usize = Limit::ALL.len();
    };
}

limits! {
    Handshake "accept.handshakeSeconds"
    ProxyHeaderTime "accept.proxyHeaderSeconds"
    HeaderTime "http1.headerSeconds"
    HeaderBytes "http1.headerBytes"
    HeaderFields "http1.headerFields"
    TargetBytes "http1.targetBytes"
    Http2HeaderFields "http2.headerFields"
    EarlyResetsPerSecond "http2.earlyResetsPerSecond"
    EarlyResets "http2.earlyResets"
    OwnResets "http2.ownResets"
    Pings "http2.pingsPerSecond"
    Settings "http2.settingsPerSecond"
    EmptyData "http2.emptyDataPerSecond"
    WindowUpdates "http2.windowUpdatesPerSecond"
    Priorities "http2.prioritiesPerSecond"
    Continuations "http2.continuations"
    BodyStall "body.stallSeconds"
    BodyRate "body.minimumBytesPerSecond"
    WriteStall "body.writeStallSeconds"
    Idle "connection.idleSeconds"
    Requests "connection.requests"
    Age "connection.ageSeconds"
    Connections "connection.total"
    ConnectionsOfSource "connection.perSource"
    ConnectionsOfTenant "connection.tenantPercent"
    Connect "upstream.connectSeconds"
    FirstByte "upstream.firstByteSeconds"
    InFlight "upstream.inFlight"
    RetryBudget "upstream.retryBudgetPercent"
    TenantConnections "tenants.limits.connections"
    TenantRate "tenants.limits.requestsPerSecond"
    TenantInFlight "tenants.limits.inFlight"
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use bailey_crds::{TenantLimits, TierLimits};

    use super::*;

    /// Limits that refuse nothing, or nothing that this tier could count, and why.
    const UNCOUNTED: [(&str, &str); 14] = [
        ("accept.proxyHeaderBytes", "a header that is too long is an invalid one"),
        ("http2.headerListBytes", "the codec answers 431 by itself"),
        ("http2.streams", "clients are told, and wait"),
        ("http2.streamWindowBytes", "flow control"),
        ("http2.connectionWindowBytes", "flow control"),
        ("body.graceSeconds", "says when another limit counts"),
        ("body.bufferBytes", "flow control"),
        ("upstream.idleSeconds", "ends only what nobody uses"),
        ("upstream.retries", "the last failure is counted as an error"),
        ("upstream.retryBodyBytes", "the failure is counted as an error"),
        ("drain.acceptSeconds", "the end of the process"),
        ("drain.drainSeconds", "the end of the process"),
        ("tenants.limits.routes", "a diagnostic of the routes"),
        ("tenants.limits.certificates", "a diagnostic of the hosts"),
    ];

    #[test]
    fn every_limit_of_the_api_is_counted_or_says_why_not() {
        let mut fields = BTreeSet::new();
        let tier = serde_json::to_value(TierLimits::default()).unwrap();
        for (area, limits) in tier.as_object().unwrap() {
            fields.extend(limits.as_object().unwrap().keys().map(|field| format!("{area}.{field}")));
        }
        let tenant = TenantLimits {
            connections: Some(1),
            requests_per_second: Some(1),
            in_flight: Some(1),
            routes: Some(1),
            certificates: Some(1),
        };
        let tenant = serde_json::to_value(tenant).unwrap();
        fields.extend(tenant.as_object().unwrap().keys().map(|field| format!("tenants.limits.{field}")));
        let counted = Limit::ALL.iter().map(|limit| limit.as_str());
        let named: Vec<_> = counted.chain(UNCOUNTED.iter().map(|(name, _)| *name)).collect();
        assert_eq!(named.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(), fields);
        assert_eq!(named.len(), fields.len(), "a limit is named twice");
    }
}
