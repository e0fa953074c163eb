//! Why a request gets its answer: a form, and the decision drawn tier by tier. Everything is [`crate::explain`]'s; here it is
//! only shown.

use bailey_routing::ir::Scheme;
use maud::{Markup, html};

use super::board::{Board, Seen};
use super::frame::{badge, empty, heading, shown, table};
use super::query::Query;
use crate::explain::{
    AddressStep, Candidate, CandidateResult, Change, DEVELOPMENT_CA, Entry, Explanation, FieldChange, Outcome,
    Question, QuestionError, Related, Site, TierAccount, Way, World, address, explain,
};
use crate::tier::Role;

/// The question of a form, if one was asked.
pub fn question(query: &Query) -> Option<Result<Question, QuestionError>> {
    let url = query.get("url")?;
    Some(ask(url, query))
}

fn ask(url: &str, query: &Query) -> Result<Question, QuestionError> {
    let mut question = Question::get(url)?;
    if let Some(method) = query.get("method") {
        method.clone_into(&mut question.method);
    }
    let lines = query.all("header").flat_map(str::lines).map(str::trim).filter(|line| !line.is_empty());
    for line in lines {
        question = question.header(line)?;
    }
    if let Some(from) = query.get("from") {
        question.from = address(from)?;
    }
    question.sni = query.get("sni").map(str::to_owned);
    question.proxied = query.get("proxied").map(address).transpose()?;
    question.http2 = query.get("http").is_some_and(|version| version == "2");
    Ok(question)
}

/// The explanation of what the board shows.
pub fn answer(board: &Board, seen: &[Seen], question: &Question) -> Explanation {
    with_world(board, seen, |world| explain(world, question))
}

/// Asks about what the board shows.
pub(super) fn with_world<T>(board: &Board, seen: &[Seen], ask: impl FnOnce(&World<'_>) -> T) -> T {
    let (inners, fronts): (Vec<&Seen>, Vec<&Seen>) =
        seen.iter().partition(|seen| matches!(seen.member.role, Role::Inner { .. }));
    let sites = |seen: Vec<&Seen>| seen.into_iter().map(Seen::site).collect::<Vec<Site>>();
    let makes = seen.iter().any(|seen| seen.member.issuer.is_some() && seen.member.acme.is_none());
    let (fronts, inners, told) = (sites(fronts), sites(inners), board.told());
    ask(&World {
        fronts: &fronts,
        inners: &inners,
        objects: &told.objects,
        diagnostics: &told.diagnostics,
        issuer: makes.then_some(DEVELOPMENT_CA),
    })
}

/// A URL to begin with: the first host that is served, where clients reach it.
pub fn example(seen: &[Seen]) -> String {
    let front = seen.iter().find_map(|seen| Some((seen, seen.reached()?)));
    let Some((front, (https, address))) = front else { return String::new() };
    let table = &front.snapshot.table;
    let mut hosts: Vec<String> = table
        .routes()
        .flat_map(|route| route.attachments.iter())
        .flat_map(|attachment| attachment.hosts.iter())
        .map(|host| host.to_string().replace('*', "any"))
        .collect();
    hosts.sort();
    let host = hosts.first().map_or("localhost", String::as_str);
    let scheme = if https { Scheme::Https } else { Scheme::Http };
    format!("{}://{host}:{}/", scheme.as_str(), address.port())
}

/// The form, for this screen and for that of the client's address.
pub fn form(query: &Query, action: &str, button: &str, example: &str) -> Markup {
    let value = |name: &str| query.get(name).unwrap_or_default().to_owned();
    let headers = query.all("header").collect::<Vec<_>>().join("\n");
    let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let method = query.get("method").unwrap_or("GET");
    html! {
        form.ask action=(action) method="get" role="search" aria-label=(button) {
            div.field.wide {
                label for="url" { "URL" }
                input #url name="url" type="text" inputmode="url" required spellcheck="false" autocomplete="off"
                    placeholder=(example) value=(if query.get("url").is_some() { value("url") } else { example.to_owned() });
            }
            div.field {
                label for="method" { "Method" }
                select #method name="method" {
                    @if !methods.contains(&method) { option value=(method) selected { (shown(method)) } }
                    @for one in methods { option value=(one) selected[one == method] { (one) } }
                }
            }
            div.field.wide {
                label for="header" { "Header fields, one a line" }
                textarea #header name="header" rows="3" spellcheck="false" placeholder="x-preview: v2" { (headers) }
            }
            div.field {
                label for="from" { "From address" }
                input #from name="from" type="text" spellcheck="false" autocomplete="off" placeholder="203.0.113.9" value=(value("from"));
            }
            div.field {
                label for="sni" { "Server name (if not the URL's)" }
                input #sni name="sni" type="text" spellcheck="false" autocomplete="off" value=(value("sni"));
            }
            div.field {
                label for="proxied" { "Client by PROXY protocol" }
                input #proxied name="proxied" type="text" spellcheck="false" autocomplete="off" placeholder="none" value=(value("proxied"));
            }
            div.field {
                label for="http" { "HTTP version" }
                select #http name="http" {
                    option value="1.1" { "1.1" }
                    option value="2" selected[query.get("http") == Some("2")] { "2" }
                }
            }
            div.field.submit { button type="submit" { (button) } }
        }
    }
}

