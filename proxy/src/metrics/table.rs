//! Every metric, once: its name, kind, unit, labels and meaning. A scrape can show only what stands here, and
//! `docs/metrics.md` is printed from here, so that neither can say anything the other does not.
//!
//! Names follow `OpenMetrics`: the unit is the last word, and the samples of a counter end in `_total`, those of an info in
//! `_info`. Label values are configured names and fixed words, never anything a client sent.

/// What kind of metric one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number that only grows.
    Counter,
    /// A number that goes up and down.
    Gauge,
    /// Numbers of observations up to each bound, and their sum.
    Histogram,
    /// Always 1; its labels are what it tells.
    Info,
}

impl Kind {
    /// The word for it in a scrape.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Info => "info",
        }
    }
}

/// What is measured, as headings of the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// Requests and their answers.
    Requests,
    /// Connections of clients.
    Connections,
    /// What stands behind: applications and tiers.
    Upstreams,
    /// Links between tiers.
    Links,
    /// Configuration, certificates, the release.
    Configuration,
    /// Logs and traces themselves.
    Telemetry,
}

impl Area {
    /// All areas, in the order of the documentation.
    pub const ALL: [Self; 6] =
        [Self::Requests, Self::Connections, Self::Upstreams, Self::Links, Self::Configuration, Self::Telemetry];

    /// Its heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Requests => "Requests",
            Self::Connections => "Client connections",
            Self::Upstreams => "Applications and the next tier",
            Self::Links => "Links between the tiers",
            Self::Configuration => "Configuration and certificates",
            Self::Telemetry => "Logs and traces",
        }
    }
}

/// One metric.
#[derive(Debug, PartialEq, Eq)]
pub struct Definition {
    /// The name of its family: that of the samples without `_total`, `_info`, `_bucket`, `_sum`, `_count`.
    pub name: &'static str,
    /// What kind it is.
    pub kind: Kind,
    /// Where it is documented.
    pub area: Area,
    /// Its own labels, beside those that all metrics of a tier have.
    pub labels: &'static [&'static str],
    /// What it tells, as one sentence without its full stop.
    pub help: &'static str,
}

/// Units that a name may end in.
const UNITS: [&str; 2] = ["seconds", "bytes"];

impl Definition {
    /// The unit, which is the last word of the name; empty where there is none.
    pub fn unit(&self) -> &'static str {
        let last = self.name.rsplit('_').next().unwrap_or_default();
        if UNITS.contains(&last) { last } else { "" }
    }

    /// The name that a query uses; of a histogram that of its family.
    pub fn sample(&self) -> String {
        match self.kind {
            Kind::Counter => format!("{}_total", self.name),
            Kind::Info => format!("{}_info", self.name),
            Kind::Gauge | Kind::Histogram => self.name.to_owned(),
        }
    }
}

macro_rules! table {
    ($($area:ident { $($constant:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal;)* })*) => {
        $($(
            #[doc = $help]
            pub const $constant: Definition = Definition {
                name: $name,
                kind: Kind::$kind,
                area: Area::$area,
                labels: &[$($label),*],
                help: $help,
            };
        )*)*

        /// All metrics, in the order of a scrape.
        pub const TABLE: &[Definition] = &[$($($constant),*),*];
    };
}

