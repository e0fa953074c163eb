//! Redirects and rewrites: new hosts, ports and paths.

use std::sync::Arc;

use bailey_crds::gateway::{PathModifier, PathModifierType, RedirectFilter, RewriteFilter};
use bailey_routing::ir::{Filter, HostPattern, PathRewrite, Redirect, RedirectStatus, Rewrite, Scheme};

use super::Place;
use crate::diagnostics::Code;
use crate::hosts;
use crate::routes::rule::Problems;
use crate::syntax;

type Refusal = (Code, String, String);

/// `RequestRedirect`.
pub(super) fn redirect(wanted: &RedirectFilter, at: &str, place: Place, problems: &mut Problems<'_>) -> Filter {
    match try_redirect(wanted, at, place) {
        Ok(redirect) => Filter::Redirect(redirect),
        Err((code, field, message)) => problems.filter(code, &field, message),
    }
}

/// `URLRewrite`.
pub(super) fn rewrite(wanted: &RewriteFilter, at: &str, place: Place, problems: &mut Problems<'_>) -> Filter {
    let host = precise_host(wanted.hostname.as_deref(), at, Code::InvalidRewrite);
    let path = path(wanted.path.as_ref(), at, place, Code::InvalidRewrite);
    match host.and_then(|host| Ok(Rewrite { host, path: path? })) {
        Ok(rewrite) => Filter::Rewrite(rewrite),
        Err((code, field, message)) => problems.filter(code, &field, message),
    }
}

fn try_redirect(wanted: &RedirectFilter, at: &str, place: Place) -> Result<Redirect, Refusal> {
    let refuse = |field: &str, message: String| (Code::InvalidRedirect, format!("{at}.{field}"), message);
    let scheme = match wanted.scheme.as_deref() {
        None => None,
        Some("http") => Some(Scheme::Http),
        Some("https") => Some(Scheme::Https),
        Some(other) => return Err(refuse("scheme", format!("{other:?} is neither http nor https"))),
    };
    let status = RedirectStatus::from_code(wanted.status_code)
        .ok_or_else(|| refuse("statusCode", format!("{} is not the status of a redirect", wanted.status_code)))?;
    if wanted.port == Some(0) {
        return Err(refuse("port", "0 is not a port".to_owned()));
    }
    Ok(Redirect {
        scheme,
        host: precise_host(wanted.hostname.as_deref(), at, Code::InvalidRedirect)?,
        port: wanted.port,
        path: path(wanted.path.as_ref(), at, place, Code::InvalidRedirect)?,
        status,
    })
}

/// A hostname that stands for one host only.
fn precise_host(text: Option<&str>, at: &str, code: Code) -> Result<Option<Arc<str>>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let refuse = |message: String| (code, format!("{at}.hostname"), message);
    match hosts::parse(text) {
        Ok(HostPattern::Exact(host)) => Ok(Some(host)),
        Ok(HostPattern::Wildcard(_) | HostPattern::Any) => Err(refuse(format!("{text:?} is not one host"))),
        Err(why) => Err(refuse(format!("{text:?} is not valid: {why}"))),
    }
}

fn path(wanted: Option<&PathModifier>, at: &str, place: Place, code: Code) -> Result<Option<PathRewrite>, Refusal> {
    let Some(wanted) = wanted else { return Ok(None) };
    let at = format!("{at}.path");
    match &wanted.type_ {
        PathModifierType::ReplaceFullPath => {
            let text = given(wanted.replace_full_path.as_deref(), &at, "replaceFullPath", code)?;
            Ok(Some(PathRewrite::Full(text)))
        }
        PathModifierType::ReplacePrefixMatch => {
            let text = given(wanted.replace_prefix_match.as_deref(), &at, "replacePrefixMatch", code)?;
            if place.by_prefix {
                return Ok(Some(PathRewrite::Prefix(text)));
            }
            let message = "the rule does not match by exactly one PathPrefix".to_owned();
            Err((Code::PrefixWithoutMatch, format!("{at}.replacePrefixMatch"), message))
        }
        PathModifierType::Other(other) => {
            let message = format!("{other:?} is neither ReplaceFullPath nor ReplacePrefixMatch");
            Err((code, format!("{at}.type"), message))
        }
    }
}

fn given(text: Option<&str>, at: &str, field: &str, code: Code) -> Result<Arc<str>, Refusal> {
    let refuse = |message: String| (code, format!("{at}.{field}"), message);
    let text = text.ok_or_else(|| refuse(format!("{field} is missing")))?;
    // An empty replacement strips the prefix, or leaves the root.
    if (text.is_empty() || text.starts_with('/')) && text.len() <= 1024 && syntax::is_path_text(text) {
        Ok(text.into())
    } else {
        Err(refuse(format!("{text:?} is not a path")))
    }
}
