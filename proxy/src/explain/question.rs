//! A request to explain: what a client would send, and from where.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bailey_http1::is_secret;
use bailey_routing::ir::Scheme;
use serde::{Serialize, Serializer};

/// Stands where a value that may be a secret would.
pub const HIDDEN: &str = "(not shown)";

/// One request.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Question {
    /// The scheme of the URL: whether the client speaks TLS.
    #[serde(serialize_with = "scheme")]
    pub scheme: Scheme,
    /// The host of the URL, as it is written, without port.
    pub host: String,
    /// The port that the client connects to.
    pub port: u16,
    /// The port stands in the URL, and so in `Host`.
    pub port_named: bool,
    /// Path and query.
    pub target: String,
    /// The method.
    pub method: String,
    /// The client speaks HTTP/2, and not HTTP/1.1.
    pub http2: bool,
    /// Header fields in order. Over HTTP/1.1 a `host` among them replaces the URL's in the request, as with curl; over
    /// HTTP/2 it is sent beside `:authority`, which is the URL's.
    #[serde(serialize_with = "headers")]
    pub headers: Vec<(String, String)>,
    /// The other end of the client's connection.
    pub from: SocketAddr,
    /// The server name of the TLS handshake; `None`: the URL's host.
    pub sni: Option<String>,
    /// The client's address in a PROXY protocol header before everything else; `None`: there is no such header.
    pub proxied: Option<SocketAddr>,
}

/// Why a text is not a question.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuestionError {
    /// Without a scheme.
    #[error("{0:?} has no scheme; write https://{0} or http://{0}")]
    NoScheme(String),
    /// A scheme that no tier speaks.
    #[error("the scheme {0:?} is not one of http and https")]
    Scheme(String),
    /// No host.
    #[error("{0:?} names no host; write it like https://a.example.com/path")]
    NoHost(String),
    /// A user name in it.
    #[error("{0:?} has a user name or password in it, which clients do not send; give an Authorization field instead")]
    User(String),
    /// A port that is none.
    #[error("{0:?} is not a port; use 1 to 65535")]
    Port(String),
    /// A header that is not `name: value`.
    #[error("{0:?} is not a header field; write it like 'x-name: value'")]
    Header(String),
    /// A source that is not an address.
    #[error("{0:?} is not an address; write it like 203.0.113.9 or 203.0.113.9:50000 or [2001:db8::1]:50000")]
    Address(String),
}

impl Question {
    /// A GET of `url`, from an address of the documentation range (RFC 5737) that stands for somebody on the internet.
    pub fn get(url: &str) -> Result<Self, QuestionError> {
        let (scheme, rest) = url.split_once("://").ok_or_else(|| QuestionError::NoScheme(url.to_owned()))?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(QuestionError::Scheme(scheme.to_owned())),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        if authority.contains('@') {
            return Err(QuestionError::User(hidden_user(url)));
        }
        let (host, port) = split_port(authority)?;
        if host.is_empty() {
            return Err(QuestionError::NoHost(url.to_owned()));
        }
        Ok(Self {
            scheme,
            host: host.to_owned(),
            port: port.unwrap_or(scheme.default_port()),
            port_named: port.is_some(),
            target: if target.starts_with('/') { target.to_owned() } else { format!("/{target}") },
            method: "GET".to_owned(),
            http2: false,
            headers: Vec::new(),
            from: SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9)), 50_000),
            sni: None,
            proxied: None,
        })
    }

    /// One more field, from `name: value`.
    pub fn header(mut self, text: &str) -> Result<Self, QuestionError> {
        let (name, value) = text.split_once(':').ok_or_else(|| QuestionError::Header(hidden_value(text)))?;
        if name.is_empty() || name.trim() != name {
            return Err(QuestionError::Header(hidden_value(text)));
        }
        self.headers.push((name.to_owned(), value.trim().to_owned()));
        Ok(self)
    }

    /// Host and port of the URL as clients send them: they leave the well-known port out.
    pub fn authority(&self) -> String {
        let named = self.port_named && self.port != self.scheme.default_port();
        if named { format!("{}:{}", self.host, self.port) } else { self.host.clone() }
    }

    /// The URL.
    pub fn url(&self) -> String {
        let port = if self.port_named { format!(":{}", self.port) } else { String::new() };
        format!("{}://{}{port}{}", self.scheme.as_str(), self.host, self.target)
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (name, shown(name, value))).collect();
        let mut shown = f.debug_struct("Question");
        shown
            .field("url", &self.url())
            .field("method", &self.method)
            .field("http2", &self.http2)
            .field("headers", &headers);
        shown.field("from", &self.from).field("sni", &self.sni).field("proxied", &self.proxied).finish_non_exhaustive()
    }
}

