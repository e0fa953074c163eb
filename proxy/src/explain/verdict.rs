//! The answer in short: cause, status, tier, one sentence, what to do. Reads accounts; decides only which words fit.

use bailey_routing::RouteTable;
use bailey_routing::ir::{HostPattern, PathMatch};
use bailey_translate::Diagnostic;

use super::edge::{Connected, NoConnection};
use super::head::Unread;
use super::tier::{Account, End, statuses};
use super::{Cause, Failed, Outcome, Question, Related, TierAccount, Verdict, Way, World, absent, near, say};
use crate::error::Fate;
use crate::respond::answer;

/// What a verdict begins with.
fn blank(outcome: Outcome, cause: Cause, sentence: String) -> Verdict {
    Verdict {
        outcome,
        cause,
        status: None,
        grpc_status: None,
        tier: None,
        proxy_status: None,
        sentence,
        remedy: None,
        did_you_mean: Vec::new(),
        related: Vec::new(),
    }
}

/// There is no connection, so nothing in HTTP.
pub(super) fn without_connection(world: &World<'_>, question: &Question, none: NoConnection) -> Verdict {
    let mut verdict = blank(Outcome::Refused, none.cause, none.sentence);
    verdict.remedy = none.remedy;
    if none.cause == Cause::ServerNameUnknown {
        let name = question.sni.as_deref().unwrap_or(&question.host);
        verdict.did_you_mean = near::nearest(name, hosts(world).iter().map(String::as_str));
        blame(world, &mut verdict, name, question.target.split('?').next().unwrap_or_default());
    }
    verdict
}

/// The head was not accepted.
pub(super) fn without_request(unread: Unread, tier: &'static str) -> Verdict {
    let refused = match unread {
        Unread::Refused(refused) => refused,
        Unread::Reset(why) => {
            let sentence = format!("the {tier} tier resets the stream (PROTOCOL_ERROR), without an answer: {why}");
            let mut verdict = blank(Outcome::Refused, Cause::RequestInvalid, sentence);
            verdict.remedy = Some("send a request that follows RFC 9113 section 8".to_owned());
            return verdict;
        }
    };
    let said = answer(refused.fate).detail;
    let sentence = format!("{} from the {tier} tier, before any route is asked: {said}", refused.status);
    let mut verdict = blank(Outcome::Refused, Cause::RequestInvalid, sentence);
    (verdict.status, verdict.tier) = (Some(refused.status), Some(tier));
    verdict.remedy =
        Some("send a request that follows RFC 9110 and, over HTTP/1.1, RFC 9112 or, over HTTP/2, RFC 9113".to_owned());
    verdict
}

/// What the last tier says.
pub(super) fn of(world: &World<'_>, question: &Question, connected: &Connected<'_>, accounts: &[Account]) -> Verdict {
    let Some(last) = accounts.last() else {
        return blank(Outcome::Refused, Cause::NotConfigured, "no tier is known".to_owned());
    };
    let tier = last.told.tier;
    match &last.end {
        End::HttpsRedirect(answer) => {
            let to = answer.location.clone().unwrap_or_default();
            let sentence = format!(
                "{} from the {tier} tier: listener {} sends everything to https, to {to}",
                answer.status, last.told.listener
            );
            let mut verdict = blank(Outcome::Answered, Cause::HttpsRedirect, sentence);
            (verdict.status, verdict.tier) = (Some(answer.status), Some(tier));
            verdict.remedy = Some(format!("ask {to}"));
            verdict
        }
        End::Refused(error) => refused(world, question, connected, last, error.fate),
        End::Taken => taken(world, last),
    }
}

