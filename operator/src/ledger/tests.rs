//! The ledger: the first owner keeps a name, whatever is edited later.

use proptest::prelude::*;

use super::*;

const MAIN: Asking<'_> = Asking { topology: "main", namespace: "edge" };

fn host(text: &str) -> Hostname {
    Hostname::parse(text).unwrap()
}

fn wish(tenant: &str, name: &str) -> Wish {
    Wish { hostname: host(name), tenant: tenant.to_owned() }
}

fn held(tenant: &str, name: &str, released: Option<i64>) -> Held {
    Held {
        hostname: host(name),
        namespace: "edge".to_owned(),
        topology: "main".to_owned(),
        tenant: tenant.to_owned(),
        released: released.map(|at| Timestamp::from_second(at).unwrap()),
    }
}

fn now() -> Timestamp {
    Timestamp::from_second(1_000_000).unwrap()
}

fn names(decision: &Decision, tenant: &str) -> Vec<String> {
    decision.granted.get(tenant).into_iter().flatten().map(ToString::to_string).collect()
}

#[test]
fn who_has_the_binding_keeps_the_host_though_another_is_named_first() {
    let wishes = [wish("a", "x.example.com"), wish("b", "x.example.com")];
    let decision = decide(MAIN, &wishes, &[held("b", "x.example.com", None)], now());
    assert_eq!((names(&decision, "a"), names(&decision, "b")), (vec![], vec!["x.example.com".to_owned()]));
    assert_eq!(
        decision.lost[0].to_string(),
        "tenant b of topology main owns x.example.com, so x.example.com cannot be tenant a's"
    );
}

#[test]
fn a_wildcard_and_a_name_below_it_stand_against_each_other() {
    for (mine, theirs) in [("a.example.com", "*.example.com"), ("*.example.com", "a.example.com")] {
        let decision = decide(MAIN, &[wish("b", theirs)], &[held("a", mine, None)], now());
        assert!(names(&decision, "b").is_empty(), "{theirs} against {mine}");
        // Nobody asks for the first any more: it is released, and still in the way.
        assert_eq!(decision.release.len(), 1);
        assert!(decision.lost[0].held_until.is_some());
    }
}

#[test]
fn a_host_of_another_topology_is_owned_too() {
    let other = Held { topology: "other".to_owned(), ..held("b", "x.example.com", None) };
    let decision = decide(MAIN, &[wish("b", "x.example.com")], &[other], now());
    assert!(decision.granted.is_empty() && decision.release.is_empty());
    assert_eq!(decision.lost[0].owner_topology, "other");
}

#[test]
fn a_host_is_owned_across_topologies_and_the_same_tenant_may_have_it_at_two_edges() {
    let other =
        Held { topology: "other".to_owned(), namespace: "other-edge".to_owned(), ..held("a", "x.example.com", None) };
    let decision =
        decide(MAIN, &[wish("b", "x.example.com"), wish("b", "*.example.com")], std::slice::from_ref(&other), now());
    assert!(decision.granted.is_empty() && decision.release.is_empty(), "{decision:?}");
    assert_eq!(decision.lost[0].owner_topology, "other");
    let decision = decide(MAIN, &[wish("a", "x.example.com")], std::slice::from_ref(&other), now());
    assert_eq!((names(&decision, "a"), decision.lost.len()), (vec!["x.example.com".to_owned()], 0));
    // What the other topology has given up is its own matter, and kept from other tenants all the same.
    let released = Held { released: Some(now()), ..other };
    let decision = decide(MAIN, &[wish("b", "x.example.com")], &[released], now());
    assert!(decision.granted.is_empty() && decision.holding.is_empty() && decision.expired.is_empty(), "{decision:?}");
}

#[test]
fn bindings_left_in_a_namespace_that_the_outer_tier_has_moved_from_are_removed() {
    let left = Held { namespace: "old-edge".to_owned(), ..held("a", "x.example.com", None) };
    let decision = decide(MAIN, &[wish("a", "x.example.com")], std::slice::from_ref(&left), now());
    assert_eq!((names(&decision, "a"), &decision.expired), (vec!["x.example.com".to_owned()], &vec![left]));
}

#[test]
fn a_released_host_is_held_for_a_day_and_then_free() {
    let at = now().as_second();
    let wishes = [wish("b", "x.example.com")];
    let early = decide(MAIN, &wishes, &[held("a", "x.example.com", Some(at - 86_399))], now());
    assert!(early.granted.is_empty() && early.holding.len() == 1 && early.expired.is_empty());
    assert!(early.lost[0].to_string().contains("delete HostnameBinding host-"), "{}", early.lost[0]);
    let late = decide(MAIN, &wishes, &[held("a", "x.example.com", Some(at - 86_400))], now());
    assert_eq!((names(&late, "b"), late.expired.len()), (vec!["x.example.com".to_owned()], 1));
}

#[test]
fn the_tenant_that_released_a_host_has_it_back_at_once() {
    let decision = decide(MAIN, &[wish("a", "x.example.com")], &[held("a", "x.example.com", Some(999_999))], now());
    assert_eq!(names(&decision, "a"), ["x.example.com"]);
    assert!(decision.holding.is_empty() && decision.release.is_empty());
}

proptest! {
    #[test]
    fn no_two_tenants_get_names_that_overlap_and_owners_lose_nothing(
        wishes in prop::collection::vec(("[ab]", "(\\*\\.)?([xy]\\.)?example\\.com"), 0..12),
        owned in prop::collection::vec(("[ab]", "[xyz]\\.example\\.com"), 0..4),
    ) {
        let wishes: Vec<Wish> = wishes.iter().map(|(tenant, name)| wish(tenant, name)).collect();
        let mut ledger: Vec<Held> = Vec::new();
        for (tenant, name) in &owned {
            let one = held(tenant, name, None);
            if ledger.iter().all(|other| other.hostname != one.hostname) {
                ledger.push(one);
            }
        }
        let decision = decide(MAIN, &wishes, &ledger, now());
        let all: Vec<_> = decision.granted.iter().flat_map(|(tenant, hosts)| hosts.iter().map(move |host| (tenant, host))).collect();
        for (tenant, one) in &all {
            for (other, two) in &all {
                prop_assert!(tenant == other || !one.overlaps(two), "{tenant} {one}, {other} {two}");
            }
        }
        for one in &ledger {
            if wishes.iter().any(|w| w.hostname == one.hostname && w.tenant == one.tenant) {
                prop_assert!(decision.granted[&one.tenant].contains(&one.hostname) || decision.lost.iter().any(|lost| lost.against != one.hostname));
            }
        }
    }
}
