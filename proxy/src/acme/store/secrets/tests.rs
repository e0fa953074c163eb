mod api;
mod handover;

use std::sync::atomic::Ordering;

use bailey_acme::order::{Phase, Progress};
use bailey_acme::record::{Account, Certificate, Order};
use bailey_acme::{Secret as Key, Time};
use data_encoding::BASE64;

use super::*;
use api::{Api, Fault, Process};

const CANARY: &[u8] = b"CANARY0123456789CANARY";

fn id(host: &str) -> CertificateId {
    CertificateId::of("team-a", host)
}

fn certificate(generation: u64) -> Item {
    let certificate = Certificate {
        generation,
        tenant: "team-a".to_owned(),
        host: "a.example.com".to_owned(),
        authority: "https://ca.example.com/directory".to_owned(),
        profile: None,
        issued: Time(generation),
        unwanted: None,
        key: Key::new(CANARY.to_vec()),
        chain: vec![vec![1; 900], vec![2; 1200]],
    };
    Item::Certificate(id("a.example.com"), certificate.into())
}

fn order(failures: u32) -> Item {
    let progress = Progress { phase: Phase::Ordering, failures, ..Progress::default() };
    let order = Order { tenant: "team-a".to_owned(), host: "a.example.com".to_owned(), progress };
    Item::Order(id("a.example.com"), order.into())
}

fn budget() -> Item {
    Item::Budget(Arc::default())
}

/// A replica, and what says whether it leads.
fn replica(api: &Api, process: &Process, leads: bool) -> (Secrets, watch::Sender<bool>) {
    let (sender, receiver) = watch::channel(leads);
    (Secrets::led(api.client(process), "out", "main", receiver), sender)
}

async fn leader(api: &Api) -> Secrets {
    let (store, _) = replica(api, &Process::default(), true);
    store.load().await.unwrap();
    store
}

async fn contents(api: &Api) -> Contents {
    replica(api, &Process::default(), false).0.load().await.unwrap()
}

fn generation(contents: &Contents) -> Option<u64> {
    contents.certificates.get(&id("a.example.com")).map(|certificate| certificate.generation)
}

#[tokio::test]
async fn what_one_replica_keeps_another_loads() {
    let api = Api::default();
    let store = leader(&api).await;
    assert_eq!(contents(&api).await.budget, Some(Budget::default()), "nothing was spent yet");
    let account = Account { authority: "https://ca/dir".to_owned(), url: None, key: Key::new(CANARY.to_vec()) };
    for item in [certificate(1), certificate(2), order(1), budget(), Item::Account(account.clone().into())] {
        store.save(item).await.unwrap();
    }
    store.probe().await.unwrap();
    let found = contents(&api).await;
    assert_eq!((generation(&found), found.leads, found.orders.len()), (Some(2), false, 1));
    assert_eq!(
        (&found.accounts["https://ca/dir"], found.budget, found.unreadable),
        (&account, Some(Budget::default()), vec![])
    );
    assert!(api.data(&format!("bailey-acme-certificate-{}", id("a.example.com")))["previous"].is_string());
    assert!(!api.names().iter().any(|name| name.contains("probe")), "{:?}", api.names());
    store.save(order(0)).await.unwrap();
    store.delete(id("a.example.com")).await.unwrap();
    let found = contents(&api).await;
    assert!(found.certificates.is_empty() && found.orders.is_empty());
}

