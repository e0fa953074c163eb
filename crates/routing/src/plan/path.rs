//! Rewriting paths. Nothing is copied until the caller says where to.

use crate::ir::{PathMatch, PathRewrite, RouteMatch};
use crate::precedence::normal_prefix;

/// What becomes of the request's path. The query stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PathChange<'t> {
    /// Nothing.
    #[default]
    Keep,
    /// The first `cut` bytes become `with`.
    Replace {
        /// How many bytes of the request's path go.
        cut: usize,
        /// What comes in their place.
        with: &'t str,
    },
}

impl<'t> PathChange<'t> {
    /// `ReplacePrefixMatch` belongs to prefix matches only (translation refuses others); for any other the whole path counts
    /// as the prefix.
    pub(crate) fn new(rewrite: &'t PathRewrite, matched: Option<&RouteMatch>, path: &[u8]) -> Self {
        match rewrite {
            PathRewrite::Full(with) => Self::Replace { cut: path.len(), with },
            PathRewrite::Prefix(with) => {
                let cut = match matched.map(|m| &m.path) {
                    Some(PathMatch::Prefix(prefix)) => normal_prefix(prefix).len(),
                    None => 0,
                    Some(PathMatch::Exact(_) | PathMatch::Regex(_) | PathMatch::GrpcMethod(_)) => path.len(),
                };
                // The slash that follows the prefix stays, so one at the end of the replacement would be doubled.
                Self::Replace { cut, with: normal_prefix(with) }
            }
        }
    }

    /// Writes the path to send. It is never empty and starts with a slash when it was changed.
    pub fn write(self, path: &[u8], out: &mut impl Extend<u8>) {
        let (with, rest) = match self {
            Self::Keep => ("", path),
            Self::Replace { cut, with } => (with, path.get(cut..).unwrap_or_default()),
        };
        let first = with.bytes().chain(rest.iter().copied()).next();
        if self != Self::Keep && first != Some(b'/') {
            out.extend([b'/']);
        }
        out.extend(with.bytes());
        out.extend(rest.iter().copied());
    }

    /// Writes path and query: what stands in an HTTP/1.1 request line or `:path`.
    pub fn write_target(self, path: &[u8], query: Option<&[u8]>, out: &mut impl Extend<u8>) {
        self.write(path, out);
        if let Some(query) = query {
            out.extend([b'?']);
            out.extend(query.iter().copied());
        }
    }
}
