//! The `Location` of redirects.

use super::{Arrival, Cause, OwnHeaders, PathChange, Respond};
use crate::find::Matched;
use crate::ir::{HttpsRedirect, Redirect, Scheme};
use crate::request::RequestView;

/// Scheme, host, port and path by the rules of Gateway API's `HTTPRequestRedirectFilter`; the query is kept.
pub(crate) fn build(
    redirect: &Redirect,
    matched: Matched<'_>,
    request: &impl RequestView,
    arrival: Arrival<'_>,
) -> Vec<u8> {
    let scheme = redirect.scheme.unwrap_or(arrival.scheme);
    let port = redirect.port.unwrap_or_else(|| redirect.scheme.map_or(arrival.port, Scheme::default_port));
    let host = redirect.host.as_ref().map_or(arrival.host, |host| host.as_bytes());
    let change = redirect
        .path
        .as_ref()
        .map_or(PathChange::Keep, |rewrite| PathChange::new(rewrite, matched.route_match(), request.path()));
    write(scheme, host, port, change, request)
}

/// The answer of a listener that sends everything to https: same host, path and query.
pub fn https_redirect(policy: HttpsRedirect, host: &[u8], request: &impl RequestView) -> Respond<'static> {
    let location = write(Scheme::Https, host, policy.port, PathChange::Keep, request);
    let keeps_method = !matches!(request.method(), b"GET" | b"HEAD");
    let status = if keeps_method { 308 } else { 301 };
    let headers: OwnHeaders = vec![("location", location)];
    Respond { status, cause: Cause::Redirect, grpc: false, headers, edits: super::Edits::new() }
}

fn write(scheme: Scheme, host: &[u8], port: u16, change: PathChange<'_>, request: &impl RequestView) -> Vec<u8> {
    let mut out = Vec::with_capacity(scheme.as_str().len() + host.len() + request.path().len() + 16);
    out.extend_from_slice(scheme.as_str().as_bytes());
    out.extend_from_slice(b"://");
    out.extend_from_slice(host);
    if port != scheme.default_port() {
        out.extend_from_slice(format!(":{port}").as_bytes());
    }
    // `OPTIONS *` has no path to go to.
    let path = if request.path().first() == Some(&b'/') { request.path() } else { b"/" };
    change.write_target(path, request.query(), &mut out);
    out
}
