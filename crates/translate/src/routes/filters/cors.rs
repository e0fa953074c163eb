//! CORS settings.

use std::sync::Arc;

use bailey_crds::gateway::CorsFilter;
use bailey_routing::ir::{Cors, Filter, Method, OriginPattern};

use crate::diagnostics::Code;
use crate::routes::rule::Problems;
use crate::syntax;

/// `CORS`.
pub(super) fn translate(wanted: &CorsFilter, at: &str, problems: &mut Problems<'_>) -> Filter {
    match settings(wanted, at) {
        Ok(cors) => Filter::Cors(Box::new(cors)),
        Err((field, message)) => problems.filter(Code::InvalidCors, &field, message),
    }
}

type Refusal = (String, String);

fn settings(wanted: &CorsFilter, at: &str) -> Result<Cors, Refusal> {
    let origin = |text: &str| OriginPattern::parse(text);
    let name = |text: &str| (text == "*" || syntax::is_token(text)).then(|| Arc::from(text.to_ascii_lowercase()));
    let method = |text: &str| (text == "*" || Method::parse(text).is_some()).then(|| Arc::from(text));
    if wanted.max_age == 0 {
        return Err((format!("{at}.maxAge"), "0 is less than 1 second".to_owned()));
    }
    Ok(Cors {
        allow_origins: list(&wanted.allow_origins, &format!("{at}.allowOrigins"), origin)?,
        allow_credentials: wanted.allow_credentials == Some(true),
        allow_methods: list(&wanted.allow_methods, &format!("{at}.allowMethods"), method)?,
        allow_headers: list(&wanted.allow_headers, &format!("{at}.allowHeaders"), name)?,
        expose_headers: list(&wanted.expose_headers, &format!("{at}.exposeHeaders"), name)?,
        max_age: wanted.max_age,
    })
}

/// Every entry as `read` has it. A `*` has to stand alone.
fn list<T>(wanted: &[String], at: &str, read: impl Fn(&str) -> Option<T>) -> Result<Box<[T]>, Refusal> {
    if wanted.len() > 1 && wanted.iter().any(|text| text == "*") {
        return Err((at.to_owned(), "'*' stands beside other entries".to_owned()));
    }
    let entry = |(index, text): (usize, &String)| {
        read(text).ok_or_else(|| (format!("{at}[{index}]"), format!("{text:?} is not valid here")))
    };
    wanted.iter().enumerate().map(entry).collect()
}
