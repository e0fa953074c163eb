use proptest::prelude::*;

use super::{sealed as seal, *};

fn phases() -> impl Strategy<Value = Phase> {
    let url = any::<String>;
    prop_oneof![
        Just(Phase::Idle),
        Just(Phase::Granted),
        Just(Phase::Ordering),
        url().prop_map(|url| Phase::Placed { url }),
        url().prop_map(|url| Phase::Proving { url }),
        (url(), any::<Vec<u8>>()).prop_map(|(url, key)| Phase::Finalizing { url, key: Secret::new(key) }),
    ]
}

prop_compose! {
    fn orders()(
        tenant: String, host: String, renewal: Option<bool>, replaces: Option<String>, began: u64, not_before: u64,
        failures: u32, retries: u32, error: Option<String>, phase in phases()
    ) -> Order {
        let wish = renewal.map(|renewal| Wish {
            purpose: if renewal { Purpose::Renewal } else { Purpose::First },
            replaces,
        });
        let (began, not_before) = (Time(began), Time(not_before));
        Order { tenant, host, progress: Progress { phase, wish, began, not_before, failures, retries, error } }
    }
}

prop_compose! {
    fn certificates()(
        generation: u64, tenant: String, host: String, authority: String, profile: Option<String>, issued: u64,
        unwanted: Option<u64>, key: Vec<u8>, chain in prop::collection::vec(any::<Vec<u8>>(), 0..4)
    ) -> Certificate {
        let (issued, unwanted) = (Time(issued), unwanted.map(Time));
        Certificate { generation, tenant, host, authority, profile, issued, unwanted, key: Secret::new(key), chain }
    }
}

fn account() -> Account {
    let authority = "https://acme.example.com/directory".to_owned();
    Account { authority, url: None, key: Secret::new(b"CANARY".to_vec()) }
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(order in orders(), certificate in certificates(), fence: u64) {
        prop_assert_eq!(Order::decode(&order.encode(fence)).unwrap(), (order, fence));
        prop_assert_eq!(Certificate::decode(&certificate.encode(fence)).unwrap(), (certificate, fence));
    }

    #[test]
    fn no_changed_or_cut_record_is_read(certificate in certificates(), at: prop::sample::Index, xor in 1_u8..) {
        let bytes = certificate.encode(7);
        let at = at.index(bytes.len());
        let mut changed = bytes.to_vec();
        changed[at] ^= xor;
        prop_assert!(Certificate::decode(&changed).is_err());
        prop_assert!(Certificate::decode(&bytes[..at]).is_err());
        changed = bytes.to_vec();
        changed.insert(at, b'\n');
        prop_assert!(Certificate::decode(&changed).is_err());
    }

    #[test]
    fn reading_anything_ends(bytes: Vec<u8>, body in "bailey (order|certificate|account|budget) 1\n(fence [0-9]{1,20}\n)?([a-z]{1,8} .{0,20}\n){0,9}") {
        let _ = (Certificate::decode(&bytes), Account::decode(&bytes), Order::decode(&bytes), Budget::decode(&bytes));
        let sealed = seal(&body);
        let _ = (Certificate::decode(&sealed), Account::decode(&sealed), Order::decode(&sealed), Budget::decode(&sealed));
    }
}

#[test]
fn records_tell_kinds_and_versions_apart() {
    let bytes = account().encode(1);
    assert!(Account::decode(&bytes).is_ok());
    assert_eq!(Order::decode(&bytes).unwrap_err(), Unreadable::Malformed("kind"));
    let text = std::str::from_utf8(&bytes).unwrap();
    let newer = text.replace("bailey account 1", "bailey account 2");
    assert_eq!(Account::decode(newer.as_bytes()).unwrap_err(), Unreadable::Damaged);
    let body = &newer[..newer.find("checksum").unwrap()];
    assert_eq!(Account::decode(&seal(body)).unwrap_err(), Unreadable::Version(2));
}

#[test]
fn a_budget_is_kept() {
    let mut budget = Budget::default();
    budget.failed("a.example.com", Time(100));
    budget.pause(None, Time(100));
    assert_eq!(Budget::decode(&budget.encode(3)).unwrap(), (budget, 3));
}

#[test]
fn keys_are_not_printed() {
    let phase = Phase::Finalizing { url: "u".to_owned(), key: Secret::new(b"CANARY".to_vec()) };
    let order =
        Order { tenant: "t".to_owned(), host: "h".to_owned(), progress: Progress { phase, ..Progress::default() } };
    let printed = format!("{:?} {order:?} {:?}", account(), order.progress);
    for canary in ["CANARY", "67, 65, 78", "Q0FOQVJZ"] {
        assert!(!printed.contains(canary), "{printed}");
    }
}