table! {
    Requests {
        REQUEST_DURATION: Histogram "http_server_request_duration_seconds" ["tenant", "route", "http_response_status_class"]
            "Time from a request's head to the end of its answer";
        REQUEST_BODIES: Counter "http_server_request_body_bytes" ["tenant", "route", "http_response_status_class"]
            "Bytes of request bodies";
        RESPONSE_BODIES: Counter "http_server_response_body_bytes" ["tenant", "route", "http_response_status_class"]
            "Bytes of response bodies";
        ACTIVE_REQUESTS: Gauge "http_server_active_requests" []
            "Requests being answered";
        REQUEST_ERRORS: Counter "bailey_request_errors" ["side", "reason"]
            "Requests that did not get their application's answer, by whose side the cause is on and what it is";
    }
    Connections {
        CONNECTIONS: Gauge "bailey_connections" []
            "Client connections that are open";
        CONNECTIONS_OPENED: Counter "bailey_connections_opened" []
            "Client connections that became ready for requests";
        LIMITS_HIT: Counter "bailey_limits_hit" ["limit"]
            "Times that a limit refused or cut something, by the path of its field in the limits of a tier, or below tenants in those of a tenant";
    }
    Upstreams {
        ATTEMPT_DURATION: Histogram "http_client_request_duration_seconds" ["hop", "upstream", "http_response_status_class"]
            "Time from the moment a request was handed to a connection to the end of its answer, for each attempt";
        UPSTREAM_CONNECTIONS: Gauge "bailey_upstream_connections" []
            "Connections to applications that are open";
        UPSTREAM_IDLE: Gauge "bailey_upstream_connections_idle" []
            "Of these, connections over HTTP/1.1 that wait for a request";
        UPSTREAM_OPENED: Counter "bailey_upstream_connections_opened" []
            "Connections to applications that were made";
        UPSTREAM_FAILED: Counter "bailey_upstream_connect_failures" []
            "Connections to applications that could not be made";
        UPSTREAM_EJECTIONS: Counter "bailey_upstream_ejections" []
            "Times that an endpoint was set aside because it could not be reached";
        RETRIES: Counter "bailey_retries" []
            "Second and further attempts at a backend";
        MIRRORS: Counter "bailey_mirrors" []
            "Copies of requests sent to mirrors";
        MIRRORS_SKIPPED: Counter "bailey_mirrors_skipped" []
            "Copies that were not made because a mirror was busy";
    }
    Links {
        LINK_CONNECTIONS: Gauge "bailey_link_connections" []
            "Links that are open: on the outer tier to inner tiers, on an inner tier from the outer tier";
        LINK_STREAMS: Gauge "bailey_link_streams" []
            "Streams that are open on them, mostly a request each";
        LINK_OPENED: Counter "bailey_link_connections_opened" []
            "Links that came about";
        LINK_FAILURES: Counter "bailey_link_failures" ["reason"]
            "Links that the outer tier could not make";
        LINK_REFUSED: Counter "bailey_link_peers_refused" ["reason"]
            "Connections that an inner tier did not let in: not the outer tier of its topology, or too slow to prove it";
        LINK_BYTES: Counter "bailey_link_bytes" ["direction"]
            "Bytes on links as tiers exchange them, inside TLS";
    }
    Configuration {
        CERTIFICATE_END: Gauge "bailey_certificate_not_after_timestamp_seconds" ["certificate"]
            "When a certificate ends, by its Secret, or by its hostname when the tier has ordered it: of those that end first, 1,000 of each at most, and as link that of the tier itself";
        CERTIFICATES: Gauge "bailey_certificates" []
            "Certificates that listeners can show; those that only stand in until one is issued do not count";
        CERTIFICATE_ORDERS: Counter "bailey_certificate_orders" ["result"]
            "Orders of certificates that this process has brought to an end: issued, renewed or failed";
        BUILD: Info "bailey_build" ["version"]
            "The release that is running";
        CONFIG: Info "bailey_config" ["digest"]
            "The configuration that is served: equal configuration has an equal digest, on every replica of a release; endpoints make no difference";
        CONFIG_GENERATION: Gauge "bailey_config_generation" []
            "Number of the configuration that is served, counted from the start of the process";
        CONFIG_LOADED: Gauge "bailey_config_last_success_timestamp_seconds" []
            "When a configuration was last read without being refused, whether or not it changed anything";
        CONFIG_STALE: Gauge "bailey_config_stale" []
            "1 while an old configuration from disk is served because its source cannot be read";
        CONFIG_DIAGNOSTICS: Gauge "bailey_config_diagnostics" []
            "Problems in the configuration that is served";
        CONFIG_REJECTED: Counter "bailey_config_rejected" []
            "Configurations that could not be read at all; the one before is kept";
        PERMISSION_MISSING: Gauge "bailey_permission_missing" ["verb", "resource", "namespace", "subject"]
            "1 for each permission in the cluster that the tier needs and does not have";
    }
    Telemetry {
        LOG_WRITTEN: Counter "bailey_access_log_lines" []
            "Access log lines that were written";
        LOG_DROPPED: Counter "bailey_access_log_dropped" []
            "Access log lines that were lost because the writer could not keep up or could not write";
        SPANS_EXPORTED: Counter "bailey_spans_exported" []
            "Spans that the collector has taken";
        SPANS_DROPPED: Counter "bailey_spans_dropped" []
            "Spans that were dropped because too many waited to be sent";
        SPANS_FAILED: Counter "bailey_spans_failed" []
            "Spans that were given up because the collector did not take them, or cannot be reached at all with the settings there are";
        SPANS_QUEUED: Gauge "bailey_spans_queued" []
            "Spans that wait to be sent";
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_follow_the_convention() {
        let names: BTreeSet<_> = TABLE.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), TABLE.len());
        for metric in TABLE {
            let word = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            assert!(word(metric.name) && metric.labels.iter().all(|label| word(label)), "{metric:?}");
            assert!(metric.name.starts_with("bailey_") || metric.name.starts_with("http_"), "{metric:?}");
            assert!(!metric.name.ends_with("_total") && !metric.name.ends_with("_info"), "{metric:?}");
            assert!(!metric.help.ends_with('.') && !metric.help.contains(['"', '\\', '\n', '|']), "{metric:?}");
        }
    }
}
