//! Who may see the pages of the admin port, and what a browser may do with them.
//!
//! Over loopback anybody on the machine may, unless a token is set; over any other address only with the token. A web page
//! of a stranger may not: its name would have to be pointed at us (DNS rebinding), and then stands in `Host`.

use std::net::{IpAddr, SocketAddr};

use http::header::{self, HeaderMap, HeaderName};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};

use super::{Answer, TEXT, token::AdminToken};

/// Nothing from elsewhere, nothing inline, no frame, no form to elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Why somebody does not see the pages.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The request is for another host.
    Host,
    /// Another site's page asks.
    Site,
    /// There is no token to show.
    NoToken,
    /// The token is missing or wrong.
    Token,
}

impl Refusal {
    pub(super) fn answer(&self) -> Answer {
        let (status, text) = match self {
            Self::Host => (
                StatusCode::MISDIRECTED_REQUEST,
                "this page answers for localhost and for its own address only; open it by one of them\n",
            ),
            Self::Site => (StatusCode::FORBIDDEN, "other sites may not read this page; open it by itself\n"),
            Self::NoToken => (
                StatusCode::FORBIDDEN,
                "the page is shown over loopback only; forward the port (kubectl port-forward), or start the proxy with --admin-token-file\n",
            ),
            Self::Token => (
                StatusCode::UNAUTHORIZED,
                "the page needs the token of --admin-token-file: as the password in a browser, or as `Authorization: Bearer TOKEN`\n",
            ),
        };
        Answer::whole(status, TEXT, text)
    }
}

/// Whether the pages are for whoever sends this head to the address `reached`.
pub(super) fn check(head: &Parts, reached: SocketAddr, token: Option<&AdminToken>) -> Result<(), Refusal> {
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let (host, more) = (hosts.next().and_then(|host| host.to_str().ok()), hosts.next());
    if more.is_some() || !host.is_some_and(|host| is_ours(host, reached.ip())) {
        return Err(Refusal::Host);
    }
    if asked_by_another_site(&head.headers) {
        return Err(Refusal::Site);
    }
    match token {
        None if reached.ip().to_canonical().is_loopback() => Ok(()),
        None => Err(Refusal::NoToken),
        Some(token) => {
            let shown = head.headers.get(header::AUTHORIZATION);
            if shown.is_some_and(|shown| token.opens(shown.as_bytes())) { Ok(()) } else { Err(Refusal::Token) }
        }
    }
}

/// Whether `Host` names this machine to itself or the address that was reached. Ports are not looked at, since a forwarded
/// port differs.
fn is_ours(host: &str, reached: IpAddr) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(name, _)| name),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    if let Ok(address) = name.parse::<IpAddr>() {
        return address.to_canonical() == reached.to_canonical() || address.to_canonical().is_loopback();
    }
    // RFC 6761 6.3: these names never leave the machine.
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// Browsers say so in `Sec-Fetch-Site` (Fetch Metadata). Following a link to the page is fine, reading it is not.
fn asked_by_another_site(headers: &HeaderMap) -> bool {
    let is =
        |name: &'static str, value: &str| headers.get(name).is_some_and(|found| found.as_bytes() == value.as_bytes());
    let elsewhere = is("sec-fetch-site", "cross-site") || is("sec-fetch-site", "same-site");
    elsewhere && !(is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document"))
}

/// What every answer of the port tells browsers.
pub(super) fn harden(headers: &mut HeaderMap) {
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Adds to a refusal what makes a browser ask for the token.
pub(super) fn refuse<B>(refusal: &Refusal, mut response: Response<B>) -> Response<B> {
    if *refusal == Refusal::Token {
        let ask = HeaderValue::from_static("Basic realm=\"Bailey\", charset=\"UTF-8\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, ask);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(fields: &[(&str, &str)]) -> Parts {
        let request =
            fields.iter().fold(http::Request::get("/"), |request, (name, value)| request.header(*name, *value));
        request.body(()).unwrap().into_parts().0
    }

    fn ask(fields: &[(&str, &str)], reached: &str) -> Result<(), Refusal> {
        check(&head(fields), reached.parse().unwrap(), None)
    }

    #[test]
    fn only_names_that_cannot_be_pointed_at_us_are_answered() {
        for host in [
            "localhost",
            "LOCALHOST:1",
            "a.localhost.:80",
            "127.0.0.1:15000",
            "127.9.9.9",
            "[::1]:15000",
            "[::ffff:127.0.0.1]",
        ] {
            assert_eq!(ask(&[("host", host)], "127.0.0.1:15000"), Ok(()), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "notlocalhost",
            "10.0.0.1",
            "",
            "[::1",
            "evil.example:15000",
            "127.0.0.1.evil.example",
            "2130706433",
        ] {
            assert_eq!(ask(&[("host", host)], "127.0.0.1:15000"), Err(Refusal::Host), "{host}");
        }
        assert_eq!(ask(&[], "127.0.0.1:1"), Err(Refusal::Host));
        assert_eq!(ask(&[("host", "localhost"), ("host", "localhost")], "127.0.0.1:1"), Err(Refusal::Host));
    }

    #[test]
    fn beyond_loopback_a_token_is_needed() {
        let (far, host) = ("10.0.0.7:15000", ("host", "10.0.0.7:15000"));
        assert_eq!(ask(&[host], far), Err(Refusal::NoToken));
        let token = AdminToken::new(b"0123456789abcdef").unwrap();
        let with = |fields: &[(&str, &str)], at: &str| check(&head(fields), at.parse().unwrap(), Some(&token));
        assert_eq!(with(&[host], far), Err(Refusal::Token));
        assert_eq!(with(&[host, ("authorization", "Bearer 0123456789abcdeX")], far), Err(Refusal::Token));
        assert_eq!(with(&[host, ("authorization", "Bearer 0123456789abcdef")], far), Ok(()));
        // Who sets a token wants it asked for everywhere.
        assert_eq!(with(&[("host", "localhost")], "127.0.0.1:1"), Err(Refusal::Token));
    }

    #[test]
    fn a_page_of_another_site_reads_nothing() {
        let ours = ("host", "localhost:15000");
        let at = "127.0.0.1:15000";
        for site in ["cross-site", "same-site"] {
            let fetched = [ours, ("sec-fetch-site", site), ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")];
            assert_eq!(ask(&fetched, at), Err(Refusal::Site));
            let framed = [ours, ("sec-fetch-site", site), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")];
            assert_eq!(ask(&framed, at), Err(Refusal::Site));
            let link = [ours, ("sec-fetch-site", site), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
            assert_eq!(ask(&link, at), Ok(()));
        }
        assert_eq!(ask(&[ours, ("sec-fetch-site", "same-origin")], at), Ok(()));
    }
}
