//! The account at the authority: opened at the first call, made if need be, and shared by all orders.

use std::fmt;
use std::sync::Arc;

use bailey_acme::order::Failure;
use bailey_acme::record;
use tokio::sync::Mutex;

use super::Settings;
use super::authority::{Authority, Failed};
use super::store::{Item, Store};

/// Gives the account to whoever needs it.
pub(super) struct Door {
    settings: Arc<Settings>,
    store: Arc<dyn Store>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: Option<record::Account>,
    open: Option<Arc<Authority>>,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").finish_non_exhaustive()
    }
}

impl Door {
    /// With the account that the store knows.
    pub(super) fn new(settings: Arc<Settings>, store: Arc<dyn Store>, kept: Option<record::Account>) -> Self {
        Self { settings, store, state: Mutex::new(State { kept, open: None }) }
    }

    /// The account. Only one caller opens it, the others wait for that.
    pub(super) async fn open(&self) -> Result<Arc<Authority>, Failed> {
        let mut state = self.state.lock().await;
        if let Some(open) = &state.open {
            return Ok(open.clone());
        }
        let mut account = if let Some(account) = &state.kept {
            account.clone()
        } else {
            let authority = self.settings.directory.clone();
            let made = record::Account { authority, url: None, key: Authority::new_key()? };
            // Before the authority hears of it: a crash then makes no second account.
            self.keep(&made).await?;
            state.kept.insert(made).clone()
        };
        let known = account.url.is_some();
        let authority = Authority::open(&self.settings, &mut account).await?;
        if !known {
            self.keep(&account).await?;
            state.kept = Some(account);
        }
        Ok(state.open.insert(Arc::new(authority)).clone())
    }

    async fn keep(&self, account: &record::Account) -> Result<(), Failed> {
        let kept = self.store.save(Item::Account(Arc::new(account.clone()))).await;
        kept.map_err(|error| Failed::from(Failure::Store(error.to_string())))
    }
}
