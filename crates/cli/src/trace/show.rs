//! A trace for a terminal: a line a span, with its place in time, and what is known of each below.

use std::fmt::Write as _;

use bailey_proxy::page::frame::{duration, shown};
use bailey_proxy::page::waterfall::{Row, Waterfall};

use super::Traced;
use crate::output::{Colour, Report, Style, Table};

/// Columns of a bar.
const BAR: usize = 40;

impl Report for Traced {
    fn text(&self, style: Style) -> String {
        let one = &self.trace;
        let mut text = String::new();
        let colour = if self.status >= 400 { Colour::Red } else { Colour::Green };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{} {}  {}  {}",
            style.paint(Colour::Bold, shown(&one.method)),
            style.paint(Colour::Bold, shown(&one.url)),
            style.paint(colour, self.status.to_string()),
            duration(one.duration_us),
        );
        for (name, value) in [("tenant", &one.tenant), ("route", &one.route), ("request id", &one.request_id)] {
            if let Some(value) = value {
                let _ = writeln!(text, "{} {}", style.paint(Colour::Dim, name), shown(value));
            }
        }
        let _ = writeln!(text, "{} {}\n", style.paint(Colour::Dim, "trace"), one.trace);
        text.push_str(&bars(one, style));
        if one.left_out > 0 {
            let _ = writeln!(text, "and {} more spans that were not kept", one.left_out);
        }
        for missing in &self.missing {
            let _ = writeln!(text, "{} {missing}", style.paint(Colour::Yellow, "missing:"));
        }
        for row in &one.rows {
            let _ =
                writeln!(text, "\n{} {} {}", style.paint(Colour::Cyan, shown(&row.tier)), row.kind, shown(&row.name));
            for (name, value) in &row.attributes {
                let _ = writeln!(text, "  {} {}", style.paint(Colour::Dim, name), shown(value));
            }
        }
        text
    }
}

fn bars(one: &Waterfall, style: Style) -> String {
    let mut table = Table::new(["TIER", "SPAN", "AFTER", "", "TOOK", "STATUS"]);
    for row in &one.rows {
        let colour = if row.error { Colour::Red } else { Colour::Cyan };
        table.row([
            shown(&row.tier),
            format!("{}{} {}", "  ".repeat(row.depth.min(8)), row.kind, shown(&row.name)),
            duration(row.offset_us),
            style.paint(colour, bar(row, one.duration_us)),
            duration(row.duration_us),
            row.status.map(|status| status.to_string()).unwrap_or_default(),
        ]);
    }
    table.render(style)
}

/// A span's place in time; it is seen however short it is.
fn bar(row: &Row, whole_us: u64) -> String {
    let whole = whole_us.max(1);
    let column = |us: u64| (us.min(whole) * BAR as u64 / whole) as usize;
    let start = column(row.offset_us).min(BAR - 1);
    let end = column(row.offset_us + row.duration_us).clamp(start + 1, BAR);
    format!("{}{}{}", "·".repeat(start), "█".repeat(end - start), "·".repeat(BAR - end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Format, render};

    fn row(depth: usize, tier: &str, offset_us: u64, duration_us: u64) -> Row {
        Row {
            span: "00f067aa0ba902b7".to_owned(),
            parent: None,
            depth,
            name: "GET /api".to_owned(),
            kind: "server".to_owned(),
            tier: tier.to_owned(),
            tenant: None,
            offset_us,
            duration_us,
            status: Some(200),
            error: false,
            attributes: vec![("user_agent.original".to_owned(), "\u{1b}[31mevil".to_owned())],
            links: Vec::new(),
        }
    }

    fn traced() -> Traced {
        let trace = Waterfall {
            trace: "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
            start_ms: 0,
            duration_us: 10_000,
            method: "GET".to_owned(),
            url: "https://shop.localhost:8443/api".to_owned(),
            status: Some(200),
            error: false,
            tenant: Some("team-a".to_owned()),
            route: None,
            request_id: None,
            rows: vec![row(0, "outer", 0, 10_000), row(1, "inner", 5_000, 2_500), row(2, "inner", 9_999, 1)],
            left_out: 0,
        };
        Traced { status: 200, trace, missing: Vec::new() }
    }

    #[test]
    fn a_trace_is_a_line_a_span_and_obeys_no_stranger() {
        let text = traced().text(Style::PLAIN);
        assert!(text.starts_with("GET https://shop.localhost:8443/api  200  10.0 ms\ntenant team-a\n"), "{text}");
        let half = format!("{}{}{}", "·".repeat(20), "█".repeat(10), "·".repeat(10));
        assert!(text.contains(&half) && text.contains(&"█".repeat(BAR)), "{text}");
        assert!(text.contains(&format!("{}█ ", "·".repeat(BAR - 1))), "the shortest is seen: {text}");
        assert!(text.contains("\\u{1b}[31mevil") && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn programs_get_the_same_as_data() {
        let json: serde_json::Value =
            serde_json::from_str(&render(&traced(), Format::Json, Style::PLAIN).unwrap()).unwrap();
        assert_eq!(json["trace"]["rows"][1]["tier"], "inner");
        assert_eq!(json["status"], 200);
    }
}