/// An address with or without a port.
pub fn address(text: &str) -> Result<SocketAddr, QuestionError> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let alone = bare.parse::<IpAddr>().map(|address| SocketAddr::new(address, 50_000)).ok();
    alone.or_else(|| text.parse().ok()).ok_or_else(|| QuestionError::Address(text.to_owned()))
}

/// What is shown of a field.
pub(super) fn shown(name: &str, value: &str) -> String {
    if is_secret(name.to_ascii_lowercase().as_bytes()) { HIDDEN.to_owned() } else { value.to_owned() }
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), QuestionError> {
    let after_address = authority.rfind(']').map_or(0, |at| at + 1);
    let Some(colon) = authority[after_address..].find(':') else { return Ok((authority, None)) };
    let (host, port) = authority.split_at(after_address + colon);
    let wrong = || QuestionError::Port(port[1..].to_owned());
    let port = port[1..].parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
    Ok((host, Some(port)))
}

/// The URL without what stands before `@`.
fn hidden_user(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let host = rest.split_once('@').map_or(rest, |(_, host)| host);
    format!("{scheme}://{HIDDEN}@{host}")
}

/// A field that could not be read may hold a secret in any part of it but the first word.
fn hidden_value(text: &str) -> String {
    let name = text.split([':', ' ', '=']).next().unwrap_or_default();
    if name.len() == text.len() { text.to_owned() } else { format!("{name} …") }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields so")]
fn scheme<S: Serializer>(scheme: &Scheme, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(scheme.as_str())
}

fn headers<S: Serializer>(headers: &[(String, String)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(headers.iter().map(|(name, value)| (name, shown(name, value))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_as_clients_do() {
        let asked = Question::get("https://A.example.com:8443/x/y?z=1#top").unwrap();
        assert_eq!((asked.scheme, &*asked.host, asked.port), (Scheme::Https, "A.example.com", 8443));
        assert_eq!((&*asked.target, asked.port_named), ("/x/y?z=1", true));
        let bare = Question::get("http://a.example.com?q").unwrap();
        assert_eq!((&*bare.target, bare.port, bare.port_named), ("/?q", 80, false));
        assert_eq!(Question::get("https://[2001:db8::1]:1/").unwrap().host, "[2001:db8::1]");
        assert_eq!(asked.url(), "https://A.example.com:8443/x/y?z=1");
    }

    #[test]
    fn what_is_no_url_is_told_how_to_be_one() {
        for (text, words) in [
            ("a.example.com/x", "write https://a.example.com/x"),
            ("ftp://a.example.com", "http and https"),
            ("https:///x", "names no host"),
            ("https://a:99999/", "1 to 65535"),
            ("https://me:secret@a/", "Authorization"),
        ] {
            let said = Question::get(text).unwrap_err().to_string();
            assert!(said.contains(words) && !said.contains("secret"), "{text}: {said}");
        }
    }

    #[test]
    fn fields_and_addresses_are_read_or_refused_without_showing_secrets() {
        let asked = Question::get("https://a/").unwrap().header("X-Beta:  yes ").unwrap();
        assert_eq!(asked.headers, [("X-Beta".to_owned(), "yes".to_owned())]);
        let wrong = asked.clone().header("authorization Bearer abc").unwrap_err().to_string();
        assert!(wrong.contains("authorization") && !wrong.contains("abc"), "{wrong}");
        assert_eq!(address("2001:db8::1").unwrap().port(), 50_000);
        assert_eq!(address("203.0.113.9:7").unwrap().port(), 7);
        assert!(address("me").unwrap_err().to_string().contains("203.0.113.9"));
        let secret = asked.header("cookie: sid=abc").unwrap();
        assert!(!format!("{secret:?}").contains("sid"));
        let json = serde_json::to_string(&secret).unwrap();
        assert!(json.contains("X-Beta") && json.contains("not shown") && !json.contains("sid"), "{json}");
    }
}
