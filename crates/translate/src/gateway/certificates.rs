//! The certificates of a listener: which references may be followed, and what has to be at their end.

use bailey_crds::gateway::{Gateway, Listener as Wanted, SecretReference};
use bailey_routing::ir::{CertificateRef, ListenerProtocol as Spoken};
use k8s_openapi::api::core::v1::Secret;

use super::Context;
use crate::diagnostics::{Code, Reason, Sink};
use crate::objects::{Kind as _, Objects};
use crate::references::{From, To, permitted};

impl Context<'_> {
    /// The certificates that can be used, and the first problem with one.
    pub(super) fn certificates(
        &self,
        wanted: &Wanted,
        protocol: Spoken,
        at: &str,
        sink: &mut Sink,
    ) -> (Vec<CertificateRef>, Reason) {
        let references = wanted.tls.as_ref().map(|tls| tls.certificate_refs.as_slice()).unwrap_or_default();
        if protocol != Spoken::Https {
            return (Vec::new(), Reason::ResolvedRefs);
        }
        let mut found = Vec::new();
        let mut reason = None;
        if references.is_empty() && !self.local {
            let message = "the listener names no certificate".to_owned();
            sink.push(self.subject.problem(Code::CertificateNotFound, format!("{at}.tls"), message));
            reason = Some(Code::CertificateNotFound.reason());
        }
        for (index, reference) in references.iter().enumerate() {
            match self.certificate(reference) {
                Ok(certificate) => found.push(certificate),
                Err((code, message)) => {
                    let field = format!("{at}.tls.certificateRefs[{index}]");
                    sink.push(self.subject.problem(code, field, message));
                    reason.get_or_insert(code.reason());
                }
            }
        }
        (found, reason.unwrap_or(Reason::ResolvedRefs))
    }

    fn certificate(&self, reference: &SecretReference) -> Result<CertificateRef, (Code, String)> {
        let name = &reference.name;
        if reference.group != Secret::GROUP || reference.kind != Secret::KIND {
            return Err((Code::CertificateKind, format!("{} {name} is not a Secret", reference.kind)));
        }
        let namespace = reference.namespace.as_deref().unwrap_or(self.namespace);
        let from = From::kind::<Gateway>(self.namespace);
        if !permitted(self.objects, from, To::object::<Secret>(namespace, name)) {
            let message =
                format!("no ReferenceGrant in {namespace} lets Gateways of {} refer to Secret {name}", self.namespace);
            return Err((Code::CertificateNotPermitted, message));
        }
        check_secret(self.objects, namespace, name)
    }
}

/// The certificate in a Secret, if it looks like one. Whether it parses is for those who load it to say.
pub(crate) fn check_secret(objects: &Objects, namespace: &str, name: &str) -> Result<CertificateRef, (Code, String)> {
    let Some(secret) = objects.get::<Secret>(namespace, name) else {
        return Err((Code::CertificateNotFound, format!("there is no Secret {namespace}/{name}")));
    };
    let is_pem = |key: &str| {
        let data = secret.object.data.as_ref().and_then(|data| data.get(key)).map(|bytes| bytes.0.as_slice());
        let text = secret.object.string_data.as_ref().and_then(|data| data.get(key)).map(String::as_bytes);
        let bytes = text.or(data).unwrap_or_default();
        bytes.trim_ascii_start().starts_with(b"-----BEGIN ")
    };
    match ["tls.crt", "tls.key"].into_iter().find(|key| !is_pem(key)) {
        Some(key) => Err((Code::CertificateUnusable, format!("Secret {namespace}/{name} has no PEM in {key}"))),
        None => Ok(CertificateRef { namespace: namespace.into(), name: name.into() }),
    }
}
