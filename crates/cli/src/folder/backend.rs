//! `LocalBackend`: what stands where a Service would be. Decides what a valid one is; [`super::serve`] runs it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Deserialize;

/// A local stand-in for a Service of the same namespace and name: an echo, a static answer, or an address.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LocalBackend {
    /// Always `bailey.dev/v1alpha1`.
    pub api_version: String,
    /// Always `LocalBackend`.
    pub kind: String,
    /// Name and namespace: those of the Service it stands for.
    pub metadata: Metadata,
    /// What answers.
    pub spec: Spec,
}

/// The part of an object's metadata that local mode reads.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The Service's name.
    pub name: String,
    /// The Service's namespace.
    #[serde(default = "default_namespace")]
    pub namespace: String,
}

fn default_namespace() -> String {
    "default".to_owned()
}

/// What answers: exactly one of `echo`, `static` and `address`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// The port that routes name in their backendRefs.
    #[serde(default = "default_port")]
    pub port: u16,
    /// The Service port's `appProtocol`, such as `kubernetes.io/h2c`.
    #[serde(default)]
    pub app_protocol: Option<String>,
    /// Answers with what it saw.
    #[serde(default)]
    pub echo: Option<Echo>,
    /// Answers the same to everything.
    #[serde(default, rename = "static")]
    pub fixed: Option<Fixed>,
    /// Something that already runs, as `address:port`.
    #[serde(default)]
    pub address: Option<SocketAddr>,
}

const fn default_port() -> u16 {
    80
}

/// An echo has nothing to set.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Echo {}

/// A static answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fixed {
    /// Status code.
    #[serde(default = "default_status")]
    pub status: u16,
    /// Response header fields.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body.
    #[serde(default)]
    pub body: String,
}

const fn default_status() -> u16 {
    200
}

/// What a backend does, once its spec is known to be sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Answers with what it saw.
    Echo,
    /// Answers the same to everything.
    Fixed(Fixed),
    /// Runs elsewhere.
    Address(SocketAddr),
}

impl LocalBackend {
    /// What it does, or a sentence that says what is wrong with the spec.
    pub fn behaviour(&self) -> Result<Behaviour, String> {
        match (&self.spec.echo, &self.spec.fixed, self.spec.address) {
            (Some(_), None, None) => Ok(Behaviour::Echo),
            (None, Some(fixed), None) => sound(fixed).map(|()| Behaviour::Fixed(fixed.clone())),
            (None, None, Some(address)) => Ok(Behaviour::Address(address)),
            (None, None, None) => Err("spec: says nothing; set exactly one of echo, static and address".to_owned()),
            (..) => Err("spec: says too much; set exactly one of echo, static and address".to_owned()),
        }
    }
}

fn sound(fixed: &Fixed) -> Result<(), String> {
    if !(200..=599).contains(&fixed.status) {
        return Err(format!("spec.static.status: {} is not a final HTTP status (200 to 599)", fixed.status));
    }
    for (name, value) in &fixed.headers {
        if http::HeaderName::try_from(name.as_str()).is_err() {
            return Err(format!("spec.static.headers: {name:?} is not a header name"));
        }
        if http::HeaderValue::try_from(value.as_str()).is_err() {
            return Err(format!("spec.static.headers.{name}: the value has bytes that a header cannot carry"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(spec: &str) -> Result<Behaviour, String> {
        let text =
            format!("apiVersion: bailey.dev/v1alpha1\nkind: LocalBackend\nmetadata: {{name: a}}\nspec: {spec}\n");
        let backend: LocalBackend = serde_saphyr::from_str(&text).map_err(|e| e.to_string())?;
        assert_eq!(backend.metadata.namespace, "default");
        backend.behaviour()
    }

    #[test]
    fn each_behaviour_is_read() {
        assert_eq!(read("{echo: {}}"), Ok(Behaviour::Echo));
        assert!(matches!(read("{static: {body: hello}}"), Ok(Behaviour::Fixed(Fixed { status: 200, .. }))));
        assert_eq!(read("{address: '127.0.0.1:9'}"), Ok(Behaviour::Address("127.0.0.1:9".parse().unwrap())));
    }

    #[test]
    fn none_or_two_behaviours_are_refused() {
        assert!(read("{}").unwrap_err().contains("exactly one"));
        assert!(read("{echo: {}, address: '127.0.0.1:9'}").unwrap_err().contains("exactly one"));
    }

    #[test]
    fn unknown_fields_and_impossible_answers_are_refused() {
        assert!(read("{ehco: {}}").unwrap_err().contains("ehco"));
        assert!(read("{static: {status: 99}}").unwrap_err().contains("spec.static.status"));
        assert!(read("{static: {headers: {'a b': c}}}").unwrap_err().contains("header name"));
    }
}
