//! The query of a page's address: what is filtered by and what was typed into a form. Everything in it is a stranger's.

use std::borrow::Cow;

/// Parameters that are read; more are a mistake or an attack.
const MAX: usize = 64;
/// Longest value that is kept.
const MAX_VALUE: usize = 8 << 10;

/// Decoded parameters, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads `a=b&c=d` as forms send it (URL Standard, application/x-www-form-urlencoded).
    pub fn parse(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let owned = pairs.take(MAX).map(|(name, value)| (name.into_owned(), bounded(value)));
        Self(owned.collect())
    }

    /// The first value of a parameter that is there and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name)?;
        Some(found.1.trim()).filter(|value| !value.is_empty())
    }

    /// All values of a parameter.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// With one more parameter, before the others.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(0, (name.to_owned(), value.to_owned()));
        self
    }
}

fn bounded(value: Cow<'_, str>) -> String {
    if value.len() <= MAX_VALUE {
        return value.into_owned();
    }
    let end = (0..=MAX_VALUE).rev().find(|at| value.is_char_boundary(*at)).unwrap_or(0);
    value[..end].to_owned()
}

/// A value as it stands in a query.
pub fn encode(value: &str) -> String {
    form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_and_blanks_are_nothing() {
        let query = Query::parse(Some("url=https%3A%2F%2Fa%2Fb%3Fc&x=+&tenant=team+a&tenant=b"));
        assert_eq!(query.get("url"), Some("https://a/b?c"));
        assert_eq!((query.get("x"), query.get("y")), (None, None));
        assert_eq!(query.get("tenant"), Some("team a"), "the first counts");
        assert_eq!(encode("a/b c"), "a%2Fb+c");
    }

    #[test]
    fn too_much_is_cut() {
        let long = format!("a={}", "ü".repeat(MAX_VALUE));
        assert_eq!(Query::parse(Some(&long)).get("a").map(str::len), Some(MAX_VALUE));
        let many = (0..1000).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join("&");
        assert_eq!(Query::parse(Some(&many)).0.len(), MAX);
    }
}