fn refused(world: &World<'_>, question: &Question, connected: &Connected<'_>, last: &Account, fate: Fate) -> Verdict {
    let (tier, name, host) = (last.told.tier, last.told.name, &last.told.host);
    let (status, grpc) = statuses(fate, last.incoming.as_ref());
    let begin = format!("{} from the {tier} tier", answer(fate).status);
    let mut verdict = blank(Outcome::Refused, Cause::RequestInvalid, format!("{begin}: {}", answer(fate).detail));
    (verdict.status, verdict.grpc_status, verdict.tier) = (Some(status), grpc, Some(tier));
    verdict.proxy_status = Some(answer(fate).proxy_status(name));
    let path = last.incoming.as_ref().map(|incoming| say::text(incoming.head.path())).unwrap_or_default();
    let near = || near::nearest(host, hosts(world).iter().map(String::as_str));
    if fate == Fate::HostUnknown && tier == "inner" {
        verdict.cause = Cause::NoRouteForHost;
        verdict.sentence = format!("{begin}: the host {host} is the tenant's, and no route of it has the host");
        verdict.remedy = Some(format!("add {host} to spec.hostnames of a route, or leave hostnames out"));
        verdict.did_you_mean = near();
        blame(world, &mut verdict, host, &path);
    } else if fate == Fate::HostUnknown {
        verdict.cause = Cause::HostUnknown;
        verdict.sentence = format!("{begin}: nobody owns the host {host}");
        verdict.remedy = Some("ask for a host that a tenant or listener has".to_owned());
        verdict.did_you_mean = near();
        blame(world, &mut verdict, host, &path);
    } else if fate == Fate::RouteUnknown {
        mismatch(&mut verdict, last, &begin, &path);
        blame(world, &mut verdict, host, &path);
    } else if fate == Fate::Misdirected {
        misdirected(&mut verdict, question, connected, last, &begin);
    } else if fate == Fate::ForwardedForInvalid {
        verdict.cause = Cause::ForwardedForInvalid;
        verdict.remedy = Some("let the proxy in front write addresses only, separated by commas".to_owned());
    } else if fate == Fate::NotConfigured {
        verdict.cause = Cause::NotConfigured;
    }
    verdict
}

/// Which condition fails, of the rule that comes nearest.
fn mismatch(verdict: &mut Verdict, last: &Account, begin: &str, path: &str) {
    let Some((rule, failed)) = &last.nearest else {
        verdict.cause = Cause::PathMismatch;
        verdict.sentence = format!("{begin}: the routes of {} have no rules", last.told.host);
        return;
    };
    let at = format!("{} rule {}", rule.route, rule.rule);
    let got = failed.got.as_deref();
    let name = failed.name.as_deref().unwrap_or_default();
    let Failed { condition, wanted, .. } = failed;
    let has = got.map_or_else(|| "the request has none".to_owned(), |got| format!("the request has {got}"));
    let (cause, said, remedy) = match *condition {
        "method" => (
            Cause::MethodMismatch,
            format!("{at} has the path and asks for the method {wanted}, not {}", got.unwrap_or_default()),
            format!("use the method {wanted}, or a rule without a method"),
        ),
        "header" => (
            Cause::HeaderMismatch,
            format!("{at} asks for header {name}: {wanted}, and {has}"),
            format!("send {name}: {wanted}, or add a rule without this header"),
        ),
        "query" => (
            Cause::QueryMismatch,
            format!("{at} asks for query parameter {name}={wanted}, and {has}"),
            format!("ask with ?{name}={wanted}, or add a rule without this parameter"),
        ),
        _ => (
            Cause::PathMismatch,
            format!("no rule has the path {path}; {at} has {wanted}"),
            near::path_hint(path, &last.paths)
                .unwrap_or_else(|| "add a rule for the path, or ask for one that exists".to_owned()),
        ),
    };
    (verdict.cause, verdict.sentence, verdict.remedy) = (cause, format!("{begin}: {said}"), Some(remedy));
    if verdict.cause == Cause::PathMismatch {
        let known = last.paths.iter().filter_map(|path| match path {
            PathMatch::Exact(text) | PathMatch::Prefix(text) => Some(&**text),
            PathMatch::Regex(_) | PathMatch::GrpcMethod(_) => None,
        });
        verdict.did_you_mean = near::nearest(path, known);
    }
}

