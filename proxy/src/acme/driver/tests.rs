use std::sync::atomic::{AtomicU64, Ordering};

use bailey_acme::Secret;
use bailey_acme::record::Certificate;
use bailey_crds::topology::Acme;

use super::*;
use crate::acme::Step;
use crate::acme::store::{Disk, Item, Volume};
use crate::tls::public::CertificateIssuer as _;

/// The beginning of the 15th of January 2027.
const START: u64 = 1_799_971_200;

/// An authority that nobody listens for.
fn settings() -> Settings {
    let acme = serde_json::json!({"directory": "https://127.0.0.1:1/dir", "challenge": {"http01": {}}});
    Settings::of(&serde_json::from_value::<Acme>(acme).unwrap(), &crate::acme::Material::default()).unwrap()
}

fn id(host: &str) -> CertificateId {
    CertificateId::of("team-a", host)
}

/// A certificate of `host`, valid for 90 days from [`START`].
pub(in crate::acme) fn record(host: &str, generation: u64) -> Certificate {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec![host.to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2027, 1, 15);
    params.not_after = rcgen::date_time_ymd(2027, 4, 15);
    let chain = vec![params.self_signed(&key).unwrap().der().to_vec()];
    Certificate {
        generation,
        tenant: "team-a".to_owned(),
        host: host.to_owned(),
        authority: "https://127.0.0.1:1/dir".to_owned(),
        profile: None,
        issued: Time(START),
        unwanted: None,
        key: Secret::new(key.serialize_der()),
        chain,
    }
}

struct Bed {
    folder: tempfile::TempDir,
    hold: Arc<Hold>,
    time: Arc<AtomicU64>,
}

impl Bed {
    fn new() -> Self {
        let time = Arc::new(AtomicU64::new(START));
        Self { folder: tempfile::tempdir().unwrap(), hold: Arc::default(), time }
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::new(Volume::open(Disk::at(self.folder.path()).unwrap()))
    }

    async fn driver(&self, store: &Arc<dyn Store>) -> Driver {
        let time = self.time.clone();
        let driver = Driver::load(settings(), store.clone(), self.hold.clone()).await.unwrap();
        driver.with_clock(Arc::new(move || Time(time.load(Ordering::Relaxed))))
    }
}

#[tokio::test]
async fn what_is_kept_serves_and_is_listed_with_what_comes_next() {
    let bed = Bed::new();
    let store = bed.store();
    store.save(Item::Certificate(id("a.example.com"), record("a.example.com", 4).into())).await.unwrap();
    bed.hold.own(&[("a.example.com", "team-a"), ("*.example.com", "team-a")]);
    let mut driver = bed.driver(&store).await;
    driver.settle().await;
    assert!(bed.hold.issue("a.example.com").is_some());
    let listing = bed.hold.listing();
    let listed = &listing.certificates[0];
    let served = listed.served.clone().unwrap();
    assert_eq!((served.generation, served.life.ends), (4, Time(START + 90 * 86_400)));
    assert!(listed.next.0 == Step::Renew && listed.next.1 > Time(START + 50 * 86_400), "{:?}", listed.next);
    assert!(listing.without.contains_key("*.example.com"));
}

#[tokio::test]
async fn an_authority_that_is_away_is_tried_again_and_the_listing_says_why() {
    let bed = Bed::new();
    bed.hold.own(&[("a.example.com", "team-a"), ("b.example.com", "team-a")]);
    let store = bed.store();
    let mut driver = bed.driver(&store).await;
    let next = driver.settle().await;
    assert!(next >= Time(START + 10), "{next:?}");
    let listing = bed.hold.listing();
    assert_eq!(listing.certificates.len(), 2);
    for listed in &listing.certificates {
        assert_eq!((listed.served.clone(), listed.next.0), (None, Step::GoOn));
        assert!(listed.error.as_ref().unwrap().contains("cannot reach the authority"), "{:?}", listed.error);
    }
    // Nothing was ordered, and that is known after a restart too.
    let contents = store.load().await.unwrap();
    assert!(contents.orders.values().all(|order| order.progress.phase == Phase::Granted));
    assert_eq!(bed.hold.orders(), crate::acme::Orders::default());
}

#[tokio::test]
async fn another_driver_on_the_same_hold_takes_no_certificate_away() {
    let bed = Bed::new();
    let store = bed.store();
    store.save(Item::Certificate(id("a.example.com"), record("a.example.com", 1).into())).await.unwrap();
    bed.hold.own(&[("a.example.com", "team-a")]);
    let first = bed.driver(&store).await;
    let served = bed.hold.issue("a.example.com").unwrap();
    drop(first);
    assert!(bed.hold.issue("a.example.com").is_some(), "without any driver");
    let _second = bed.driver(&store).await;
    assert_eq!(bed.hold.issue("a.example.com").unwrap().cert, served.cert);
}

#[tokio::test]
async fn a_name_that_is_gone_keeps_its_certificate_for_a_week_and_its_order_for_no_time() {
    let bed = Bed::new();
    let store = bed.store();
    store.save(Item::Certificate(id("a.example.com"), record("a.example.com", 1).into())).await.unwrap();
    bed.hold.own(&[("a.example.com", "team-a"), ("b.example.com", "team-a")]);
    let mut driver = bed.driver(&store).await;
    driver.settle().await;
    assert_eq!(store.load().await.unwrap().orders.len(), 1);
    bed.hold.own(&[]);
    driver.follow();
    driver.settle().await;
    assert!(bed.hold.issue("a.example.com").is_none());
    let contents = store.load().await.unwrap();
    assert_eq!((contents.orders.len(), contents.certificates.len()), (0, 1));
    bed.time.fetch_add(8 * 86_400, Ordering::Relaxed);
    driver.settle().await;
    assert!(store.load().await.unwrap().certificates.is_empty());
}

#[tokio::test]
async fn a_renewal_that_somebody_asks_for_is_the_next_step_at_once_unless_everything_is_held_back() {
    let bed = Bed::new();
    let store = bed.store();
    store.save(Item::Certificate(id("a.example.com"), record("a.example.com", 1).into())).await.unwrap();
    bed.hold.own(&[("a.example.com", "team-a")]);
    let mut driver = bed.driver(&store).await;
    driver.settle().await;
    bed.hold.request_renewals([("a.example.com".into(), Time(START + 60))].into());
    driver.take_renewals();
    assert_eq!(bed.hold.listing().certificates[0].next, (Step::Renew, Time(START + 60)));
    bed.time.store(START + 60, Ordering::Relaxed);
    driver.settle().await;
    let listing = bed.hold.listing();
    // Nobody listens there, and the order is under way.
    assert_eq!(listing.certificates[0].next.0, Step::GoOn);
    drop(driver);
    let held_back = Settings { held_back: true, ..settings() };
    let time = bed.time.clone();
    let driver = Driver::load(held_back, store.clone(), bed.hold.clone()).await.unwrap();
    let mut driver = driver.with_clock(Arc::new(move || Time(time.load(Ordering::Relaxed))));
    bed.time.store(START + 89 * 86_400, Ordering::Relaxed);
    let before = store.load().await.unwrap().orders;
    assert!(driver.work().await > Time(START + 89 * 86_400));
    assert_eq!(store.load().await.unwrap().orders, before, "no step is taken");
    assert!(bed.hold.issue("a.example.com").is_some());
}