/// The screen.
pub fn screen(board: &Board, seen: &[Seen], query: &Query) -> Markup {
    html! {
        (heading("Explain", "Why a request gets its answer: nothing is sent, the tables that serve are asked."))
        (form(query, "/explain", "Explain", &example(seen)))
        @match (question(query), query.get("route")) {
            (None, Some(name)) => (super::route::answer(board, seen, name)),
            (None, None) => (empty("Ask about a URL, or choose one of Routes, and the decision is drawn here.")),
            (Some(Err(error)), _) => (mistake(&error)),
            (Some(Ok(question)), _) => section #answer aria-label="Answer" { (whole(&answer(board, seen, &question))) },
        }
    }
}

/// What is wrong with the form.
pub fn mistake(error: &QuestionError) -> Markup {
    html! { p.notice.error role="alert" { (shown(&error.to_string())) } }
}

fn whole(explanation: &Explanation) -> Markup {
    let verdict = &explanation.verdict;
    let kind = match verdict.outcome {
        Outcome::Forwarded => "fine",
        Outcome::Answered => "info",
        Outcome::Refused => "error",
    };
    html! {
        div class=(format!("verdict {kind}")) role="status" {
            p.what {
                strong { (shown(&verdict.sentence)) }
            }
            p.facts {
                @if let Some(status) = verdict.status { span { "status " strong { (status) } } }
                @if let Some(tier) = verdict.tier { span { "answered by " strong { (tier) } } }
                @if let Some(text) = &verdict.proxy_status { span { code { "Proxy-Status: " (shown(text)) } } }
            }
            @if let Some(remedy) = &verdict.remedy { p { strong { "What to do: " } (shown(remedy)) } }
            @if !verdict.did_you_mean.is_empty() {
                p { "Did you mean " @for (at, name) in verdict.did_you_mean.iter().enumerate() { @if at > 0 { ", " } code { (shown(name)) } } "?" }
            }
            @if !verdict.related.is_empty() { ul.related { @for one in &verdict.related { (related(one)) } } }
        }
        ol.steps {
            (entry(&explanation.entry))
            @for tier in &explanation.tiers { (account(tier)) }
        }
        h2 { "The client's address" }
        (steps(&explanation.address))
    }
}

/// A diagnostic.
pub(super) fn related(one: &Related) -> Markup {
    html! {
        li {
            (badge(one.severity, one.code)) " " strong { (shown(&one.object)) } @if !one.field.is_empty() { " " code { (shown(&one.field)) } }
            ": " (shown(&one.message)) @if !one.remedy.is_empty() { " – " (shown(&one.remedy)) }
            @if let Some(location) = &one.location { " " code.origin { (shown(location)) } }
        }
    }
}

fn entry(entry: &Entry) -> Markup {
    html! {
        li.step {
            h3 { "Connection" @if !entry.tier.is_empty() { span.of { (entry.tier) } } }
            dl {
                dt { "port" } dd { (entry.port) }
                @if let Some(listener) = &entry.listener {
                    dt { "listener" } dd { (listener.name) " (" (listener.protocol) ", " (listener.hostname) ")" @if listener.redirects_to_https { " " (badge("info", "redirects to https")) } }
                } @else {
                    dt { "listener" } dd { (badge("error", "none")) }
                    dt { "there are" } dd { @for port in &entry.ports { (port.port) " (" (port.protocol) ") " } }
                }
                @if let Some(tls) = &entry.tls {
                    dt { "server name" } dd { (shown(&tls.server_name)) @if let Some(owner) = &tls.owner { " of " strong { (owner) } } }
                    @if let Some(why) = &tls.refused { dt { "handshake" } dd { (badge("error", "refused")) " " (shown(why)) } }
                    @if let Some(certificate) = &tls.certificate {
                        dt { "certificate" } dd { (certificate.source) ": " (certificate.names.join(", ")) @if let Some(end) = &certificate.not_after { ", until " (end) } }
                    }
                }
                @if let Some(owner) = &entry.owner {
                    dt { "owner" } dd { @match &owner.tenant { Some(tenant) => { "tenant " strong { (tenant) } }, None => "the Gateway" } " by " code { (owner.pattern) } @if owner.suspended { " " (badge("warning", "suspended")) } }
                }
            }
            @if !entry.limits.is_empty() {
                details { summary { "Limits that hold" } dl { @for limit in &entry.limits { dt { (limit.name) } dd { (limit.value) " (" (limit.of) ")" } } } }
            }
        }
    }
}

