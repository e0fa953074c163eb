//! What one tier does with a request: asks the tier's own decisions in their order and writes down what they say.

use bailey_http1::RequestHead;
use bailey_link::RequestMeta;
use bailey_routing::ir::{Filter, Mirror, PathMatch, Target, UpstreamKey};
use bailey_routing::{
    Cause as Planned, Condition, Considered, Forward, HeaderOp, Layer, Matched, Mismatch, Plan, RequestView as _,
    Respond, draws,
};

use super::{
    AnswerView, BackendView, Candidate, CandidateResult, Cause, Change, Failed, FieldChange, HostTried, MirrorView,
    Retries, SentHead, Site, TierAccount, Timeouts, Way, Won, say,
};
use crate::error::{Fate, ProxyError};
use crate::forward::Sender;
use crate::forward::arrival::{Incoming, View, arrive};
use crate::forward::{attempt, decision, edit, trace};
use crate::respond::answer;

/// At most so many candidates are told, and of them all that matter.
const MOST: usize = 100;

/// Where an account ends.
pub(super) enum End {
    /// A tier refuses, before or without a rule.
    Refused(ProxyError),
    /// The listener redirects.
    HttpsRedirect(AnswerView),
    /// A rule takes it; what may become of it is in the account.
    Taken,
}

/// An account, and how it goes on.
pub(super) struct Account {
    pub(super) told: TierAccount,
    pub(super) end: End,
    /// As it arrived; `None` when it was refused at that.
    pub(super) incoming: Option<Incoming>,
    /// What goes to a tenant's tier.
    pub(super) link: Option<Linked>,
    /// The mismatch nearest to a match, when no rule takes it.
    pub(super) nearest: Option<(super::RuleRef, Failed)>,
    /// The paths that rules have under the hosts that were asked.
    pub(super) paths: Vec<PathMatch>,
}

/// A request on its way to a tenant's tier.
pub(super) struct Linked {
    pub(super) tenant: String,
    pub(super) listener: String,
    pub(super) incoming: Incoming,
}

/// Asks one tier.
pub(super) fn account(site: &Site, from: Sender<'_>, head: RequestHead, removed: Vec<FieldChange>) -> Account {
    let identity = site.role.identity();
    let before = head.fields.clone();
    let mut told = TierAccount {
        tier: identity.tier,
        name: identity.name,
        of: say::of(&site.role),
        listener: String::new(),
        host: say::text(head.host()),
        arrival: removed,
        hosts: Vec::new(),
        candidates: Vec::new(),
        candidates_left_out: 0,
        won: None,
        ways: Vec::new(),
    };
    let visible = |port| site.visible(port);
    let arrived = arrive(&site.snapshot, from, Box::new(head), visible, || say::NEW_ID);
    let incoming = match arrived {
        Ok(incoming) => incoming,
        Err(error) => {
            return Account {
                told,
                end: End::Refused(error),
                incoming: None,
                link: None,
                nearest: None,
                paths: Vec::new(),
            };
        }
    };
    let by = format!("{} tier: such fields are believed from nobody outside", identity.tier);
    told.arrival.extend(say::difference(&before, &incoming.head.fields, &by));
    decide(site, from, incoming, told)
}