fn misdirected(verdict: &mut Verdict, question: &Question, connected: &Connected<'_>, last: &Account, begin: &str) {
    verdict.cause = Cause::Misdirected;
    let table = &connected.site.snapshot.table;
    let name = connected.info.tls.as_ref().map(|tls| tls.sni.to_string()).unwrap_or_default();
    let owner = |host: &str| {
        let id = table.listener_at(connected.info.listener.port, host.as_bytes())?;
        let tenant = table.tenant_of(id, host.as_bytes()).map(|tenant| format!("tenant {tenant}"));
        tenant.or_else(|| table.listener(id).map(|listener| format!("listener {}", listener.name)))
    };
    let of = |host: &str| owner(host).unwrap_or_else(|| "nobody".to_owned());
    let host = &last.told.host;
    verdict.sentence = format!(
        "{begin}: the TLS connection was made for {name}, which belongs to {}, and {host} belongs to {}",
        of(&name),
        of(host)
    );
    verdict.remedy = Some(match &question.sni {
        Some(_) => format!("connect with the server name {host}"),
        None => "ask for the host that the connection was made for".to_owned(),
    });
}

fn taken(world: &World<'_>, last: &Account) -> Verdict {
    let told = &last.told;
    let rule = told
        .won
        .as_ref()
        .map(|won| format!("{} rule {} ({})", won.rule.route, won.rule.rule, won.rule.wants))
        .unwrap_or_default();
    let main = told.ways.iter().reduce(|best, way| if way.percent > best.percent { way } else { best });
    let Some(main) = main else {
        return blank(Outcome::Refused, Cause::NoBackend, format!("{rule} has no way to go"));
    };
    let mut verdict = one_way(told, main, &rule, last);
    if told.ways.len() > 1 {
        let all: Vec<_> = told.ways.iter().map(|way| format!("{} to {}", percent(way.percent), short(way))).collect();
        verdict.sentence = format!("{} – one of {} ways: {}", verdict.sentence, all.len(), all.join(", "));
    }
    let route = told.won.as_ref().map(|won| won.rule.route.clone()).unwrap_or_default();
    verdict.related = related(world, main, &route, told);
    if let Some(first) = verdict.related.first().filter(|first| !first.remedy.is_empty()) {
        verdict.remedy = Some(first.remedy.clone());
    }
    verdict
}

fn one_way(told: &TierAccount, way: &Way, rule: &str, last: &Account) -> Verdict {
    let tier = told.tier;
    let Some(answer) = &way.answer else {
        let target = way.backend.as_ref().map(|backend| backend.target.clone()).unwrap_or_default();
        let client = last.incoming.as_ref().map(|incoming| incoming.client.ip().to_string()).unwrap_or_default();
        // Of a tenant's tier that is not known here, more cannot be said.
        let is_link = way.backend.as_ref().is_some_and(|backend| backend.protocol == "link");
        let sentence = if is_link {
            format!("forwarded to the {target}, which is not known here, by {rule}")
        } else {
            format!("forwarded to {target} by {rule}; the application sees the client {client}")
        };
        let mut verdict = blank(Outcome::Forwarded, Cause::Forwarded, sentence);
        verdict.tier = (!is_link).then_some("application");
        return verdict;
    };
    let answered = matches!(answer.cause, Cause::Redirect | Cause::Preflight);
    let outcome = if answered { Outcome::Answered } else { Outcome::Refused };
    let target = way.backend.as_ref().map(|backend| backend.target.as_str()).unwrap_or_default();
    let (said, remedy) = why_not(answer.cause).unwrap_or_default();
    let said = match said {
        "" => format!("by {rule}: {}", answer.detail),
        said => format!("by {rule}: {}", said.replace("TARGET", target)),
    };
    let sentence = format!("{} from the {tier} tier {said}", answer.status);
    let mut verdict = blank(outcome, answer.cause, sentence);
    (verdict.status, verdict.tier) = (Some(answer.status), Some(tier));
    if !answered {
        let fate = fate_of(way, answer.status);
        let (status, grpc) = statuses(fate, last.incoming.as_ref());
        (verdict.status, verdict.grpc_status) = (Some(status), grpc);
        verdict.proxy_status = Some(crate::respond::answer(fate).proxy_status(told.name));
        verdict.remedy = Some(remedy.to_owned()).filter(|remedy| !remedy.is_empty());
    }
    verdict
}

