//! Explanations for people: the verdict first, then a tree. Reads the same JSON that programs get, so that a page's answer and
//! our own are shown alike.

use bailey_proxy::explain::{Explanation, RouteAccount};
use serde::Serialize;
use serde_json::Value;

use super::tree::Tree;
use crate::output::{Colour, OutputError, Report, Style};

/// An explanation, from here or from a page.
#[derive(Debug, Serialize)]
pub(super) struct Explained {
    #[serde(flatten)]
    told: Value,
    /// What was taken to be there and is not among the files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    assumed: Vec<String>,
}

impl Explained {
    pub(super) fn new(told: &Explanation, assumed: Vec<String>) -> Result<Self, OutputError> {
        Ok(Self { told: serde_json::to_value(told)?, assumed })
    }

    pub(super) fn of(told: Value) -> Self {
        Self { told, assumed: Vec::new() }
    }

    /// No application and no route answers.
    pub(super) fn is_refused(&self) -> bool {
        text(&self.told["verdict"]["outcome"]) == "refused"
    }
}

impl Report for Explained {
    fn text(&self, style: Style) -> String {
        let told = &self.told;
        let mut out = verdict(&told["verdict"], style);
        let mut trees = vec![connection(&told["entry"])];
        trees.extend(all(&told["tiers"]).map(|one| tier(one, style)));
        trees.push(address(&told["address"]));
        for tree in trees.iter().filter(|tree| !tree.is_bare()) {
            out += "\n";
            out += &tree.draw();
        }
        for assumed in &self.assumed {
            out.extend(["\nnote: ", assumed, "\n"]);
        }
        out
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn all(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn texts<'a>(value: &'a Value, between: &str) -> String {
    all(value).map(text).collect::<Vec<&'a str>>().join(between)
}

/// A number as it is, other text as it is.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn verdict(verdict: &Value, style: Style) -> String {
    let colour = if text(&verdict["outcome"]) == "refused" { Colour::Red } else { Colour::Green };
    let mut out = format!("{}\n", style.paint(colour, text(&verdict["sentence"])));
    let mut line = |name: &str, said: String| {
        if !said.is_empty() {
            out.extend(["  ", &style.paint(Colour::Bold, name), ": ", &said, "\n"]);
        }
    };
    line("cause", text(&verdict["cause"]).to_owned());
    line("fix", text(&verdict["remedy"]).to_owned());
    line("did you mean", texts(&verdict["did_you_mean"], ", "));
    line("Proxy-Status", text(&verdict["proxy_status"]).to_owned());
    for one in all(&verdict["related"]) {
        line(text(&one["code"]), related(one));
    }
    out
}

fn related(one: &Value) -> String {
    let place = one["location"].as_str().map(|place| format!(" ({place})")).unwrap_or_default();
    let field = if text(&one["field"]).is_empty() { String::new() } else { format!(" {}", text(&one["field"])) };
    format!("{}{field}: {}{place}", text(&one["object"]), text(&one["message"]))
}

fn connection(entry: &Value) -> Tree {
    let mut tree = Tree::new(format!("connection to port {}", entry["port"]));
    if let Some(listener) = entry["listener"].as_object() {
        let redirects = if listener["redirects_to_https"] == true { ", sends everything to https" } else { "" };
        tree.add(format!(
            "{} listener {} of the {}{redirects}",
            text(&listener["protocol"]),
            text(&listener["name"]),
            text(&entry["tier"])
        ));
    } else {
        let one = |port: &Value| format!("{} {}", port["port"], text(&port["protocol"]));
        tree.add(format!("ports there are: {}", all(&entry["ports"]).map(one).collect::<Vec<_>>().join(", ")));
    }
    if let Some(tls) = entry["tls"].as_object() {
        tree.add(handshake(tls));
    }
    if let Some(owner) = entry["owner"].as_object() {
        let suspended = if owner["suspended"] == true { ", suspended" } else { "" };
        let tenant =
            owner["tenant"].as_str().map_or_else(|| "is served".to_owned(), |name| format!("is tenant {name}'s"));
        tree.add(format!("the host {tenant} by {}{suspended}", text(&owner["pattern"])));
    }
    let limits: Vec<_> = all(&entry["limits"]).filter(|limit| limit["of"] != "tier").collect();
    let limits: Vec<_> = limits.iter().map(|limit| format!("{} {}", limit["value"], text(&limit["name"]))).collect();
    if !limits.is_empty() {
        tree.add(format!("limits of the tenant: {}", limits.join(", ")));
    }
    tree
}

fn handshake(tls: &serde_json::Map<String, Value>) -> String {
    let name = text(&tls["server_name"]);
    let Some(certificate) = tls["certificate"].as_object() else {
        return format!("TLS for {name}: {}", text(&tls["refused"]));
    };
    let until = certificate["not_after"].as_str().map(|end| format!(", until {end}")).unwrap_or_default();
    format!(
        "TLS for {name}: certificate for {} from {}{until}",
        texts(&certificate["names"], ", "),
        text(&certificate["source"])
    )
}

fn tier(told: &Value, style: Style) -> Tree {
    let mut tree = Tree::new(format!("{} tier ({})", text(&told["tier"]), text(&told["of"])));
    all(&told["arrival"]).for_each(|one| tree.add(change(one)));
    for one in all(&told["candidates"]) {
        tree.add(candidate(one, style));
    }
    if told["candidates_left_out"].as_u64() > Some(0) {
        tree.add(format!("… and {} more with other paths", told["candidates_left_out"]));
    }
    all(&told["ways"]).for_each(|one| tree.put(way(one)));
    tree
}

fn candidate(one: &Value, style: Style) -> String {
    let (mark, colour) = match text(&one["result"]) {
        "won" => ("✓", Colour::Green),
        "beaten" => ("–", Colour::Yellow),
        _ => ("✗", Colour::Dim),
    };
    let failed = &one["failed"];
    let why = match (one["beaten"].as_str(), failed.as_object()) {
        (Some(beaten), _) => format!(": {beaten}"),
        (None, Some(_)) => {
            let name = failed["name"].as_str().map(|name| format!(" {name}")).unwrap_or_default();
            let got = failed["got"].as_str().map_or_else(|| "nothing".to_owned(), str::to_owned);
            format!(": {}{name} wants {}, got {got}", text(&failed["condition"]), text(&failed["wanted"]))
        }
        (None, None) => String::new(),
    };
    let line = format!(
        "{mark} {} rule {} on {} ({}){why}",
        text(&one["route"]),
        one["rule"],
        text(&one["host"]),
        text(&one["wants"])
    );
    style.paint(colour, line)
}

fn change(one: &Value) -> String {
    let values = |key: &str| texts(&one[key], " | ");
    let name = text(&one["name"]);
    let what = match text(&one["change"]) {
        "deleted" if values("before").is_empty() => format!("- {name}"),
        "deleted" => format!("- {name}: {}", values("before")),
        "added" => format!("+ {name}: {}", values("after")),
        _ => format!("= {name}: {}", values("after")),
    };
    format!("{what}  [{}]", text(&one["by"]))
}

fn way(one: &Value) -> Tree {
    let share = one["percent"].as_f64().filter(|percent| *percent < 100.0);
    let share = share.map(|percent| format!("{percent:.1} % ")).unwrap_or_default();
    let backend = &one["backend"];
    if let Some(answer) = one["answer"].as_object() {
        let mut tree = Tree::new(format!("→ {share}answers {}: {}", answer["status"], text(&answer["detail"])));
        all(&one["response"]).for_each(|one| tree.add(format!("response {}", change(one))));
        return tree;
    }
    let mut tree = Tree::new(format!(
        "→ {share}to {} by {} at {}",
        text(&backend["target"]),
        text(&backend["protocol"]),
        texts(&backend["endpoints"], ", ")
    ));
    let sent = &one["sent"];
    tree.add(format!("{} {} with Host {}", text(&sent["method"]), text(&sent["target"]), text(&sent["host"])));
    let beside: Vec<_> = all(&sent["beside"]).map(|pair| format!("{} {}", text(&pair[0]), text(&pair[1]))).collect();
    if !beside.is_empty() {
        tree.add(format!("beside the head: {}", beside.join(", ")));
    }
    all(&one["request"]).for_each(|one| tree.add(change(one)));
    all(&one["response"]).for_each(|one| tree.add(format!("response {}", change(one))));
    for mirror in all(&one["mirrors"]) {
        let problem = mirror["problem"].as_str().map(|problem| format!(", never made: {problem}")).unwrap_or_default();
        tree.add(format!(
            "copy of {} of the requests to {}{problem}",
            text(&mirror["fraction"]),
            text(&mirror["target"])
        ));
    }
    tree.add(limits(&one["timeouts"], &one["retries"]));
    tree
}

fn limits(timeouts: &Value, retries: &Value) -> String {
    let of = |key: &str| timeouts[key].as_u64().map_or_else(|| "none".to_owned(), |ms| format!("{ms} ms"));
    let codes: Vec<_> = all(&retries["codes"]).map(plain).collect();
    let codes = if codes.is_empty() { String::new() } else { format!(" on {}", codes.join(", ")) };
    format!(
        "deadlines: request {}, attempt {}, first byte {}; repeated {} times{codes}, {} times unasked where that does no harm",
        of("request_ms"),
        of("attempt_ms"),
        of("first_byte_ms"),
        retries["attempts"],
        retries["unasked"]
    )
}

fn address(steps: &Value) -> Tree {
    let mut tree = Tree::new("client address");
    for step in all(steps) {
        let told = text(&step["told"]);
        let believed = if step["believed"] == true { "believed" } else { "not believed" };
        let told = if told.is_empty() { String::new() } else { format!(", told {told} ({believed})") };
        tree.add(format!(
            "{}: {} – peer {}{told}; {}",
            text(&step["hop"]),
            text(&step["client"]),
            text(&step["peer"]),
            text(&step["why"])
        ));
    }
    tree
}

/// What there is to say of a route, from here or from a page.
#[derive(Debug, Serialize)]
pub(super) struct RouteExplained(Value);

impl RouteExplained {
    pub(super) fn new(told: &RouteAccount) -> Result<Self, OutputError> {
        Ok(Self(serde_json::to_value(told)?))
    }

