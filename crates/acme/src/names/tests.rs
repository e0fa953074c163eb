use super::*;

fn own(names: &[(&str, &str)]) -> BTreeSet<Owned> {
    names.iter().map(|(tenant, host)| Owned { host: (*host).into(), tenant: (*tenant).into() }).collect()
}

fn terms(challenge: Challenge) -> Terms {
    Terms { challenge, covered: BTreeSet::new(), most: BTreeMap::new() }
}

fn hosts(wants: &Wants) -> Vec<(&str, &str)> {
    let mut hosts: Vec<_> = wants.certificates.values().map(|w| (&*w.tenant, &*w.host)).collect();
    hosts.sort_unstable();
    hosts
}

fn none(_: &CertificateId) -> bool {
    false
}

#[test]
fn every_name_gets_a_certificate_of_its_own_tenant() {
    let owned = own(&[("team-a", "a.example.com"), ("team-b", "b.example.com")]);
    let wants = wanted(&owned, &terms(Challenge::Http01), none);
    assert_eq!(hosts(&wants), [("team-a", "a.example.com"), ("team-b", "b.example.com")]);
    for (id, want) in &wants.certificates {
        assert_eq!(*id, CertificateId::of(&want.tenant, &want.host));
        assert_eq!(CertificateId::parse(id.as_str()).as_ref(), Some(id));
    }
}

#[test]
fn a_name_that_changes_hands_is_another_certificate() {
    assert_ne!(CertificateId::of("team-a", "a.example.com"), CertificateId::of("team-b", "a.example.com"));
    assert_ne!(CertificateId::of("team-a", "b"), CertificateId::of("team-", "ab"));
}

#[test]
fn wildcards_need_dns_and_cover_only_their_own_tenant() {
    let owned = own(&[
        ("team-a", "*.a.example.com"),
        ("team-a", "x.a.example.com"),
        ("team-a", "deep.x.a.example.com"),
        ("team-b", "y.a.example.com"),
    ]);
    let http = wanted(&owned, &terms(Challenge::TlsAlpn01), none);
    assert_eq!(http.without, BTreeMap::from([("*.a.example.com".into(), NotWanted::NeedsDns)]));
    assert_eq!(http.certificates.len(), 3);
    let dns = wanted(&owned, &terms(Challenge::Dns01), none);
    assert_eq!(dns.without, BTreeMap::from([("x.a.example.com".into(), NotWanted::Wildcard)]));
    let expected = [("team-a", "*.a.example.com"), ("team-a", "deep.x.a.example.com"), ("team-b", "y.a.example.com")];
    assert_eq!(hosts(&dns), expected);
}

#[test]
fn what_a_secret_covers_is_not_ordered() {
    let owned = own(&[("t", "a.example.com"), ("t", "x.y.example.com"), ("t", "z.x.y.example.com")]);
    let covered = BTreeSet::from(["a.example.com".into(), "*.y.example.com".into()]);
    let wants = wanted(&owned, &Terms { covered, ..terms(Challenge::Http01) }, none);
    assert_eq!(hosts(&wants), [("t", "z.x.y.example.com")]);
    assert!(wants.without.values().all(|why| *why == NotWanted::Given));
}

#[test]
fn names_that_no_authority_signs_are_told_apart() {
    let long = format!("{}.example.com", "a".repeat(64));
    for host in [
        "localhost",
        "a..b",
        "-a.example.com",
        "a-.example.com",
        "192.0.2.1",
        "ä.example.com",
        "A.example.com",
        &long,
        "",
        "*.",
        "a.*.com",
    ] {
        let wants = wanted(&own(&[("t", host)]), &terms(Challenge::Dns01), none);
        assert_eq!(wants.without.values().collect::<Vec<_>>(), [&NotWanted::NotPublic], "{host}");
    }
    assert_eq!(wanted(&own(&[("t", "xn--4ca.example.com")]), &terms(Challenge::Http01), none).certificates.len(), 1);
}

#[test]
fn a_new_name_never_takes_the_place_of_one_that_serves() {
    let owned = own(&[("t", "a.example.com"), ("t", "b.example.com"), ("t", "c.example.com"), ("u", "d.example.com")]);
    let most = BTreeMap::from([("t".into(), 2)]);
    let serves = CertificateId::of("t", "c.example.com");
    let wants = wanted(&owned, &Terms { most, ..terms(Challenge::Http01) }, |id| *id == serves);
    assert_eq!(hosts(&wants), [("t", "a.example.com"), ("t", "c.example.com"), ("u", "d.example.com")]);
    assert_eq!(wants.without, BTreeMap::from([("b.example.com".into(), NotWanted::TenantLimit)]));
}

#[test]
fn names_are_counted_by_the_domain_that_can_be_registered() {
    assert_eq!(registered_domain("a.b.example.com"), "example.com");
    assert_eq!(registered_domain("*.example.co.uk"), "example.co.uk");
    assert_eq!(registered_domain("x.github.io"), "x.github.io");
    assert_eq!(registered_domain("com"), "com");
}

#[test]
fn a_certificate_that_nobody_wants_goes_after_the_grace_time() {
    let gone = Time(1_000_000);
    assert!(!retired(gone, gone.after(GRACE).before(Duration::from_secs(1))));
    assert!(retired(gone, gone.after(GRACE)));
    assert!(!retired(gone, Time(0)), "a clock that went back deletes nothing");
}
