//! Which texts are tokens, header values, paths and gRPC names. Pure grammar; what follows from a wrong one is not
//! decided here.

/// A token of RFC 9110 5.6.2: header names, methods.
pub(crate) fn is_token(text: &str) -> bool {
    let tchar = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(tchar)
}

/// A header value of printable ASCII with single spaces or tabs inside.
pub(crate) fn is_header_value(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_graphic() || b == b' ' || b == b'\t';
    text.bytes().all(inner) && text.trim_matches([' ', '\t']) == text
}

/// A path of an `Exact` or `PathPrefix` match; the error completes the sentence "the path …".
pub(crate) fn path(text: &str) -> Result<(), &'static str> {
    if !text.starts_with('/') {
        return Err("does not begin with '/'");
    }
    if text.len() > 1024 {
        return Err("is longer than 1024 characters");
    }
    let banned = [("//", "has an empty element"), ("/./", "has an element '.'"), ("/../", "has an element '..'")];
    if let Some((_, why)) = banned.into_iter().find(|(part, _)| text.contains(part)) {
        return Err(why);
    }
    if text.ends_with("/.") || text.ends_with("/..") {
        return Err("ends with a dot element");
    }
    if text.contains("%2f") || text.contains("%2F") {
        return Err("has an encoded slash");
    }
    is_path_text(text)
        .then_some(())
        .ok_or("has a character that must be percent-encoded, or a '%' that encodes nothing")
}

/// Characters of RFC 3986 `path`, with whole percent-encodings.
pub(crate) fn is_path_text(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let valid = match byte {
            b'%' => [bytes.next(), bytes.next()].iter().all(|digit| digit.is_some_and(|d| d.is_ascii_hexdigit())),
            _ => byte.is_ascii_alphanumeric() || b"-/._~!$&'()*+,;=:@".contains(&byte),
        };
        if !valid {
            return false;
        }
    }
    true
}

/// The name of a gRPC service (with dots) or method (without).
pub(crate) fn is_grpc_name(text: &str, dotted: bool) -> bool {
    let identifier = |part: &str| {
        let mut bytes = part.bytes();
        bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
            && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    if dotted { text.strip_prefix('.').unwrap_or(text).split('.').all(identifier) } else { identifier(text) }
}

#[cfg(test)]
mod tests {
    use super::{is_grpc_name, is_header_value, is_token, path};

    #[test]
    fn paths_that_no_request_can_have_are_refused() {
        for text in
            ["", "a", "/a//b", "/a/./b", "/a/../b", "/a/..", "/a/.", "/a%2fb", "/a#b", "/a?b", "/a b", "/%zz", "/%a"]
        {
            assert!(path(text).is_err(), "{text:?}");
        }
        for text in ["/", "/a/", "/a.b/~c", "/%20", "/a=b;c"] {
            assert_eq!(path(text), Ok(()), "{text:?}");
        }
    }

    #[test]
    fn a_header_value_has_no_line_breaks_and_no_space_at_its_edges() {
        assert!(is_header_value("a b\tc"));
        assert!(is_header_value(""));
        assert!(!is_header_value("a\r\nb"));
        assert!(!is_header_value(" a"));
        assert!(!is_header_value("é"));
    }

    #[test]
    fn tokens_are_what_http_says() {
        assert!(is_token("x-a_b"));
        assert!(!is_token(""));
        assert!(!is_token("a:b"));
        assert!(!is_token("a b"));
    }

    #[test]
    fn grpc_services_have_dots_and_methods_do_not() {
        assert!(is_grpc_name("shop.v1.Cart", true));
        assert!(!is_grpc_name("shop..Cart", true));
        assert!(is_grpc_name("Get", false));
        assert!(!is_grpc_name("a.Get", false));
        assert!(!is_grpc_name("1Get", false));
    }
}
