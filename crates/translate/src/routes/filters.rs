//! What a rule does to requests and responses on the way.
//!
//! A filter that is wrong is never skipped: requests that would pass it are answered 500, as Gateway API demands.

mod cors;
mod headers;
mod redirect;

use bailey_crds::gateway::{FilterType, MirrorFilter, RouteFilter};
use bailey_routing::ir::{Filter, Fraction, Mirror, RouteKind};

use super::backends::{References, Wanted, target};
use super::rule::Problems;
use crate::diagnostics::Code;

/// Where filters stand.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The kind of their route: gRPC has fewer.
    pub(super) kind: RouteKind,
    /// Whether they belong to one backend.
    pub(super) backend: bool,
    /// Whether their rule matches by exactly one path prefix.
    pub(super) by_prefix: bool,
}

/// The filters at `at`, in the author's order.
pub(super) fn translate(
    wanted: &[RouteFilter],
    at: &str,
    place: Place,
    references: &mut References<'_, '_>,
    problems: &mut Problems<'_>,
) -> Vec<Filter> {
    let mut found = conflicts(wanted, at, problems);
    for (index, filter) in wanted.iter().enumerate() {
        found.extend(translate_one(filter, &format!("{at}[{index}]"), place, references, problems));
    }
    found
}

/// Every filter but mirrors may stand once, and a redirect excludes a rewrite. What is wrong comes first, so that it is
/// the answer.
fn conflicts(wanted: &[RouteFilter], at: &str, problems: &mut Problems<'_>) -> Vec<Filter> {
    let mut found = Vec::new();
    for (index, filter) in wanted.iter().enumerate() {
        let earlier = &wanted[..index];
        let has = |kind: &FilterType| earlier.iter().any(|filter| filter.type_ == *kind);
        let repeatable = matches!(filter.type_, FilterType::RequestMirror | FilterType::ExtensionRef);
        let message = if has(&filter.type_) && !repeatable {
            Some(format!("{} stands twice", filter.type_))
        } else if filter.type_ == FilterType::UrlRewrite && has(&FilterType::RequestRedirect)
            || filter.type_ == FilterType::RequestRedirect && has(&FilterType::UrlRewrite)
        {
            Some("RequestRedirect and URLRewrite cannot be combined".to_owned())
        } else {
            None
        };
        found.extend(message.map(|text| problems.filter(Code::FilterConflict, &format!("{at}[{index}]"), text)));
    }
    found
}

fn translate_one(
    filter: &RouteFilter,
    at: &str,
    place: Place,
    references: &mut References<'_, '_>,
    problems: &mut Problems<'_>,
) -> Option<Filter> {
    if let Some(message) = out_of_place(&filter.type_, place) {
        return Some(problems.filter(Code::FilterNotHere, &format!("{at}.type"), message));
    }
    let found = match &filter.type_ {
        FilterType::RequestHeaderModifier => filter.request_header_modifier.as_ref().map(|edit| {
            headers::translate(edit, &format!("{at}.requestHeaderModifier"), Filter::RequestHeaders, problems)
        }),
        FilterType::ResponseHeaderModifier => filter.response_header_modifier.as_ref().map(|edit| {
            headers::translate(edit, &format!("{at}.responseHeaderModifier"), Filter::ResponseHeaders, problems)
        }),
        FilterType::RequestRedirect => filter
            .request_redirect
            .as_ref()
            .map(|wanted| redirect::redirect(wanted, &format!("{at}.requestRedirect"), place, problems)),
        FilterType::UrlRewrite => filter
            .url_rewrite
            .as_ref()
            .map(|wanted| redirect::rewrite(wanted, &format!("{at}.urlRewrite"), place, problems)),
        FilterType::Cors => filter.cors.as_ref().map(|wanted| cors::translate(wanted, &format!("{at}.cors"), problems)),
        FilterType::RequestMirror => match &filter.request_mirror {
            Some(wanted) => return mirror(wanted, &format!("{at}.requestMirror"), references, problems),
            None => None,
        },
        FilterType::ExtensionRef => Some(extension(filter, at, problems)),
        FilterType::Other(other) => {
            let message = format!("there is no filter {other:?}");
            Some(problems.filter(Code::FilterUnknown, &format!("{at}.type"), message))
        }
    };
    Some(found.unwrap_or_else(|| {
        let message = format!("the settings of {} are missing", filter.type_);
        problems.filter(Code::FilterIncomplete, at, message)
    }))
}

/// Why a filter of that type cannot stand there.
fn out_of_place(filter: &FilterType, place: Place) -> Option<String> {
    let http_only = matches!(filter, FilterType::RequestRedirect | FilterType::UrlRewrite | FilterType::Cors);
    if http_only && place.kind == RouteKind::Grpc {
        return Some(format!("a GRPCRoute has no filter {filter}"));
    }
    (*filter == FilterType::Cors && place.backend).then(|| "CORS is answered before a backend is chosen".to_owned())
}

fn extension(filter: &RouteFilter, at: &str, problems: &mut Problems<'_>) -> Filter {
    let message = match &filter.extension_ref {
        Some(to) => format!("Bailey has no filter of kind {} in group {:?}", to.kind, to.group),
        None => "the settings of ExtensionRef are missing".to_owned(),
    };
    problems.filter(Code::ExtensionRefUnsupported, at, message)
}

/// A mirror that is wrong copies nothing; the request itself is not its business.
fn mirror(
    wanted: &MirrorFilter,
    at: &str,
    references: &mut References<'_, '_>,
    problems: &mut Problems<'_>,
) -> Option<Filter> {
    let fraction = match (wanted.percent, &wanted.fraction) {
        (None, None) => Ok(Fraction::ALL),
        (Some(percent @ 0..=100), None) => Ok(Fraction::percent(percent)),
        (Some(percent), None) => Err(format!("{percent} is not from 0 to 100")),
        (None, Some(part)) if part.denominator == 0 => Err("the denominator is 0".to_owned()),
        (None, Some(part)) if part.numerator > part.denominator => {
            Err(format!("{}/{} is more than the whole", part.numerator, part.denominator))
        }
        (None, Some(part)) => Ok(Fraction { numerator: part.numerator, denominator: part.denominator }),
        (Some(_), Some(_)) => Err("percent and fraction exclude each other".to_owned()),
    };
    let to = &wanted.backend_ref;
    let reference =
        Wanted { group: &to.group, kind: &to.kind, name: &to.name, namespace: to.namespace.as_deref(), port: to.port };
    let target = target(&reference, &format!("{at}.backendRef"), references, problems);
    match fraction {
        Ok(fraction) => Some(Filter::Mirror(Mirror { target, fraction })),
        Err(message) => {
            problems.found(Code::InvalidMirror, at, message);
            None
        }
    }
}
