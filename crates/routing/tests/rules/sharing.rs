//! Weights and mirrors over the whole range of the random number; what tables share.

use std::sync::Arc;

use bailey_routing::ir::{Backend, Filter, Fraction, Invalid, Mirror, Rule, Target, Upstream};
use bailey_routing::{Cause, Change, Plan};

use crate::world::{backend, get, matched, planned, prefix, route, service, table, with};

/// Evenly spread over the 64 bits.
fn randoms(count: u64) -> impl Iterator<Item = u64> {
    (0..count).map(move |index| index * (u64::MAX / count))
}

fn invalid(weight: u32) -> Backend {
    Backend { target: Target::Invalid(Arc::new(Invalid::internal("not permitted"))), weight, filters: Box::default() }
}

#[test]
fn weights_are_kept_and_an_invalid_backend_keeps_its_share() {
    let backends = [backend("app", 3), backend("idle", 0), invalid(2), backend("other", 5)].into();
    let table = table([route("r", "", [Rule { backends, ..prefix("/") }])]);
    let mut shares = [0i32; 5];
    for random in randoms(10_000) {
        match planned(&table, &get("/"), random) {
            Plan::Forward(forward) => shares[forward.backend] += 1,
            Plan::Respond(answer) => {
                assert!(matches!(answer.cause, Cause::Invalid(_)));
                shares[4] += 1;
            }
        }
    }
    for (share, expected) in shares.into_iter().zip([3_000, 0, 0, 5_000, 2_000]) {
        assert!((share - expected).abs() <= 1, "{shares:?}");
    }
}

#[test]
fn the_largest_weights_do_not_overflow() {
    let backends = [backend("app", u32::MAX), backend("other", u32::MAX)].into();
    let table = table([route("r", "", [Rule { backends, ..prefix("/") }])]);
    let chosen = |random| match planned(&table, &get("/"), random) {
        Plan::Forward(forward) => forward.backend,
        Plan::Respond(answer) => panic!("{answer:?}"),
    };
    assert_eq!((chosen(0), chosen(u64::MAX / 2), chosen(u64::MAX)), (0, 0, 1));
}

#[test]
fn mirrors_are_drawn_apart_from_each_other_and_from_the_backend() {
    let mirror = |name: &str, fraction| Filter::Mirror(Mirror { target: Target::Upstream(service(name)), fraction });
    let mirrors = [
        mirror("other", Fraction::percent(50)),
        mirror("app", Fraction { numerator: 1, denominator: 4 }),
        mirror("idle", Fraction::ALL),
    ];
    let backends = [backend("app", 1), backend("other", 1)].into();
    let table = table([route("r", "", [Rule { backends, ..with(mirrors, prefix("/")) }])]);
    let (mut half, mut quarter, mut both, mut half_of_first) = (0, 0, 0, 0);
    for random in randoms(20_000) {
        let Plan::Forward(forward) = planned(&table, &get("/"), random) else { panic!("nothing is wrong") };
        let has = |name| forward.mirrors.iter().any(|upstream| upstream.id == service(name));
        assert!(!has("idle"), "an upstream without endpoints gets no copies");
        half += i32::from(has("other"));
        quarter += i32::from(has("app"));
        both += i32::from(has("other") && has("app"));
        half_of_first += i32::from(has("other") && forward.backend == 0);
    }
    for (share, expected) in [(half, 10_000), (quarter, 5_000), (both, 2_500), (half_of_first, 5_000)] {
        assert!((share - expected).abs() < 300, "{share} instead of {expected}");
    }
}

#[test]
fn equal_inputs_give_equal_plans() {
    let backends = [backend("app", 1), backend("other", 1)].into();
    let table = table([route("r", "", [Rule { backends, ..prefix("/") }])]);
    for random in randoms(100) {
        let plans = [(); 2].map(|()| format!("{:?}", planned(&table, &get("/"), random)));
        assert_eq!(plans[0], plans[1]);
    }
}

#[test]
fn an_endpoint_change_reaches_plans_without_touching_routes() {
    let table = table([route("r", "", [Rule { backends: [backend("app", 1)].into(), ..prefix("/") }])]);
    let gone = Upstream { id: service("app"), endpoints: Box::default() };
    let next = table.apply([Change::Upstream(Arc::new(gone))]);
    assert!(matches!(planned(&table, &get("/"), 0), Plan::Forward(_)));
    assert!(matches!(planned(&next, &get("/"), 0), Plan::Respond(answer) if answer.cause == Cause::NoEndpoints));
    let route = |table| Arc::as_ptr(matched(table, "example.com", &get("/")).unwrap().route());
    assert_eq!(route(&table), route(&next));
    assert_ne!(table.digest(), next.digest());
    assert_eq!(table.configuration(), next.configuration());
    let lost = next.apply([Change::RemoveUpstream(service("app"))]);
    assert!(matches!(planned(&lost, &get("/"), 0), Plan::Respond(answer) if answer.cause == Cause::UnknownUpstream));
}