fn decide(site: &Site, from: Sender<'_>, incoming: Incoming, mut told: TierAccount) -> Account {
    let snapshot = &*site.snapshot;
    let end = |told, end, incoming, nearest| Account {
        told,
        end,
        incoming: Some(incoming),
        link: None,
        nearest,
        paths: Vec::new(),
    };
    let listener = match decision::listener(snapshot, &incoming) {
        Ok(listener) => listener,
        Err(error) => return end(told, End::Refused(error), incoming, None),
    };
    told.listener = listener.name.to_string();
    let routes = match decision::same_tenant(snapshot, from, &incoming) {
        Ok(routes) => routes,
        Err(error) => return end(told, End::Refused(error), incoming, None),
    };
    if let Some(respond) = decision::redirect(listener, &incoming, |port| site.visible(port)) {
        let answer = answer_view(&respond, Cause::HttpsRedirect);
        told.ways.push(Way {
            percent: 100.0,
            backend: None,
            answer: Some(answer.clone()),
            sent: None,
            request: Vec::new(),
            response: Vec::new(),
            mirrors: Vec::new(),
            timeouts: None,
            retries: None,
        });
        return end(told, End::HttpsRedirect(answer), incoming, None);
    }
    let layers = snapshot.table.candidates(incoming.listener, incoming.head.host(), &View(&incoming.head));
    let found = decision::route(&routes, &incoming);
    told.hosts = layers.iter().map(tried).collect();
    (told.candidates, told.candidates_left_out) = candidates(&layers, &incoming);
    let matched = match found {
        Ok(matched) => matched,
        Err(error) => {
            let nearest = nearest(&layers, &incoming);
            let paths = asked(&layers).filter_map(|one| Some(one.matched.route_match()?.path.clone())).collect();
            return Account { paths, ..end(told, End::Refused(error), incoming, nearest) };
        }
    };
    told.won = Some(Won { rule: say::rule(&matched), why: why(&layers) });
    let (ways, link) = ways(site, from, &incoming, matched);
    told.ways = ways;
    Account { told, end: End::Taken, incoming: Some(incoming), link, nearest: None, paths: Vec::new() }
}

fn tried(layer: &Layer<'_>) -> HostTried {
    HostTried {
        pattern: say::host(layer.pattern),
        tenant: layer.tenant.map(str::to_owned),
        asked: layer.asked,
        candidates: layer.candidates.len(),
    }
}

fn asked<'a, 't>(layers: &'a [Layer<'t>]) -> impl Iterator<Item = &'a Considered<'t>> {
    layers.iter().filter(|layer| layer.asked).flat_map(|layer| &layer.candidates)
}

