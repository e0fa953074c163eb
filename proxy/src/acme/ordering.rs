//! Keeps one driver at work as a tier is asked now: begins one, ends it, begins it again with other settings. Decides that nothing
//! which serves goes away meanwhile, and that settings which cannot be used change nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bailey_crds::topology::Acme;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::store::Store;
use super::{Driver, DriverError, Hold, Material, Settings, SettingsError};

/// How long a driver that is to end may wait for the answers to orders that it is placing: a little longer than a call may take.
const LAST_ANSWER: Duration = Duration::from_secs(35);

/// What a tier is asked to order, and by what means.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// As the topology says.
    pub acme: Acme,
    /// The most certificates of a tenant, where it has a limit.
    pub most: BTreeMap<Arc<str>, usize>,
    /// What the references of `acme` lead to.
    pub material: Material,
    /// Whether it is seen from here first that a name leads here.
    pub looks_first: bool,
}

impl Asked {
    /// The settings of a driver.
    pub fn settings(&self) -> Result<Settings, SettingsError> {
        let settings = Settings::of(&self.acme, &self.material)?;
        Ok(Settings { most: self.most.clone(), looks_first: self.looks_first, ..settings })
    }
}

/// Orders certificates for one tier, or does not.
#[derive(Debug)]
pub struct Ordering {
    hold: Arc<Hold>,
    running: Option<Running>,
}

/// A driver at work; dropping it ends it.
#[derive(Debug)]
struct Running {
    /// What it was begun with; `None`: with what was at hand, to serve what there is and order nothing.
    asked: Option<Asked>,
    /// Asks it to end when no order is being placed.
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Running {
    /// Ends it; when this returns it does nothing any more.
    async fn end(mut self) {
        drop(self.stop.take());
        if timeout(LAST_ANSWER, &mut self.task).await.is_err() {
            self.task.abort();
            // That it was ended is what was asked for.
            drop((&mut self.task).await);
        }
    }
}

impl Ordering {
    /// Orders nothing yet; what it will order is answered with by `hold`.
    pub fn new(hold: Arc<Hold>) -> Self {
        Self { hold, running: None }
    }

    /// Certificates are read from the store, and serve.
    pub fn is_loaded(&self) -> bool {
        self.running.as_ref().is_some_and(|running| !running.task.is_finished())
    }

    /// Orders these from now on. Equal ones change nothing. What cannot be used leaves everything as it is.
    pub async fn follow(&mut self, asked: Asked, store: Arc<dyn Store>) -> Result<(), OrderingError> {
        let same = self.running.as_ref().is_some_and(|running| running.asked.as_ref() == Some(&asked));
        if same && self.is_loaded() {
            return Ok(());
        }
        let settings = asked.settings()?;
        self.begin(settings, Some(asked), store).await
    }

    /// Serves what the store has and orders nothing: for a start without what the settings refer to. One that orders already goes on
    /// with what it has.
    pub async fn serve_only(&mut self, acme: &Acme, store: Arc<dyn Store>) -> Result<(), OrderingError> {
        if self.is_loaded() {
            return Ok(());
        }
        self.begin(Settings::held_back(acme)?, None, store).await
    }

    async fn begin(
        &mut self,
        settings: Settings,
        asked: Option<Asked>,
        store: Arc<dyn Store>,
    ) -> Result<(), OrderingError> {
        if let Some(before) = self.running.take() {
            before.end().await;
        }
        // Until it has read the store, the hold answers with what the one before has left there.
        let driver = Driver::load(settings, store, self.hold.clone()).await?;
        let (stop, stopped) = oneshot::channel();
        self.running = Some(Running { asked, stop: Some(stop), task: tokio::spawn(driver.run(stopped)) });
        Ok(())
    }

    /// Orders none any more, and serves none of those that were ordered.
    pub async fn end(&mut self) {
        if let Some(running) = self.running.take() {
            running.end().await;
        }
        self.hold.clear();
    }
}

/// Why certificates are not ordered as asked.
#[derive(Debug, thiserror::Error)]
pub enum OrderingError {
    /// The settings ask for something that cannot be done.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The store cannot be read.
    #[error(transparent)]
    Driver(#[from] DriverError),
}

#[cfg(test)]
mod tests {
    use bailey_acme::names::CertificateId;

    use super::*;
    use crate::acme::driver::tests::record;
    use crate::acme::store::{Disk, Item, Volume};
    use crate::tls::public::CertificateIssuer as _;

    const HOST: &str = "a.example.com";

    fn asked(acme: serde_json::Value, most: usize) -> Asked {
        let most = [(Arc::from("team-a"), most)].into();
        Asked { acme: serde_json::from_value(acme).unwrap(), most, material: Material::default(), looks_first: false }
    }

    fn acme() -> serde_json::Value {
        serde_json::json!({"directory": "https://127.0.0.1:1/dir", "challenge": {"http01": {}}})
    }

    #[tokio::test]
    async fn what_serves_goes_on_serving_whatever_is_asked_until_nothing_is() {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(Volume::open(Disk::at(folder.path()).unwrap()));
        let id = CertificateId::of("team-a", HOST);
        store.save(Item::Certificate(id, record(HOST, 1).into())).await.unwrap();
        let hold = Arc::<Hold>::default();
        hold.own(&[(HOST, "team-a")]);
        let mut ordering = Ordering::new(hold.clone());
        // Before what the settings refer to can be read.
        ordering.serve_only(&asked(acme(), 5).acme, store.clone()).await.unwrap();
        assert!(ordering.is_loaded() && hold.issue(HOST).is_some());
        ordering.follow(asked(acme(), 5), store.clone()).await.unwrap();
        assert!(hold.issue(HOST).is_some());
        ordering.follow(asked(acme(), 6), store.clone()).await.unwrap();
        assert!(hold.issue(HOST).is_some());
        // What cannot be used changes nothing.
        let mut unusable = acme();
        unusable["externalAccount"] = serde_json::json!({"keyId": "k", "secretRef": {"name": "s", "key": "k"}});
        let refused = ordering.follow(asked(unusable, 6), store.clone()).await.unwrap_err();
        assert!(matches!(refused, OrderingError::Settings(_)), "{refused}");
        assert!(ordering.is_loaded() && hold.issue(HOST).is_some());
        ordering.end().await;
        assert!(hold.issue(HOST).is_none() && hold.listing().certificates.is_empty());
    }
}
