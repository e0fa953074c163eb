//! The configuration of a proxy for people: whether it is behind first, then what it serves.

use bailey_proxy::page::effective::Effective;
use serde::Serialize;

use super::behind::{Differences, Standing};
use crate::output::{Colour, Report, Style, Table};

/// What a Pod serves.
#[derive(Debug, Serialize)]
pub(super) struct Configuration {
    pub(super) pod: String,
    /// How that stands to what the cluster says.
    pub(super) standing: Standing,
    pub(super) served: Effective,
}

impl Report for Configuration {
    fn text(&self, style: Style) -> String {
        let Effective { tier, digest, generation, .. } = &self.served;
        let name = style.paint(Colour::Bold, &self.pod);
        let mut text = format!("{name}  {tier}, configuration {digest}, the {generation}. since it started\n");
        text += &standing(&self.standing, style);
        let tables =
            [self.listeners(), self.routes(), self.backends(), self.tenants(), self.certificates(), self.settings()];
        for table in tables.iter().filter(|table| !table.is_empty()) {
            text.extend(["\n", &table.render(style)]);
        }
        text
    }
}

fn standing(of: &Standing, style: Style) -> String {
    match of {
        Standing::Current => style.paint(Colour::Green, "serves what the cluster says") + "\n",
        Standing::Unknown { because } => {
            let mut text = style.paint(Colour::Yellow, "whether that is what the cluster says cannot be told") + "\n";
            text.extend(because.iter().flat_map(|why| ["  ", why, "\n"]));
            text
        }
        Standing::Behind(Differences { served, missing }) => {
            let mut text = style.paint(Colour::Red, "does not serve what the cluster says") + "\n";
            let lost = served.iter().map(|line| style.paint(Colour::Red, format!("- {line}")));
            let new = missing.iter().map(|line| style.paint(Colour::Green, format!("+ {line}")));
            text.extend(lost.chain(new).map(|line| format!("  {line}\n")));
            if served.is_empty() && missing.is_empty() {
                text += "  nothing that is shown differs: is its proxy of another version?\n";
            }
            text
        }
    }
}

impl Configuration {
    fn listeners(&self) -> Table {
        let mut table = Table::new(["LISTENER", "PROTOCOL", "PORT", "BOUND", "HOST", "CERTIFICATES"]);
        for one in &self.served.listeners {
            let protocol = match one.redirects_to {
                Some(port) => format!("{} redirects to {port}", one.protocol),
                None => one.protocol.clone(),
            };
            table.row([
                one.name.clone(),
                protocol,
                one.port.to_string(),
                one.bind_port.to_string(),
                one.hostname.clone(),
                one.certificates.join(", "),
            ]);
        }
        table
    }

    fn routes(&self) -> Table {
        let mut table = Table::new(["HOST", "PATH", "WHEN", "ROUTE", "TO", "BESIDES"]);
        for one in &self.served.routes {
            table.row([
                one.host.clone(),
                one.path.clone(),
                one.conditions.clone(),
                format!("{} rule {}", one.route, one.rule),
                one.to.clone(),
                one.effects.join("; "),
            ]);
        }
        table
    }

    fn backends(&self) -> Table {
        let mut table = Table::new(["BACKEND", "PROTOCOL", "ENDPOINTS"]);
        for one in &self.served.backends {
            let none = || "none is ready".to_owned();
            let endpoints = if one.endpoints.is_empty() { none() } else { one.endpoints.join(", ") };
            table.row([one.name.clone(), one.protocol.clone(), endpoints]);
        }
        table
    }

    fn tenants(&self) -> Table {
        let mut table = Table::new(["TENANT", "CONNECTIONS", "REQUESTS/S", "IN FLIGHT", "SUSPENDED"]);
        let limit = |of: Option<u32>| of.map_or_else(|| "-".to_owned(), |limit| limit.to_string());
        for one in &self.served.tenants {
            let suspended = if one.suspended { "yes" } else { "no" };
            table.row([
                one.name.clone(),
                limit(one.connections),
                limit(one.requests_per_second),
                limit(one.in_flight),
                suspended.to_owned(),
            ]);
        }
        table
    }

    fn certificates(&self) -> Table {
        let mut table = Table::new(["CERTIFICATE", "FROM", "ISSUER", "UNTIL"]);
        for one in &self.served.certificates {
            table.row([one.names.join(", "), one.source.clone(), one.issuer.clone(), one.not_after.clone()]);
        }
        table
    }

    fn settings(&self) -> Table {
        let settings = &self.served.settings;
        let mut table = Table::new(["SETTING", "VALUE"]);
        let word = |is: bool| if is { "yes" } else { "no" }.to_owned();
        table.row(["client address".to_owned(), settings.client_address.clone()]);
        table.row(["Forwarded (RFC 7239)".to_owned(), word(settings.forwarded)]);
        table.row(["access log".to_owned(), word(settings.access_log)]);
        table.row(["traces to".to_owned(), settings.tracing.clone().unwrap_or_else(|| "nowhere".to_owned())]);
        let limits = serde_json::to_value(settings.limits).unwrap_or_default();
        for (group, values) in limits.as_object().into_iter().flatten() {
            let values: Vec<String> =
                values.as_object().into_iter().flatten().map(|(name, value)| format!("{name} {value}")).collect();
            table.row([format!("limits.{group}"), values.join(", ")]);
        }
        table
    }
}