/// The fate that stands behind an answer of a plan.
fn fate_of(way: &Way, status: u16) -> Fate {
    match way.answer.as_ref().map(|answer| answer.cause) {
        Some(Cause::TenantSuspended) => Fate::TenantSuspended,
        Some(Cause::NoBackend) => Fate::BackendInvalid,
        Some(Cause::NoEndpoint) => Fate::NoEndpoint,
        Some(Cause::InnerTierMissing) => Fate::TierNotReady,
        Some(_) if status == 503 => Fate::BackendUnresolved,
        Some(_) | None => Fate::RouteInvalid,
    }
}

/// A sentence and a remedy for answers that are not for something written wrong.
fn why_not(cause: Cause) -> Option<(&'static str, &'static str)> {
    let known = [
        (Cause::TenantSuspended, "the tenant is suspended", "set suspended: false on the tenant in the topology"),
        (Cause::NoEndpoint, "TARGET has no ready endpoint", "see why no Pod of the Service is ready"),
        (
            Cause::InnerTierMissing,
            "the TARGET has no ready endpoint",
            "see why no Pod of the tenant's inner tier is ready",
        ),
        (
            Cause::NoBackend,
            "it has no backend with a weight",
            "give one backend a weight, or add a RequestRedirect filter",
        ),
    ];
    known.into_iter().find(|(of, ..)| *of == cause).map(|(_, said, remedy)| (said, remedy))
}

fn percent(percent: f64) -> String {
    let text = format!("{percent:.1}");
    format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
}

fn short(way: &Way) -> String {
    match (&way.answer, &way.backend) {
        (Some(answer), _) => format!("{} ({})", answer.status, answer.detail),
        (None, Some(backend)) => backend.target.clone(),
        (None, None) => String::new(),
    }
}

/// Diagnostics of what a way leads through.
fn related(world: &World<'_>, way: &Way, route: &str, told: &TierAccount) -> Vec<Related> {
    let answer = way.answer.as_ref();
    let code = answer.and_then(|answer| super::code_of(&answer.detail));
    let service = way.backend.as_ref().and_then(|backend| backend.target.split(" port ").next()).unwrap_or_default();
    let wanted: &[&str] = match answer.map(|answer| answer.cause) {
        Some(Cause::NoBackend) => &["BLY0310", "BLY0210"],
        Some(Cause::TenantSuspended) => &["BLY0707"],
        Some(Cause::InnerTierMissing) => &["BLY0706"],
        Some(Cause::NoEndpoint) => &["BLY0308"],
        Some(_) | None => &[],
    };
    let tenant = told.hosts.first().and_then(|host| host.tenant.clone()).unwrap_or_default();
    let fits = |one: &&Diagnostic| {
        let object = one.object.to_string();
        let (of_route, id) = (object == route, one.code.id());
        let says = |code| answer.is_some_and(|answer| id == code && answer.detail.contains(&one.field));
        match id {
            "BLY0308" => wanted.contains(&id) && object == service,
            "BLY0706" | "BLY0707" => wanted.contains(&id) && one.message.split([' ', ',']).any(|word| word == tenant),
            _ => of_route && (wanted.contains(&id) || code.is_some_and(says)),
        }
    };
    world.diagnostics.iter().filter(fits).map(say::related).collect()
}

/// Blames a route that would take the request if it were served, if there is one.
fn blame(world: &World<'_>, verdict: &mut Verdict, host: &str, path: &str) {
    let Some(found) = absent::find(world, host, path) else { return };
    let Some(first) = found.diagnostics.first() else { return };
    verdict.cause = Cause::RouteNotServed;
    verdict.sentence =
        format!("{}. {} would take it and is not served so: {}", verdict.sentence, first.object, first.message);
    verdict.remedy = Some(first.remedy.clone()).filter(|remedy| !remedy.is_empty()).or(verdict.remedy.take());
    verdict.related = found.diagnostics.into_iter().map(say::related).collect();
}

/// All hosts that some tier has.
fn hosts(world: &World<'_>) -> Vec<String> {
    let tables = world.fronts.iter().chain(world.inners).map(|site| &site.snapshot.table);
    let routes = tables.flat_map(RouteTable::routes);
    let patterns = routes.flat_map(|route| route.attachments.iter()).flat_map(|at| at.hosts.iter());
    let mut names: Vec<String> = patterns.filter(|host| **host != HostPattern::Any).map(say::host).collect();
    names.sort_unstable();
    names.dedup();
    names
}