/// At every change that `save` asks for, with every kind of fault: afterwards the old or the new certificate is loaded, never
/// none and never a mixture, and another replica can lead.
#[tokio::test]
async fn a_fault_at_any_call_leaves_the_old_or_the_new_certificate() {
    let mut points = 0;
    let refused = [409, 429, 500, 503].map(Fault::Refused);
    for fault in refused.into_iter().chain([Fault::Dropped, Fault::AnswerLost, Fault::Killed, Fault::KilledAfter]) {
        for at in 0.. {
            let api = Api::default();
            let before = leader(&api).await;
            for item in [certificate(1), budget(), certificate(2)] {
                before.save(item).await.unwrap();
            }
            drop(before);
            let process = Process { fault: Some((at, fault)), ..Process::default() };
            let (store, _leads) = replica(&api, &process, true);
            let saved = match store.load().await {
                Ok(loaded) => {
                    assert_eq!(generation(&loaded), Some(2));
                    store.save(certificate(3)).await
                }
                Err(error) => Err(error),
            };
            if process.changes.load(Ordering::Relaxed) <= at {
                saved.unwrap();
                break;
            }
            points += 1;
            let found = generation(&contents(&api).await);
            match &saved {
                Ok(()) => assert_eq!(found, Some(3), "{fault:?} at {at}: it was said to be kept"),
                Err(_) => assert!(matches!(found, Some(2 | 3)), "{fault:?} at {at}: {found:?}"),
            }
            // The same replica again, unless it is dead, or another one.
            let alive = !matches!(fault, Fault::Killed | Fault::KilledAfter);
            let next = if alive { store } else { replica(&api, &Process::default(), true).0 };
            if !alive || saved.as_ref().is_err_and(StoreError::asks_to_load) || next.fence().is_err() {
                next.load().await.unwrap();
            }
            next.save(certificate(4)).await.unwrap();
            assert_eq!(generation(&contents(&api).await), Some(4), "{fault:?} at {at}");
        }
    }
    assert!(points >= 16, "only {points} points");
}

#[tokio::test]
async fn who_was_taken_over_places_no_order() {
    let api = Api::default();
    let old = leader(&api).await;
    for item in [budget(), certificate(1)] {
        old.save(item).await.unwrap();
    }
    let new = leader(&api).await;
    // What comes before every order.
    assert!(matches!(old.save(budget()).await, Err(StoreError::Fenced { ours: 1, theirs: 2 })));
    for refused in [old.save(order(1)).await, old.probe().await, old.delete(id("a.example.com")).await] {
        assert!(matches!(refused, Err(StoreError::Follows)), "{refused:?}");
    }
    new.save(budget()).await.unwrap();
    assert_eq!(generation(&contents(&api).await), Some(1));
}

#[tokio::test]
async fn what_one_that_was_taken_over_wrote_late_is_read_and_not_written_over() {
    let api = Api::default();
    let old = leader(&api).await;
    old.save(budget()).await.unwrap();
    let new = leader(&api).await;
    // The old one had kept its budget already: this is what it does next.
    old.save(order(3)).await.unwrap();
    let refused = new.save(order(1)).await;
    assert!(matches!(&refused, Err(error @ StoreError::Changed { .. }) if error.asks_to_load()), "{refused:?}");
    let loaded = new.load().await.unwrap();
    assert_eq!(loaded.orders[&id("a.example.com")].progress.failures, 3);
    new.save(order(4)).await.unwrap();
    assert!(matches!(old.save(order(5)).await, Err(StoreError::Fenced { .. })));
}

#[tokio::test]
async fn who_follows_writes_nothing() {
    let api = Api::default();
    let (store, _leads) = replica(&api, &Process::default(), false);
    store.load().await.unwrap();
    for refused in [store.save(budget()).await, store.probe().await, store.save(order(0)).await] {
        assert!(matches!(refused, Err(StoreError::Follows)), "{refused:?}");
    }
    assert_eq!(api.writes(), 0);
}

#[tokio::test]
async fn what_is_broken_is_kept_and_the_one_before_serves() {
    let api = Api::default();
    let store = leader(&api).await;
    for item in [budget(), certificate(1), certificate(2)] {
        store.save(item).await.unwrap();
    }
    let name = format!("bailey-acme-certificate-{}", id("a.example.com"));
    let broken = BASE64.encode(b"half a rec");
    api.edit(&name, |secret| secret["data"]["record"] = broken.clone().into());
    let loaded = store.load().await.unwrap();
    assert_eq!((generation(&loaded), loaded.unreadable.len()), (Some(1), 1));
    assert_eq!((&loaded.unreadable[0].name, &loaded.unreadable[0].aside), (&name, &None));
    store.save(certificate(3)).await.unwrap();
    assert_eq!(generation(&contents(&api).await), Some(3));
    let data = api.data(&name);
    let kept = data.as_object().unwrap().iter().find(|(key, _)| key.starts_with("broken-")).unwrap();
    assert_eq!(*kept.1, broken);
    api.edit("bailey-acme-budget", |secret| secret["data"]["record"] = broken.into());
    let loaded = store.load().await.unwrap();
    assert_eq!(loaded.budget, None, "it counts as spent");
    store.save(budget()).await.unwrap();
}

