//! A placed graph as SVG: readable alone (it carries its colours), and within a page (whose style sheet overrides them by
//! class). Text is escaped by maud; no script, no style element.
#![expect(clippy::cast_precision_loss, reason = "what is drawn or said of it is rounded anyway")]

use maud::{Markup, html};

use super::layout::{HEIGHT, Layout, WIDTH};
use super::{Edge, Graph, Node, Rank, State};

/// Characters that fit into a box, by line.
const TITLE_CHARS: usize = 25;
const SUBTITLE_CHARS: usize = 32;

/// What a drawing is for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Use<'a> {
    /// Boxes are links to this path, with their query; `None`: they are no links.
    pub link: Option<&'a str>,
    /// The query of what is selected.
    pub selected: &'a str,
    /// Room for rates on the lines.
    pub live: bool,
}

/// A file of its own.
pub fn file(graph: &Graph) -> String {
    let layout = super::layout::layout(graph);
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    text.push_str(&draw(graph, &layout, Use::default()).into_string());
    text.push('\n');
    text
}

/// The drawing.
pub fn draw(graph: &Graph, layout: &Layout, r#use: Use<'_>) -> Markup {
    let (width, height) = layout.size;
    html! {
        svg xmlns="http://www.w3.org/2000/svg" class="graph" viewBox=(format!("0 0 {width} {height}")) width=(width) height=(height)
            role="group" aria-label="The topology" font-family="system-ui, sans-serif" {
            @if r#use.link.is_none() { rect width=(width) height=(height) fill="#ffffff" {} }
            @for (rank, x) in &layout.columns {
                text.graph-heading x=(x) y="30" font-size="12" font-weight="600" fill="#5b6475" { (rank.title()) }
            }
            g.graph-edges { @for edge in &graph.edges { (line(edge, layout, graph, r#use)) } }
            @for (node, (x, y)) in graph.nodes.iter().zip(&layout.places) {
                @match r#use.link {
                    Some(path) if !node.select.is_empty() => {
                        a href=(format!("{path}?{}", node.select)) aria-current=[(node.select == r#use.selected).then_some("true")]
                            data-select=(node.select) aria-label=(spoken(node)) { (boxed(node, *x, *y, r#use)) }
                    }
                    Some(_) | None => { g { (boxed(node, *x, *y, r#use)) } }
                }
            }
        }
    }
}

fn spoken(node: &Node) -> String {
    let kind = match node.rank {
        Rank::Front => "Front",
        Rank::Inner => "Inner tier",
        Rank::Route => "Route",
        Rank::Backend => "Backend",
    };
    let state = match node.state {
        State::Fine => "",
        State::Warning => ", needs attention",
        State::Broken => ", broken",
    };
    format!("{kind} {}, {}{state}", node.title, node.subtitle)
}

fn boxed(node: &Node, x: f64, y: f64, r#use: Use<'_>) -> Markup {
    let (fill, stroke) = match (node.state, node.rank) {
        (State::Broken, _) => ("#fdecec", "#c62828"),
        (State::Warning, _) => ("#fff6e0", "#b26a00"),
        (State::Fine, Rank::Front) => ("#e8edfd", "#3b5bdb"),
        (State::Fine, Rank::Inner) => ("#e6f6f3", "#0b7d6b"),
        (State::Fine, Rank::Route | Rank::Backend) => ("#f6f7f9", "#a3abb9"),
    };
    let state = match node.state {
        State::Fine => "fine",
        State::Warning => "warning",
        State::Broken => "broken",
    };
    let selected = if !node.select.is_empty() && node.select == r#use.selected { " selected" } else { "" };
    html! {
        title { (node.title) " – " (node.subtitle) }
        rect class=(format!("node {} {state}{selected}", node.rank.word())) x=(x) y=(y) width=(WIDTH) height=(HEIGHT) rx="8"
            fill=(fill) stroke=(stroke) {}
        text.node-title x=(x + 12.0) y=(y + 20.0) font-size="13" font-weight="600" fill="#1c2333" { (cut(&node.title, TITLE_CHARS)) }
        text.node-subtitle x=(x + 12.0) y=(y + 36.0) font-size="11" fill="#5b6475" { (cut(&node.subtitle, SUBTITLE_CHARS)) }
    }
}

fn line(edge: &Edge, layout: &Layout, graph: &Graph, r#use: Use<'_>) -> Markup {
    let ((from_x, from_y), (to_x, to_y)) = (layout.places[edge.from], layout.places[edge.to]);
    let (x1, y1, x2, y2) = (from_x + WIDTH, from_y + HEIGHT / 2.0, to_x, to_y + HEIGHT / 2.0);
    let bend = ((x2 - x1) / 2.0).min(64.0);
    let live = r#use.live && !edge.flow.is_empty();
    let path = format!("M{x1} {y1}C{} {y1} {} {y2} {x2} {y2}", x1 + bend, x2 - bend);
    let broken = graph.nodes[edge.to].state == State::Broken;
    let class = if broken { "edge broken" } else { "edge" };
    html! {
        path class=(class) d=(path) fill="none" stroke=(if broken { "#c62828" } else { "#a3abb9" }) stroke-width="1.5"
            data-flow=[live.then_some(&edge.flow)] {}
        @if !edge.label.is_empty() && !live {
            text.edge-label x=(f64::midpoint(x1, x2)) y=(f64::midpoint(y1, y2) - 5.0) text-anchor="middle" font-size="11" fill="#5b6475" { (edge.label) }
        }
        @if live {
            @let (x, [above, below], anchor) = written(edge, graph, layout, [(x1, y1), (x2, y2)]);
            text.rate x=(x) y=(above) text-anchor=(anchor) font-size="11" data-rate=(edge.flow) {}
            text.edge-label x=(x) y=(below) text-anchor=(anchor) font-size="11" {
                (edge.label) @if !edge.label.is_empty() { " " } tspan.rate-errors data-errors=(edge.flow) {}
            }
        }
    }
}

/// Where on a line is written what flows: where lines are apart. Behind the box it comes from if nothing else comes from there
/// and others go where it goes; else before the box it goes to, what comes from higher boxes above the rest.
fn written(
    edge: &Edge,
    graph: &Graph,
    layout: &Layout,
    [(x1, y1), (x2, y2)]: [(f64, f64); 2],
) -> (f64, [f64; 2], &'static str) {
    let beside = || graph.edges.iter().filter(|other| other.to == edge.to);
    let count = beside().count();
    if count > 1 && graph.edges.iter().filter(|other| other.from == edge.from).count() == 1 {
        return (x1 + 10.0, [y1 - 6.0, y1 + 15.0], "start");
    }
    if count == 1 {
        return (x2 - 10.0, [y2 - 6.0, y2 + 15.0], "end");
    }
    let above = beside().filter(|other| layout.places[other.from].1 < layout.places[edge.from].1).count();
    // Two have the line's end between them; more get less room each.
    let top = y2 - 2.5 + 66.0 / count as f64 * (above as f64 - (count - 1) as f64 / 2.0);
    (x2 - 10.0, [top, top + 13.0], "end")
}

/// The text, cut to what fits, with the wide characters of East Asian scripts counted twice. Control and direction
/// characters would disturb what stands beside them.
pub fn cut(text: &str, room: usize) -> String {
    let shown = |c: &char| !c.is_control() && !is_direction(*c);
    let width = |c: char| if u32::from(c) >= 0x1100 { 2 } else { 1 };
    let whole: usize = text.chars().filter(shown).map(width).sum();
    if whole <= room {
        return text.chars().filter(shown).collect();
    }
    let mut left = room.saturating_sub(1);
    let mut short: String = text
        .chars()
        .filter(shown)
        .take_while(|c| {
            let fits = width(*c) <= left;
            left = left.saturating_sub(width(*c));
            fits
        })
        .collect();
    short.push('…');
    short
}

/// Characters that change the direction of text around them (Unicode Bidirectional Algorithm, explicit formatting).
pub fn is_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
