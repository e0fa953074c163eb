//! Signed messages (RFC 7515, as RFC 8555 section 6.2 narrows them), for the calls that instant-acme has none for.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use bailey_acme::Secret;
use data_encoding::BASE64URL_NOPAD;
use instant_acme::Error;
use serde_json::{Value, json};

use super::settings::ExternalAccount;

/// Signs with an account's key.
pub(super) struct Signer {
    pair: EcdsaKeyPair,
    public: Value,
}

impl Signer {
    /// With a key that is kept as PKCS#8.
    pub(super) fn of(key: &Secret) -> Result<Self, Error> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.expose());
        let pair = pair.map_err(|_| Error::Crypto)?;
        // An uncompressed point (SEC 1 section 2.3.3): 4, then both coordinates.
        let (x, y) = pair.public_key().as_ref().get(1..).ok_or(Error::Crypto)?.split_at(32);
        let (x, y) = (BASE64URL_NOPAD.encode(x), BASE64URL_NOPAD.encode(y));
        let public = json!({"crv": "P-256", "kty": "EC", "x": x, "y": y});
        Ok(Self { pair, public })
    }

    /// A message whose account the authority does not know yet.
    pub(super) fn introduce(&self, url: &str, nonce: &str, payload: &Value) -> Result<Vec<u8>, Error> {
        self.sign(&json!({"alg": "ES256", "jwk": self.public, "nonce": nonce, "url": url}), &payload.to_string())
    }

    /// A question without content (RFC 8555 section 6.3) of an account.
    pub(super) fn ask(&self, account: &str, url: &str, nonce: &str) -> Result<Vec<u8>, Error> {
        self.sign(&json!({"alg": "ES256", "kid": account, "nonce": nonce, "url": url}), "")
    }

    fn sign(&self, header: &Value, payload: &str) -> Result<Vec<u8>, Error> {
        let sign = |input: &[u8]| {
            let signature = self.pair.sign(&SystemRandom::new(), input).map_err(|_| Error::Crypto)?;
            Ok(BASE64URL_NOPAD.encode(signature.as_ref()))
        };
        Ok(message(header, payload, sign)?.to_string().into_bytes())
    }

    /// Binds the account to an external one (RFC 8555 section 7.3.4); `url`: where accounts are made.
    pub(super) fn bind(&self, to: &ExternalAccount, url: &str) -> Result<Value, Error> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, to.mac.expose());
        let header = json!({"alg": "HS256", "kid": to.key_id, "url": url});
        message(&header, &self.public.to_string(), |input| Ok(BASE64URL_NOPAD.encode(hmac::sign(&key, input).as_ref())))
    }
}

fn message(header: &Value, payload: &str, sign: impl FnOnce(&[u8]) -> Result<String, Error>) -> Result<Value, Error> {
    let protected = BASE64URL_NOPAD.encode(header.to_string().as_bytes());
    let payload = BASE64URL_NOPAD.encode(payload.as_bytes());
    let signature = sign(format!("{protected}.{payload}").as_bytes())?;
    Ok(json!({"protected": protected, "payload": payload, "signature": signature}))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;

    fn part(message: &Value, name: &str) -> Vec<u8> {
        BASE64URL_NOPAD.decode(message[name].as_str().unwrap().as_bytes()).unwrap()
    }

    #[test]
    fn a_message_carries_a_signature_of_its_key() {
        let key = super::super::keys::make().unwrap();
        let signer = Signer::of(&key).unwrap();
        let made = signer.introduce("https://ca.test/new", "nonce", &json!({"a": 1})).unwrap();
        let made: Value = serde_json::from_slice(&made).unwrap();
        let header: Value = serde_json::from_slice(&part(&made, "protected")).unwrap();
        assert_eq!((header["url"].as_str(), header["nonce"].as_str()), (Some("https://ca.test/new"), Some("nonce")));
        assert_eq!(part(&made, "payload"), br#"{"a":1}"#);
        let input = format!("{}.{}", made["protected"].as_str().unwrap(), made["payload"].as_str().unwrap());
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, signer.pair.public_key());
        public.verify(input.as_bytes(), &part(&made, "signature")).unwrap();
    }

    #[test]
    fn a_binding_is_signed_with_the_authoritys_key_and_carries_ours() {
        let signer = Signer::of(&super::super::keys::make().unwrap()).unwrap();
        let account = ExternalAccount { key_id: "kid-1".to_owned(), mac: Secret::new(b"secret".to_vec()) };
        let bound = signer.bind(&account, "https://ca.test/new").unwrap();
        let header: Value = serde_json::from_slice(&part(&bound, "protected")).unwrap();
        assert_eq!(header, json!({"alg": "HS256", "kid": "kid-1", "url": "https://ca.test/new"}));
        let payload: Value = serde_json::from_slice(&part(&bound, "payload")).unwrap();
        assert_eq!(payload, signer.public);
        let input = format!("{}.{}", bound["protected"].as_str().unwrap(), bound["payload"].as_str().unwrap());
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"secret");
        hmac::verify(&key, input.as_bytes(), &part(&bound, "signature")).unwrap();
    }
}