#[tokio::test]
async fn what_people_change_beside_the_record_holds_nothing_up() {
    let api = Api::default();
    let store = leader(&api).await;
    for item in [budget(), order(1)] {
        store.save(item).await.unwrap();
    }
    let name = format!("bailey-acme-order-{}", id("a.example.com"));
    for name in ["bailey-acme-budget", &name] {
        api.edit(name, |secret| secret["metadata"]["annotations"]["note"] = "mine".into());
    }
    for item in [budget(), order(2)] {
        store.save(item).await.unwrap();
    }
    assert_eq!(contents(&api).await.orders[&id("a.example.com")].progress.failures, 2);
}

#[tokio::test]
async fn somebody_elses_secret_is_left_alone_and_named() {
    let api = Api::default();
    let store = leader(&api).await;
    store.save(order(1)).await.unwrap();
    let name = format!("bailey-acme-order-{}", id("a.example.com"));
    api.edit(&name, |secret| secret["metadata"]["labels"]["bailey.dev/topology"] = "other".into());
    let before = api.data(&name);
    store.load().await.unwrap();
    let refused = store.save(order(2)).await.unwrap_err().to_string();
    assert!(refused.contains(&name) && refused.contains("namespace of its own"), "{refused}");
    assert_eq!(api.data(&name), before);
}

#[tokio::test]
async fn the_others_hear_of_certificates_orders_and_proofs() {
    let api = Api::default();
    let (follower, _leads) = replica(&api, &Process::default(), false);
    follower.load().await.unwrap();
    let store = leader(&api).await;
    store.save(certificate(7)).await.unwrap();
    let changes = follower.changed().await;
    assert_eq!(changes.certificates[&id("a.example.com")].as_ref().map(|one| one.generation), Some(7));
    store.save(order(2)).await.unwrap();
    let changes = follower.changed().await;
    assert_eq!(changes.orders[&id("a.example.com")].as_ref().map(|one| one.progress.failures), Some(2));
    let mut proofs = Proofs::default();
    proofs.put("a.example.com", "token", "token.thumb");
    let proofs = Arc::new(proofs);
    // That it returns says that the leader's own watch has seen them.
    assert_eq!(store.show(proofs.clone(), Until::Seen).await.unwrap(), MARGIN);
    assert_eq!(follower.changed().await.proofs, Some(proofs.clone()));
    let writes = api.writes();
    store.show(proofs, Until::Seen).await.unwrap();
    assert_eq!(api.writes(), writes, "what is shown already is not written again");
    store.show(Arc::default(), Until::Written).await.unwrap();
    assert_eq!(follower.changed().await.proofs, Some(Arc::default()));
    store.delete(id("a.example.com")).await.unwrap();
    let mut gone = (false, false);
    while gone != (true, true) {
        let changes = follower.changed().await;
        gone.0 |= changes.certificates.get(&id("a.example.com")).is_some_and(Option::is_none);
        gone.1 |= changes.orders.get(&id("a.example.com")).is_some_and(Option::is_none);
    }
}

#[tokio::test]
async fn errors_name_the_secret_and_no_key() {
    let api = Api::default();
    let process = Process { refused: Some(403), ..Process::default() };
    let (store, _leads) = replica(&api, &process, true);
    let error = store.load().await.unwrap_err().to_string();
    assert!(error.contains("cannot list Secret bailey-acme-*") && error.contains("it does not work"), "{error}");
    let process = Process { fault: Some((1, Fault::Dropped)), ..Process::default() };
    let (store, _leads) = replica(&api, &process, true);
    store.load().await.unwrap();
    let error = store.save(certificate(1)).await.unwrap_err();
    let printed = format!("{error} {error:?} {store:?} {:?} {:?}", certificate(1), contents(&api).await);
    assert!(printed.contains("bailey-acme-certificate-"), "{printed}");
    for canary in [String::from_utf8_lossy(CANARY).into_owned(), BASE64.encode(CANARY), format!("{CANARY:?}")] {
        assert!(!printed.contains(&canary[..20]), "{printed}");
    }
}
