//! What of a request's target is a secret that neither log nor trace may show.

use bailey_acme::challenge::HTTP_PREFIX;

/// Query parameters whose values commonly are secrets, among them those that OpenTelemetry's conventions name. Compared without regard to
/// case.
const SECRET_PARAMETERS: [&[u8]; 24] = [
    b"access_token",
    b"api_key",
    b"apikey",
    b"assertion",
    b"auth",
    b"awsaccesskeyid",
    b"client_secret",
    b"code",
    b"id_token",
    b"jwt",
    b"key",
    b"passwd",
    b"password",
    b"refresh_token",
    b"samlresponse",
    b"secret",
    b"session",
    b"sig",
    b"signature",
    b"token",
    b"x-amz-credential",
    b"x-amz-security-token",
    b"x-amz-signature",
    b"x-goog-signature",
];

/// The longest name that is looked at in its decoded form: three bytes for each of the longest secret one.
const LONGEST_NAME: usize = 3 * 32;

/// Whether the value of the query parameter `name` must not be shown. Percent signs in the name hide nothing: the
/// application decodes it before it looks.
pub(crate) fn is_secret_parameter(name: &[u8]) -> bool {
    if memchr::memchr(b'%', name).is_some() && name.len() <= LONGEST_NAME {
        return is_secret(&decoded(name));
    }
    is_secret(name)
}

/// What may be shown of a path that ends in the token of an ACME challenge: all but the token. `None`: the path has none.
pub(crate) fn before_token(path: &[u8]) -> Option<&[u8]> {
    let prefix = HTTP_PREFIX.as_bytes();
    (path.len() > prefix.len() && path.starts_with(prefix)).then(|| &path[..prefix.len()])
}

fn is_secret(name: &[u8]) -> bool {
    SECRET_PARAMETERS.iter().any(|secret| secret.eq_ignore_ascii_case(name))
}

/// The name without its percent signs; one that begins no byte stands for itself.
fn decoded(name: &[u8]) -> Vec<u8> {
    let hex = |byte: u8| (byte as char).to_digit(16);
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name;
    while let [first, after @ ..] = rest {
        let value = match after {
            [high, low, ..] if *first == b'%' => hex(*high).zip(hex(*low)).map(|(high, low)| (high * 16 + low) as u8),
            _ => None,
        };
        out.push(value.unwrap_or(*first));
        rest = &after[if value.is_some() { 2 } else { 0 }..];
    }
    out
}

/// The names, for the documentation.
pub fn secret_parameters() -> impl Iterator<Item = &'static str> {
    SECRET_PARAMETERS.iter().filter_map(|name| str::from_utf8(name).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_of_a_challenge_is_not_shown() {
        assert_eq!(before_token(b"/.well-known/acme-challenge/abc"), Some(HTTP_PREFIX.as_bytes()));
        for path in
            ["/.well-known/acme-challenge/", "/.well-known/acme-challenge", "/x/.well-known/acme-challenge/abc", "/"]
        {
            assert_eq!(before_token(path.as_bytes()), None, "{path}");
        }
    }

    #[test]
    fn letters_and_percent_signs_hide_no_secret() {
        for name in ["token", "Access_Token", "access%5Ftoken", "%74oken", "%54%4F%4B%45%4E", "X-Amz-Signature"] {
            assert!(is_secret_parameter(name.as_bytes()), "{name}");
        }
        for name in ["", "item", "tokens", "to%ken", "token%", "%", "%zz"] {
            assert!(!is_secret_parameter(name.as_bytes()), "{name}");
        }
    }
}