fn account(tier: &TierAccount) -> Markup {
    html! {
        li.step {
            h3 { span class={ "tier " (tier.tier) } { (tier.tier) } span.of { (tier.of) } }
            p { "Listener " code { (tier.listener) } ", host " code { (shown(&tier.host)) } }
            @if !tier.arrival.is_empty() { details { summary { "Header fields on arrival" } (changes(&tier.arrival)) } }
            @if !tier.hosts.is_empty() {
                p.hint { "Looked under " @for (at, host) in tier.hosts.iter().enumerate() { @if at > 0 { ", " } code { (host.pattern) } @if !host.asked { " (another tenant's)" } } }
            }
            @if tier.candidates.is_empty() { (empty("No rule is a candidate.")) } @else {
                (table("Candidates", &["", "Rule", "Asks for", "First thing that failed"], &html! { @for one in &tier.candidates { (candidate(one)) } }))
                @if tier.candidates_left_out > 0 { p.hint { (tier.candidates_left_out) " more failed too." } }
            }
            @if let Some(won) = &tier.won { @if !won.why.is_empty() { p { strong { (shown(&won.rule.route)) } " " (shown(&won.why)) } } }
            @for way in &tier.ways { (self::way(way)) }
        }
    }
}

fn candidate(one: &Candidate) -> Markup {
    let (kind, word) = match one.result {
        CandidateResult::Won => ("fine", "takes it"),
        CandidateResult::Beaten => ("info", "comes later"),
        CandidateResult::Failed => ("quiet", "no"),
    };
    html! {
        tr class=[(one.result == CandidateResult::Won).then_some("won")] {
            td { (badge(kind, word)) }
            td { strong { (one.rule.route) } " rule " (one.rule.rule) @if let Some(name) = &one.rule.name { " (" (name) ")" } }
            td { code { (shown(&one.rule.wants)) } }
            td {
                @if let Some(failed) = &one.failed {
                    (failed.condition) @if let Some(name) = &failed.name { " " code { (shown(name)) } }
                    ": wants " code { (shown(&failed.wanted)) } ", got "
                    @match &failed.got { Some(got) => code { (shown(got)) }, None => "nothing" }
                }
                @if let Some(beaten) = &one.beaten { (shown(beaten)) }
            }
        }
    }
}

fn way(way: &Way) -> Markup {
    html! {
        div.way {
            p {
                @if way.percent < 99.95 { strong { (format!("{:.1} % ", way.percent)) } }
                @match (&way.backend, &way.answer) {
                    (_, Some(answer)) => {
                        (badge(if answer.status >= 500 { "error" } else if answer.status >= 400 { "warning" } else { "info" }, &answer.status.to_string())) " " (shown(&answer.detail))
                        @if let Some(location) = &answer.location { " " code { "Location: " (shown(location)) } }
                    },
                    (Some(backend), None) => { "→ " strong { (backend.target) } @if !backend.protocol.is_empty() { " by " (backend.protocol) } @if !backend.endpoints.is_empty() { " at " code { (backend.endpoints.join(", ")) } } },
                    (None, None) => "answered without a backend",
                }
            }
            @if let Some(sent) = &way.sent {
                details { summary { "Sent on: " code { (shown(&sent.method)) " " (shown(&sent.target)) } }
                    dl { dt { "host" } dd { (shown(&sent.host)) } @for (name, value) in &sent.beside { dt { (name) " (beside the head)" } dd { (shown(value)) } } @for (name, value) in &sent.fields { dt { (shown(name)) } dd { (shown(value)) } } }
                }
            }
            @if !way.request.is_empty() { details { summary { "Request header fields that change" } (changes(&way.request)) } }
            @if !way.response.is_empty() { details { summary { "Response header fields that change" } (changes(&way.response)) } }
            @for mirror in &way.mirrors { p.hint { "Copied to " (mirror.target) " (" (mirror.fraction) ")" @if let Some(problem) = &mirror.problem { " – " (problem) } } }
        }
    }
}

fn changes(changes: &[FieldChange]) -> Markup {
    table(
        "Header fields",
        &["Field", "", "Before", "After", "By"],
        &html! {
            @for one in changes {
                @let (kind, word) = match one.change { Change::Deleted => ("error", "deleted"), Change::Set => ("info", "set"), Change::Added => ("fine", "added") };
                tr {
                    td { code { (shown(&one.name)) } }
                    td { (badge(kind, word)) }
                    td { @for value in &one.before { div { code { (shown(value)) } } } }
                    td { @for value in &one.after { div { code { (shown(value)) } } } }
                    td { (one.by) }
                }
            }
        },
    )
}

/// How the client's address travels, hop by hop.
pub fn steps(steps: &[AddressStep]) -> Markup {
    if steps.is_empty() {
        return empty("The request comes to no hop.");
    }
    table(
        "Client address",
        &["Hop", "Peer", "Is told", "Believed", "Client from here on", "Why"],
        &html! {
            @for step in steps {
                tr {
                    td { span class={ "tier " (step.hop) } { (step.hop) } }
                    td { code { (step.peer) } }
                    td { @if step.told.is_empty() { "nothing" } @else { code { (shown(&step.told)) } } }
                    td { @if step.told.is_empty() { "–" } @else if step.believed { (badge("fine", "yes")) } @else { (badge("warning", "no")) } }
                    td { strong { code { (step.client) } } }
                    td { (shown(&step.why)) }
                }
            }
        },
    )
}
