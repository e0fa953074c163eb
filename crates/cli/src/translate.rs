//! `bailey translate`: what objects come to, as the tiers have it: routes in the order they are tried, or a drawing.

mod mermaid;

use std::path::PathBuf;

use bailey_proxy::describe;
use bailey_proxy::page::graph::of::{Only, Part, graph};
use bailey_proxy::page::graph::svg;
use bailey_routing::{Listed, Matched};
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::folder::{Folder, OfflineTier, Setting, files};
use crate::output::{self, Exit, Format, Outcome, OutputArgs, Report, Style, Table};

/// How `bailey translate` runs.
#[derive(Clone, Debug, Args)]
pub struct TranslateArgs {
    /// Files and folders with the objects (folders with all that is below them), or - for standard input.
    #[arg(value_name = "FILE|DIR", default_value = ".")]
    pub paths: Vec<PathBuf>,
    /// What to print. Drawings are text of their own, whatever --output says.
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub to: Target,
    /// Where the objects are meant to run [default: local when there is a `LocalBackend` among them, else cluster].
    #[arg(long, value_enum, value_name = "SETTING")]
    pub setting: Option<Setting>,
    #[command(flatten)]
    output: OutputArgs,
}

/// What objects are translated to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// Every match of every rule, in the order they are tried.
    #[default]
    Routes,
    /// A Mermaid flow chart of the topology.
    Mermaid,
    /// An SVG drawing of the topology.
    Svg,
}

/// Prints what objects come to.
pub fn run(args: &TranslateArgs) -> Outcome {
    files::exist(&args.paths)?;
    let folder = Folder::read(&args.paths, args.setting)?;
    match args.to {
        Target::Routes => output::print(&Routes::of(&folder), args.output.output)?,
        Target::Mermaid => drawing(&mermaid::text(&graph(&parts(&folder), &Only::default())), args.output.output)?,
        Target::Svg => drawing(&svg::file(&graph(&parts(&folder), &Only::default())), args.output.output)?,
    }
    Ok(Exit::Fine)
}

/// A drawing, which a program gets as a text in its format.
fn drawing(text: &str, format: Format) -> Result<(), output::OutputError> {
    match format {
        Format::Table => output::write(text),
        Format::Json | Format::Yaml => output::print(&Drawing { drawing: text }, format),
    }
}

#[derive(Serialize)]
struct Drawing<'a> {
    drawing: &'a str,
}

impl Report for Drawing<'_> {
    fn text(&self, _: Style) -> String {
        self.drawing.to_owned()
    }
}

fn parts(folder: &Folder) -> Vec<Part<'_>> {
    folder.tiers.iter().map(|tier| Part { role: &tier.role, snapshot: &tier.snapshot }).collect()
}

/// Routes as tiers have them.
#[derive(Debug, Serialize)]
struct Routes {
    routes: Vec<Row>,
}

/// One match of one rule under one host.
#[derive(Debug, Serialize)]
struct Row {
    tier: String,
    listener: String,
    host: String,
    path: String,
    conditions: String,
    tenant: Option<String>,
    route: String,
    rule: usize,
    #[serde(rename = "ruleName")]
    rule_name: Option<String>,
    to: String,
    effects: Vec<String>,
    /// No request reaches it, because this route's match takes all of them before.
    hidden: Option<String>,
}

impl Routes {
    fn of(folder: &Folder) -> Self {
        Self { routes: folder.tiers.iter().flat_map(rows).collect() }
    }
}

fn rows(tier: &OfflineTier) -> Vec<Row> {
    let listing = tier.snapshot.table.listing();
    listing.iter().flat_map(|listed| of_host(tier, listed)).collect()
}

fn of_host(tier: &OfflineTier, listed: &Listed<'_>) -> Vec<Row> {
    let mut hidden = listed.hidden().into_iter().peekable();
    let key = |one: &Matched<'_>| (one.route().id.clone(), one.rule_index(), one.match_index());
    let row = |one: &Matched<'_>| Row {
        tier: describe::tier(&tier.role),
        listener: listed.listener.to_owned(),
        host: listed.pattern.to_string(),
        path: describe::path(one.route_match()),
        conditions: describe::conditions(one.route_match()),
        tenant: listed.tenant.map(str::to_owned),
        route: one.route().id.to_string(),
        rule: one.rule_index(),
        rule_name: one.rule().name.as_deref().map(str::to_owned),
        to: describe::targets(one.rule()),
        effects: describe::effects(one.rule()),
        // Both lists have the order of precedence.
        hidden: hidden
            .next_if(|hidden| key(&hidden.behind) == key(one))
            .map(|hidden| hidden.front.route().id.to_string()),
    };
    listed.matches.iter().map(row).collect()
}

impl Report for Routes {
    fn text(&self, style: Style) -> String {
        let mut table = Table::new(["TIER", "LISTENER", "HOST", "PATH", "WHEN", "ROUTE", "TO", "BESIDES"]);
        for row in &self.routes {
            let rule = row.rule_name.clone().unwrap_or_else(|| row.rule.to_string());
            let hidden = row.hidden.as_ref().map(|by| format!("never reached: hidden by {by}"));
            let besides = row.effects.iter().cloned().chain(hidden).collect::<Vec<_>>().join("; ");
            table.row([
                row.tier.clone(),
                row.listener.clone(),
                row.host.clone(),
                row.path.clone(),
                row.conditions.clone(),
                format!("{} rule {rule}", row.route),
                row.to.clone(),
                besides,
            ]);
        }
        table.render(style)
    }
}
