//! Nothing that is logged, at whatever level and by whatever crate, and nothing that is listed or printed shows a key, a token or what was made of
//! one.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bailey_acme::Secret;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::bed::{Bed, By};
use super::well::by_update;
use crate::acme::Material;
use crate::acme::dns::tests::server::{KEY, Server};

const MAC: &[u8] = b"CANARY-mac-0123456789";

/// Takes down all that is logged.
#[derive(Clone, Default)]
struct Everything(Arc<Mutex<String>>);

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

impl Subscriber for Everything {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut Line(&mut self.0.lock().unwrap()));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Line(&mut self.0.lock().unwrap()));
    }

    fn event(&self, event: &Event<'_>) {
        let mut all = self.0.lock().unwrap();
        let _ = write!(all, "\n{} {}", event.metadata().level(), event.metadata().target());
        event.record(&mut Line(&mut all));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn no_key_and_no_token_is_ever_shown() {
    let everything = Everything::default();
    let _guard = tracing::subscriber::set_default(everything.clone());
    let server = Server::start().await;
    let By::Dns(_, spec, material) = by_update(&server) else { unreachable!() };
    let more = json!({"externalAccount": {"keyId": "kid-1", "secretRef": {"name": "account", "key": "mac"}}});
    let external_account = Some(Secret::new(BASE64URL_NOPAD.encode(MAC).into_bytes()));
    let by = By::Dns(&server, spec, Material { external_account, ..material });
    let mut bed = Bed::new(&["a.example.com"], by, more).await;
    bed.pass(Duration::from_hours(1)).await;
    assert!(bed.served("a.example.com").is_some(), "{:?}", bed.listed("a.example.com"));
    // And by a file (http-01).
    let mut other = Bed::new(&["b.example.com"], By::Http, json!({})).await;
    other.pass(Duration::from_hours(1)).await;
    assert!(other.served("b.example.com").is_some());
    let mut printed = everything.0.lock().unwrap().clone();
    for (what, said) in [("a certificate is live", 2), ("signing message", 1)] {
        assert!(printed.matches(what).count() >= said, "the log is that of all crates: {what}\n{printed}");
    }
    let _ = write!(printed, "{:?} {:?} {:?}", bed.hold, bed.listed("a.example.com"), other.hold);
    for secret in
        ["CANARY", &BASE64.encode(KEY), &BASE64URL_NOPAD.encode(MAC), &format!("{KEY:?}"), &format!("{MAC:?}")]
    {
        assert!(!printed.contains(secret), "{secret} is in:\n{printed}");
    }
    for key in bed.keys().await.into_iter().chain(other.keys().await) {
        assert!(!printed.contains(&key), "a private key is in the log");
    }
}
