//! What the screens are filtered by: chosen by a click on the topology, carried in the query, so that it works without script.

use super::query::{Query, encode};

/// The filter. Empty parts let everything through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// A tenant.
    pub tenant: Option<String>,
    /// A route, as `HTTPRoute/namespace/name`.
    pub route: Option<String>,
    /// A backend, as `namespace/name:port`.
    pub backend: Option<String>,
}

impl Filter {
    /// The filter of a query.
    pub fn of(query: &Query) -> Self {
        let text = |name| query.get(name).map(str::to_owned);
        Self { tenant: text("tenant"), route: text("route"), backend: text("backend") }
    }

    /// Everything is let through.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// As it stands in an address.
    pub fn query(&self) -> String {
        let parts = [("tenant", &self.tenant), ("route", &self.route), ("backend", &self.backend)];
        let set = parts.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", encode(value.as_deref()?))));
        set.collect::<Vec<_>>().join("&")
    }

    /// The parts that are set, each with the query of the filter without it.
    pub fn parts(&self) -> Vec<(&'static str, &str, String)> {
        let mut parts = Vec::new();
        if let Some(tenant) = &self.tenant {
            parts.push(("tenant", &**tenant, Self { tenant: None, ..self.clone() }.query()));
        }
        if let Some(route) = &self.route {
            parts.push(("route", &**route, Self { route: None, ..self.clone() }.query()));
        }
        if let Some(backend) = &self.backend {
            parts.push(("backend", &**backend, Self { backend: None, ..self.clone() }.query()));
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_reads_what_it_writes_and_each_part_can_be_left_out() {
        let query = "tenant=team+a&route=HTTPRoute%2Fa%2Fweb&backend=a%2Fapp%3A80";
        let filter = Filter::of(&Query::parse(Some(query)));
        assert_eq!(filter.query(), query);
        assert_eq!(filter.parts()[1], ("route", "HTTPRoute/a/web", "tenant=team+a&backend=a%2Fapp%3A80".to_owned()));
        assert!(Filter::of(&Query::parse(Some("tenant="))).is_empty());
    }
}
