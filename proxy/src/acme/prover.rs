//! Puts proofs in place: here at once, and in every other replica before the authority is told to look.

use std::sync::Arc;

use bailey_acme::order::Failure;
use rustls::sign::CertifiedKey;
use tokio::sync::Mutex;

use super::Hold;
use super::authority::Failed;
use super::dns::{Dns, Journal};
use super::store::{Store, StoreError, Until};

/// What orders prove with.
#[derive(Clone, Debug)]
pub(super) struct Prover {
    hold: Arc<Hold>,
    store: Arc<dyn Store>,
    dns: Option<Arc<Journal>>,
    /// Sets of proofs are shown one after the other, so that an older one never comes after a newer one.
    turn: Arc<Mutex<()>>,
}

impl Prover {
    pub(super) fn new(hold: Arc<Hold>, store: Arc<dyn Store>, dns: Option<Arc<Dns>>) -> Self {
        let dns = dns.map(|dns| Arc::new(Journal::new(dns, store.clone())));
        Self { hold, store, dns, turn: Arc::default() }
    }

    /// Proofs by DNS, where they are what was chosen.
    pub(super) fn dns(&self) -> Option<&Arc<Journal>> {
        self.dns.as_ref()
    }

    /// Puts the answer for a token in place. `false`: no authority may make such a token.
    pub(super) fn put(&self, host: &str, token: &str, authorization: &str) -> bool {
        self.hold.prove(host, token, authorization)
    }

    /// Puts the certificate of tls-alpn-01 in place.
    pub(super) fn put_handshake(&self, host: &str, certificate: &Arc<CertifiedKey>) {
        self.hold.prove_by_handshake(host, certificate);
    }

    /// Waits until every replica answers with what was put.
    pub(super) async fn shown(&self) -> Result<(), Failed> {
        let margin = {
            let _turn = self.turn.lock().await;
            self.store.show(self.hold.proofs(), Until::Seen).await
        };
        let margin = margin.map_err(|error| Failed::from(Failure::Store(error.to_string())))?;
        tokio::time::sleep(margin).await;
        Ok(())
    }

    /// Takes from the other replicas what was withdrawn here. They may go on with it for a moment, which harms nothing.
    pub(super) async fn hide(&self) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        self.store.show(self.hold.proofs(), Until::Written).await.map(drop)
    }
}
