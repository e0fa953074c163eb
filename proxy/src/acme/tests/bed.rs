//! A real driver, a real store, our own authority, and a clock that the test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bailey_acme::Time;
use bailey_acme::challenge::record_name;
use bailey_crds::topology::Acme;
use data_encoding::BASE64;
use serde_json::{Value, json};

use super::authority::{Authority, Look};
use crate::acme::dns::tests::server::Server;
use crate::acme::store::{Disk, Store, Volume};
use crate::acme::{Driver, Hold, Listed, Material, Settings};
use crate::tls::public::CertificateIssuer as _;

/// The beginning of the 15th of January 2027.
const START: u64 = 1_799_971_200;
/// The most orders in a row; then something runs away.
const ENDLESS: usize = 20_000;

pub(super) struct Bed {
    pub(super) authority: Authority,
    pub(super) hold: Arc<Hold>,
    pub(super) driver: Driver,
    settings: Settings,
    store: Arc<dyn Store>,
    time: Arc<AtomicU64>,
    _folder: tempfile::TempDir,
}

/// How names are proven.
pub(super) enum By<'a> {
    Http,
    Dns(&'a Server, Value, Material),
}

impl Bed {
    pub(super) async fn new(hosts: &[&str], by: By<'_>, mut more: Value) -> Self {
        let (hold, time) = (Arc::<Hold>::default(), Arc::new(AtomicU64::new(START)));
        let clock = time.clone();
        let clock: Arc<dyn Fn() -> Time + Send + Sync> = Arc::new(move || Time(clock.load(Ordering::Relaxed)));
        let proofs = hold.clone();
        let (look, challenge, material): (Look, _, _) = match by {
            By::Http => {
                let look =
                    move |host: &str, kind: &str, token: &str| kind == "http-01" && proofs.proof(host, token).is_some();
                (Arc::new(look), json!({"http01": {}}), Material::default())
            }
            By::Dns(server, spec, material) => {
                let names = server.shared();
                let look = move |host: &str, kind: &str, _: &str| {
                    kind == "dns-01" && names.lock().unwrap().texts.iter().any(|(name, _)| *name == record_name(host))
                };
                (Arc::new(look), json!({"dns01": spec}), material)
            }
        };
        let authority = Authority::start(clock.clone(), look).await;
        let all = more.as_object_mut().unwrap();
        all.insert("directory".to_owned(), json!(authority.directory()));
        all.insert("challenge".to_owned(), challenge);
        let roots = Some(authority.roots());
        let acme: Acme = serde_json::from_value(more).unwrap();
        let settings = Settings::of(&acme, &Material { roots, ..material }).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(Volume::open(Disk::at(folder.path()).unwrap()));
        hold.own(&hosts.iter().map(|host| (*host, "team-a")).collect::<Vec<_>>());
        let driver = Driver::load(settings.clone(), store.clone(), hold.clone()).await.unwrap().with_clock(clock);
        Self { authority, hold, driver, settings, store, time, _folder: folder }
    }

    pub(super) fn now(&self) -> Time {
        Time(self.time.load(Ordering::Relaxed))
    }

    /// Lets time pass: everything that is due is done at its moment.
    pub(super) async fn pass(&mut self, time: Duration) {
        let until = self.now().after(time);
        for _ in 0..ENDLESS {
            let next = self.driver.settle().await;
            if next > until {
                self.time.store(until.0, Ordering::Relaxed);
                return;
            }
            self.time.store(next.0.max(self.now().0 + 1), Ordering::Relaxed);
        }
        panic!("something is always due");
    }

    /// Another process takes over, as after a crash.
    pub(super) async fn restart(&mut self) {
        let time = self.time.clone();
        let driver = Driver::load(self.settings.clone(), self.store.clone(), self.hold.clone()).await.unwrap();
        self.driver = driver.with_clock(Arc::new(move || Time(time.load(Ordering::Relaxed))));
    }

    /// The private keys that are kept, in base64.
    pub(super) async fn keys(&self) -> Vec<String> {
        let contents = self.store.load().await.unwrap();
        let certificates = contents.certificates.values().map(|one| &one.key);
        let accounts = contents.accounts.values().map(|one| &one.key);
        certificates.chain(accounts).map(|key| BASE64.encode(key.expose())).collect()
    }

    /// The certificate that a client gets.
    pub(super) fn served(&self, host: &str) -> Option<Vec<u8>> {
        self.hold.issue(host).map(|key| key.cert[0].to_vec())
    }

    pub(super) fn listed(&self, host: &str) -> Arc<Listed> {
        self.hold.listing().certificates.iter().find(|one| *one.host == *host).unwrap().clone()
    }
}