    pub(super) fn of(told: Value) -> Self {
        Self(told)
    }

    pub(super) fn is_served(&self) -> bool {
        self.0["served"] == true
    }
}

impl Report for RouteExplained {
    fn text(&self, style: Style) -> String {
        let told = &self.0;
        let colour = if self.is_served() { Colour::Green } else { Colour::Red };
        let place = told["location"].as_str().map(|place| format!(" ({place})")).unwrap_or_default();
        let mut out = format!("{}{place}\n", style.paint(colour, text(&told["sentence"])));
        for one in all(&told["related"]) {
            let code = style.paint(Colour::Bold, text(&one["code"]));
            out.extend(["  ", &code, " ", text(&one["field"]), ": ", text(&one["message"]), "\n"]);
            if !text(&one["remedy"]).is_empty() {
                out.extend(["    fix: ", text(&one["remedy"]), "\n"]);
            }
        }
        let mut tree = Tree::new("attached");
        for at in all(&told["attachments"]) {
            tree.add(format!(
                "{}, listener {}: {}",
                text(&at["tier"]),
                text(&at["listener"]),
                texts(&at["hosts"], ", ")
            ));
        }
        if !tree.is_bare() {
            out.extend(["\n", &tree.draw()]);
        }
        for rule in all(&told["rules"]) {
            out.extend(["\n", &rule_tree(rule, style).draw()]);
        }
        out
    }
}

fn rule_tree(rule: &Value, style: Style) -> Tree {
    let name = rule["name"].as_str().map(|name| format!(" ({name})")).unwrap_or_default();
    let mut tree = Tree::new(format!("rule {}{name}: {}", rule["rule"], texts(&rule["does"], "; ")));
    for matched in all(&rule["matches"]) {
        let mut branch = Tree::new(format!("{}, such as {}", text(&matched["wants"]), text(&matched["example"])));
        for shadow in all(&matched["shadows"]) {
            let (colour, how) = if shadow["fully"] == true { (Colour::Red, "all") } else { (Colour::Yellow, "some") };
            let by = &shadow["by"];
            let line = format!(
                "{how} of it on {} goes to {} rule {} ({}): {}",
                text(&by["host"]),
                text(&by["route"]),
                by["rule"],
                text(&by["wants"]),
                text(&shadow["why"])
            );
            branch.add(style.paint(colour, line));
        }
        tree.put(branch);
    }
    tree
}