/// Why the one that takes it comes before the next that would.
fn why(layers: &[Layer<'_>]) -> String {
    let mut taking = asked(layers).filter(|one| one.failed.is_none()).map(|one| &one.matched);
    match (taking.next(), taking.next()) {
        (Some(first), Some(second)) => format!(
            "comes before {} rule {}: {}",
            second.route().id,
            second.rule_index(),
            say::before(first.before(second))
        ),
        _ => String::new(),
    }
}

fn candidates(layers: &[Layer<'_>], incoming: &Incoming) -> (Vec<Candidate>, usize) {
    let all: Vec<&Considered<'_>> = asked(layers).collect();
    let winner = all.iter().find(|one| one.failed.is_none()).map(|one| one.matched);
    let is_far = |one: &Considered<'_>| matches!(one.failed, Some(Mismatch::Path(_)));
    let mut room = MOST.saturating_sub(all.iter().filter(|one| !is_far(one)).count());
    let mut first = true;
    let mut told = Vec::new();
    for one in &all {
        if is_far(one) {
            if room == 0 {
                continue;
            }
            room -= 1;
        }
        let failed = one.failed.as_ref().map(|mismatch| failed(mismatch, incoming));
        let wins = failed.is_none() && std::mem::take(&mut first);
        let beaten = winner.filter(|_| failed.is_none() && !wins).map(|winner| {
            format!(
                "{} rule {} comes first: {}",
                winner.route().id,
                winner.rule_index(),
                say::before(winner.before(&one.matched))
            )
        });
        let result = match (&failed, wins) {
            (Some(_), _) => CandidateResult::Failed,
            (None, true) => CandidateResult::Won,
            (None, false) => CandidateResult::Beaten,
        };
        told.push(Candidate { rule: say::rule(&one.matched), result, failed, beaten });
    }
    let left_out = all.len() - told.len();
    (told, left_out)
}

fn failed(mismatch: &Mismatch<'_>, incoming: &Incoming) -> Failed {
    let view = View(&incoming.head);
    match mismatch {
        Mismatch::Path(path) => {
            Failed { condition: "path", name: None, wanted: say::path(path), got: Some(say::text(view.path())) }
        }
        Mismatch::Condition(Condition::Method(method)) => Failed {
            condition: "method",
            name: None,
            wanted: method.as_str().to_owned(),
            got: Some(say::text(view.method())),
        },
        Mismatch::Condition(Condition::Header(header)) => {
            let values: Vec<_> =
                view.headers(&header.name).map(|value| say::field(header.name.as_bytes(), value)).collect();
            Failed {
                condition: "header",
                name: Some(header.name.to_string()),
                wanted: say::value(&header.value),
                got: (!values.is_empty()).then(|| values.join(", ")),
            }
        }
        Mismatch::Condition(Condition::Query(parameter)) => Failed {
            condition: "query",
            name: Some(parameter.name.to_string()),
            wanted: say::value(&parameter.value),
            got: parameter.given(view.query()).map(|value| say::text(&value)),
        },
    }
}

/// Of those that fail late the first.
fn nearest(layers: &[Layer<'_>], incoming: &Incoming) -> Option<(super::RuleRef, Failed)> {
    let all = asked(layers).filter_map(|one| one.failed.as_ref().map(|mismatch| (one, mismatch)));
    let deepest = all.reduce(|best, one| if say::depth(best.1) >= say::depth(one.1) { best } else { one });
    deepest.map(|(one, mismatch)| (say::rule(&one.matched), failed(mismatch, incoming)))
}

/// All that may become of a request that `matched` takes: one way for each backend with a share.
fn ways(site: &Site, from: Sender<'_>, incoming: &Incoming, matched: Matched<'_>) -> (Vec<Way>, Option<Linked>) {
    let rule = matched.rule();
    let total: f64 = rule.backends.iter().map(|backend| f64::from(backend.weight)).sum();
    let drawn: Vec<(Option<usize>, u64)> = draws(rule).map(|(index, draw)| (Some(index), draw)).collect();
    let drawn = if drawn.is_empty() { vec![(None, 0)] } else { drawn };
    let mut link = None;
    let mut all: Vec<Way> = Vec::new();
    for (index, draw) in drawn {
        let share = index.map_or(100.0, |index| f64::from(rule.backends[index].weight) * 100.0 / total);
        let mut way = match decision::planned(&site.snapshot, matched, incoming, draw) {
            Plan::Respond(respond) => responded(site, matched, index, &respond),
            Plan::Forward(forward) => forwarded(site, from, incoming, matched, &forward, &mut link),
        };
        way.percent = share;
        // What is decided before a backend is chosen is one way, whatever the backends.
        match all
            .iter_mut()
            .find(|other| other.backend.is_none() && way.backend.is_none() && other.answer == way.answer)
        {
            Some(same) => same.percent += share,
            None => all.push(way),
        }
    }
    (all, link)
}

fn responded(site: &Site, matched: Matched<'_>, index: Option<usize>, respond: &Respond<'_>) -> Way {
    let (cause, of_backend) = cause(matched, index, respond);
    let response = ops(respond.ops(), matched);
    Way {
        percent: 100.0,
        backend: index.filter(|_| of_backend).map(|index| backend(site, matched, index)),
        answer: Some(answer_view(respond, cause)),
        sent: None,
        request: Vec::new(),
        response,
        mirrors: Vec::new(),
        timeouts: None,
        retries: None,
    }
}

/// Why a plan answers, and whether it is for the backend that was chosen.
fn cause(matched: Matched<'_>, index: Option<usize>, respond: &Respond<'_>) -> (Cause, bool) {
    let target = index.map(|index| &matched.rule().backends[index].target);
    match respond.cause {
        Planned::Redirect => (Cause::Redirect, false),
        Planned::Preflight => (Cause::Preflight, false),
        Planned::Suspended => (Cause::TenantSuspended, false),
        Planned::NoBackend => (Cause::NoBackend, false),
        Planned::UnknownUpstream => (Cause::BackendInvalid, true),
        Planned::NoEndpoints => (Cause::NoEndpoint, true),
        Planned::NoTier => (Cause::InnerTierMissing, true),
        Planned::Invalid(invalid) => {
            let of_backend = matches!(target, Some(Target::Invalid(own)) if std::ptr::eq(&raw const **own, invalid));
            let cause = match super::code_of(&invalid.reason) {
                _ if !of_backend => Cause::RouteInvalid,
                Some(code) if super::FORBIDDEN.contains(&code) => Cause::BackendNotPermitted,
                Some(_) | None => Cause::BackendInvalid,
            };
            (cause, of_backend)
        }
    }
}

/// The answer as a client gets it.
pub(super) fn answer_view(respond: &Respond<'_>, cause: Cause) -> AnswerView {
    let fate = decision::fate(respond.cause).map(answer);
    let reason = match respond.cause {
        Planned::Invalid(invalid) => Some(invalid.reason.to_string()),
        Planned::Redirect
        | Planned::Preflight
        | Planned::NoBackend
        | Planned::UnknownUpstream
        | Planned::NoEndpoints
        | Planned::NoTier
        | Planned::Suspended => fate.map(|answer| answer.detail.to_owned()),
    };
    let location = respond.headers.iter().find(|(name, _)| *name == "location").map(|(_, value)| say::text(value));
    AnswerView {
        status: fate.map_or(respond.status, |answer| answer.status),
        cause,
        detail: reason.unwrap_or_else(|| match &location {
            Some(location) => format!("redirects to {location}"),
            None => "answers the CORS preflight".to_owned(),
        }),
        location,
    }
}

fn backend(site: &Site, matched: Matched<'_>, index: usize) -> BackendView {
    let backend = &matched.rule().backends[index];
    let (target, protocol, endpoints) = match &backend.target {
        Target::Upstream(id) => {
            let upstream = site.snapshot.table.upstream(id);
            let endpoints = upstream.into_iter().flat_map(|upstream| upstream.endpoints.iter());
            let (name, protocol) = say::upstream(id);
            (name, protocol, endpoints.map(|endpoint| endpoint.address.to_string()).collect())
        }
        Target::Invalid(invalid) => (invalid.reason.to_string(), "", Vec::new()),
    };
    BackendView { index, target, protocol, weight: backend.weight, endpoints }
}

fn forwarded(
    site: &Site,
    from: Sender<'_>,
    incoming: &Incoming,
    matched: Matched<'_>,
    forward: &Forward<'_>,
    link: &mut Option<Linked>,
) -> Way {
    let settings = &site.snapshot.settings;
    let (mut sent, asked_for) = (incoming.clone(), incoming.head.authority.clone());
    edit::by_route(forward, &mut sent);
    let mut request = say::difference(&incoming.head.fields, &sent.head.fields, &by(matched));
    let between = sent.head.fields.clone();
    edit::origin(forward, &mut sent, &asked_for, settings.forwarded);
    let tier = format!("{} tier: where the request comes from", site.role.identity().tier);
    request.extend(say::difference(&between, &sent.head.fields, &tier));
    if let Some(tracing) = &settings.tracing {
        let between = sent.head.fields.clone();
        trace::write_unmade(tracing, forward.upstream, &mut sent.head.fields);
        let tier = format!("{} tier: the trace it is part of", site.role.identity().tier);
        request.extend(say::difference(&between, &sent.head.fields, &tier));
    }
    let wanted = attempt::timeouts(forward, &sent, settings.limits.upstream.first_byte_seconds);
    let again = attempt::retries(forward.policy, settings.limits.upstream.retries);
    let is_link = matches!(forward.upstream.id.key(), UpstreamKey::Link { .. });
    let beside = if is_link { beside(&sent, settings.tracing.is_some()) } else { Vec::new() };
    let way = Way {
        percent: 100.0,
        backend: Some(backend(site, matched, forward.backend)),
        answer: None,
        sent: Some(sent_head(&sent.head, beside)),
        request,
        response: ops(forward.response_ops(), matched),
        mirrors: mirrors(site, matched, forward.backend),
        timeouts: Some(Timeouts {
            request_ms: wanted.request.map(say::milliseconds),
            attempt_ms: wanted.attempt.map(say::milliseconds),
            first_byte_ms: say::milliseconds(wanted.first_byte),
        }),
        retries: Some(Retries {
            attempts: again.attempts,
            unasked: again.unasked,
            codes: again.codes,
            backoff_ms: say::milliseconds(again.backoff),
            idempotent: sent.head.method.is_idempotent() && sent.head.upgrade.is_none(),
        }),
    };
    if let (UpstreamKey::Link { tenant }, Sender::Client(_)) = (forward.upstream.id.key(), from) {
        let listener = site.snapshot.table.listener(incoming.listener).map(|listener| listener.name.to_string());
        *link = Some(Linked { tenant: tenant.to_string(), listener: listener.unwrap_or_default(), incoming: sent });
    }
    way
}

/// What a link tells beside the head.
fn beside(sent: &Incoming, traced: bool) -> Vec<(&'static str, String)> {
    let mut told = vec![
        ("client", sent.client.to_string()),
        ("scheme", sent.scheme().as_str().to_owned()),
        ("request id", say::MADE.to_owned()),
    ];
    if traced {
        told.push(("trace", say::MADE.to_owned()));
    }
    told
}

fn sent_head(head: &RequestHead, beside: Vec<(&'static str, String)>) -> SentHead {
    let fields = head.fields.iter().map(|(name, value)| (say::text(name), say::field(name, value)));
    SentHead {
        method: head.method.as_str().to_owned(),
        target: say::text(head.target.as_bytes()),
        host: head.authority.to_string(),
        fields: fields.collect(),
        beside,
    }
}

fn by(matched: Matched<'_>) -> String {
    format!("{} rule {}", matched.route().id, matched.rule_index())
}

/// Changes to a head that is not known yet.
fn ops<'a>(ops: impl Iterator<Item = HeaderOp<'a>>, matched: Matched<'_>) -> Vec<FieldChange> {
    let change = |op| {
        let (change, name, after) = match op {
            HeaderOp::Set(name, value) => (Change::Set, name, vec![say::field(name.as_bytes(), value)]),
            HeaderOp::Add(name, value) => (Change::Added, name, vec![say::field(name.as_bytes(), value)]),
            HeaderOp::Remove(name) => (Change::Deleted, name, Vec::new()),
        };
        FieldChange { name: name.to_owned(), change, before: Vec::new(), after, by: by(matched) }
    };
    ops.map(change).collect()
}

fn mirrors(site: &Site, matched: Matched<'_>, chosen: usize) -> Vec<MirrorView> {
    let rule = matched.rule();
    let filters = rule.filters.iter().chain(&rule.backends[chosen].filters);
    let mirrors = filters.filter_map(|filter| match filter {
        Filter::Mirror(mirror) => Some(mirror),
        Filter::RequestHeaders(_)
        | Filter::ResponseHeaders(_)
        | Filter::Redirect(_)
        | Filter::Rewrite(_)
        | Filter::Cors(_)
        | Filter::Invalid(_) => None,
    });
    mirrors.map(|mirror| mirror_view(site, mirror)).collect()
}

fn mirror_view(site: &Site, mirror: &Mirror) -> MirrorView {
    let fraction = format!("{}/{}", mirror.fraction.numerator, mirror.fraction.denominator);
    match &mirror.target {
        Target::Invalid(invalid) => {
            MirrorView { target: String::new(), fraction, problem: Some(invalid.reason.to_string()) }
        }
        Target::Upstream(id) => {
            let ready = site.snapshot.table.upstream(id).is_some_and(|upstream| !upstream.endpoints.is_empty());
            let problem = (!ready).then(|| "it has no ready endpoint".to_owned());
            MirrorView { target: say::upstream(id).0, fraction, problem }
        }
    }
}

/// The metadata by which a tenant's tier gets the request.
pub(super) fn meta<'a>(from: Sender<'a>, linked: &'a Linked) -> RequestMeta<'a> {
    attempt::about(from, &linked.listener, &linked.incoming, None)
}

/// The status that a client gets for a fate, in HTTP and in gRPC.
pub(super) fn statuses(fate: Fate, incoming: Option<&Incoming>) -> (u16, Option<u8>) {
    let answer = answer(fate);
    if incoming.is_some_and(|incoming| incoming.grpc) {
        (200, Some(answer.grpc_status()))
    } else {
        (answer.status, None)
    }
}
