//! The spans that two tiers kept of one trace, as one waterfall. Their clocks may differ: a part is put where its parent's time allows.
//! Pure.

use bailey_proxy::page::waterfall::{Row, Waterfall};

/// `outer` with each part below the span that it is a part of. A part without its parent is left beside it.
pub(super) fn join(mut outer: Waterfall, parts: Vec<Waterfall>) -> Waterfall {
    for part in parts {
        let parent = part.rows.first().and_then(|root| root.parent.clone());
        let at = outer.rows.iter().position(|row| parent.as_ref() == Some(&row.span));
        let (index, depth, begin) = match at {
            Some(at) => (at + 1, outer.rows[at].depth + 1, within(&outer.rows[at], &outer, &part)),
            None => (outer.rows.len(), 0, after(&outer, &part)),
        };
        let known: Vec<String> = outer.rows.iter().map(|row| row.span.clone()).collect();
        let rows: Vec<Row> = part
            .rows
            .into_iter()
            .filter(|row| !known.contains(&row.span))
            .map(|row| Row { depth: row.depth + depth, offset_us: row.offset_us + begin, ..row })
            .collect();
        outer.duration_us =
            rows.iter().map(|row| row.offset_us + row.duration_us).max().unwrap_or(0).max(outer.duration_us);
        outer.rows.splice(index..index, rows);
        outer.error |= part.error;
        outer.tenant = outer.tenant.or(part.tenant);
        outer.route = outer.route.or(part.route);
        outer.left_out += part.left_out;
    }
    outer
}

/// Where the part begins by its own clock, in microseconds after the whole.
fn after(outer: &Waterfall, part: &Waterfall) -> u64 {
    part.start_ms.saturating_sub(outer.start_ms) * 1000
}

/// The same, but not before its parent, nor so late that it would end after it.
fn within(parent: &Row, outer: &Waterfall, part: &Waterfall) -> u64 {
    let latest = (parent.offset_us + parent.duration_us).saturating_sub(part.duration_us).max(parent.offset_us);
    after(outer, part).clamp(parent.offset_us, latest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(span: &str, parent: Option<&str>, offset_us: u64, duration_us: u64) -> Row {
        Row {
            span: span.to_owned(),
            parent: parent.map(str::to_owned),
            depth: 0,
            name: String::new(),
            kind: "server".to_owned(),
            tier: String::new(),
            tenant: None,
            offset_us,
            duration_us,
            status: None,
            error: false,
            attributes: Vec::new(),
            links: Vec::new(),
        }
    }

    fn waterfall(start_ms: u64, rows: Vec<Row>) -> Waterfall {
        Waterfall {
            trace: "t".to_owned(),
            start_ms,
            duration_us: rows.iter().map(|row| row.offset_us + row.duration_us).max().unwrap_or_default(),
            method: String::new(),
            url: String::new(),
            status: None,
            error: false,
            tenant: None,
            route: None,
            request_id: None,
            rows,
            left_out: 0,
        }
    }

    #[test]
    fn a_part_is_below_its_parent_and_within_its_time_whatever_its_clock_says() {
        let outer = || {
            waterfall(1000, vec![row("a", None, 0, 900), row("b", Some("a"), 100, 700), row("z", Some("a"), 850, 10)])
        };
        let part = |start| waterfall(start, vec![row("c", Some("b"), 0, 300), row("d", Some("c"), 50, 100)]);
        for (start, begin) in [(900, 100), (1000, 100), (5000, 500)] {
            let joined = join(outer(), vec![part(start)]);
            let rows: Vec<_> = joined.rows.iter().map(|row| (row.span.as_str(), row.depth, row.offset_us)).collect();
            assert_eq!(rows, [("a", 0, 0), ("b", 0, 100), ("c", 1, begin), ("d", 1, begin + 50), ("z", 0, 850)]);
            assert_eq!(joined.duration_us, 900);
        }
    }

    #[test]
    fn a_part_whose_parent_is_not_kept_stands_beside() {
        let joined = join(
            waterfall(1000, vec![row("a", None, 0, 900)]),
            vec![waterfall(1002, vec![row("c", Some("x"), 0, 300)])],
        );
        assert_eq!((joined.rows[1].span.as_str(), joined.rows[1].depth, joined.rows[1].offset_us), ("c", 0, 2000));
        assert_eq!(joined.duration_us, 2300);
    }
}
