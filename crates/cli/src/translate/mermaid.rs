//! The drawing of a topology as a Mermaid flow chart, for places that draw those, such as Markdown.

use std::fmt::Write as _;

use bailey_proxy::page::graph::{Graph, Rank, State};

/// The same boxes and lines as the SVG's, a group for each rank.
pub(super) fn text(graph: &Graph) -> String {
    let mut text = String::from("flowchart LR\n");
    // Writing to a String cannot fail.
    for rank in Rank::ALL {
        let nodes = graph.nodes.iter().enumerate().filter(|(_, node)| node.rank == rank);
        let _ = writeln!(text, "  subgraph {}[\"{}\"]", rank.word(), rank.title());
        for (index, node) in nodes {
            let subtitle =
                if node.subtitle.is_empty() { String::new() } else { format!("<br/>{}", label(&node.subtitle)) };
            let class = match node.state {
                State::Fine => "",
                State::Warning => ":::warning",
                State::Broken => ":::broken",
            };
            let _ = writeln!(text, "    n{index}[\"{}{subtitle}\"]{class}", label(&node.title));
        }
        text.push_str("  end\n");
    }
    for edge in &graph.edges {
        let words = if edge.label.is_empty() { String::new() } else { format!("|\"{}\"|", label(&edge.label)) };
        let _ = writeln!(text, "  n{} -->{words} n{}", edge.from, edge.to);
    }
    text.push_str(
        "  classDef warning stroke:#b58900,stroke-width:2px\n  classDef broken stroke:#dc322f,stroke-width:2px\n",
    );
    text
}

/// Text between quotes: what would end them, or begin markup, as entity codes.
fn label(text: &str) -> String {
    text.chars().fold(String::new(), |mut safe, character| {
        match character {
            '"' | '<' | '>' | '&' | '#' | '`' | '\\' => {
                let _ = write!(safe, "#{};", u32::from(character));
            }
            control if control.is_control() => safe.push(' '),
            other => safe.push(other),
        }
        safe
    })
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn names_cannot_end_their_quotes() {
        assert_eq!(label("a\"b<c>#"), "a#34;b#60;c#62;#35;");
    }
}
