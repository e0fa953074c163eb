//! Where the boxes of a graph are: a column for each rank, boxes near what they are joined with, none over another.
//!
//! Pure and deterministic. The order within a rank is that of the graph, but for backends, which several routes may
//! share: they are ordered by the middle of those (the barycentre step of Sugiyama's method).
#![expect(clippy::cast_precision_loss, reason = "what is drawn or said of it is rounded anyway")]

use super::{Graph, Rank};

/// Size of a box.
pub const WIDTH: f64 = 212.0;
/// Size of a box.
pub const HEIGHT: f64 = 46.0;
/// Between columns: room for curves and what is written on them.
const GAP_X: f64 = 128.0;
/// Between boxes of a column.
const GAP_Y: f64 = 16.0;
/// Around the drawing.
const MARGIN: f64 = 16.0;
/// Above the boxes, for the headings.
const HEADING: f64 = 34.0;
/// Passes over the ranks; more change nothing that can be seen.
const PASSES: usize = 6;

/// A placed graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// Upper left corner of each node.
    pub places: Vec<(f64, f64)>,
    /// Size of the drawing.
    pub size: (f64, f64),
    /// The ranks that have nodes, with their left edges.
    pub columns: Vec<(Rank, f64)>,
}

/// Places the boxes of `graph`.
pub fn layout(graph: &Graph) -> Layout {
    let mut ranks: Vec<Vec<usize>> = Rank::ALL.iter().map(|rank| nodes_of(graph, *rank)).collect();
    ranks.retain(|nodes| !nodes.is_empty());
    let mut y = vec![0.0; graph.nodes.len()];
    for nodes in &ranks {
        for (at, node) in nodes.iter().enumerate() {
            y[*node] = at as f64 * (HEIGHT + GAP_Y);
        }
    }
    for nodes in &mut ranks {
        if graph.nodes[nodes[0]].rank == Rank::Backend {
            nodes.sort_by(|a, b| middle(graph, &y, *a).total_cmp(&middle(graph, &y, *b)).then(a.cmp(b)));
        }
    }
    for pass in 0..PASSES {
        // From the fullest side to the other and back; the last pass goes leftwards, so that parents end in the middle.
        let order: Vec<usize> =
            if pass % 2 == 0 { (0..ranks.len()).collect() } else { (0..ranks.len()).rev().collect() };
        for rank in order {
            settle(graph, &ranks[rank], &mut y);
        }
    }
    let top = y.iter().copied().fold(f64::INFINITY, f64::min);
    let bottom = y.iter().copied().fold(0.0, f64::max) - if top.is_finite() { top } else { 0.0 };
    let columns: Vec<(Rank, f64)> = ranks
        .iter()
        .enumerate()
        .map(|(at, nodes)| (graph.nodes[nodes[0]].rank, MARGIN + at as f64 * (WIDTH + GAP_X)))
        .collect();
    let left = |rank: Rank| columns.iter().find(|(known, _)| *known == rank).map_or(MARGIN, |(_, x)| *x);
    let places = graph.nodes.iter().zip(&y).map(|(node, y)| (left(node.rank), (MARGIN + HEADING + y - top).round()));
    let width = columns.last().map_or(0.0, |(_, x)| x + WIDTH) + MARGIN;
    Layout {
        places: places.collect(),
        size: (width, (2.0 * MARGIN + HEADING + bottom + HEIGHT).round()),
        columns: columns.clone(),
    }
}

fn nodes_of(graph: &Graph, rank: Rank) -> Vec<usize> {
    (0..graph.nodes.len()).filter(|node| graph.nodes[*node].rank == rank).collect()
}

/// The mean height of what a node is joined with; its own when it is joined with nothing.
fn middle(graph: &Graph, y: &[f64], node: usize) -> f64 {
    let joined = graph.edges.iter().filter_map(|edge| match (edge.from == node, edge.to == node) {
        (true, _) => Some(y[edge.to]),
        (_, true) => Some(y[edge.from]),
        (false, false) => None,
    });
    let (sum, count) = joined.fold((0.0, 0.0), |(sum, count), y| (sum + y, count + 1.0));
    if count > 0.0 { sum / count } else { y[node] }
}

/// Moves the nodes of one rank to where they want to be, as near as their order and the gaps allow: least squares by
/// pooling adjacent violators.
fn settle(graph: &Graph, nodes: &[usize], y: &mut [f64]) {
    let step = HEIGHT + GAP_Y;
    // Blocks of neighbours that touch: sum of what they want (less their place in the rank), and how many they are.
    let mut blocks: Vec<(f64, usize)> = Vec::with_capacity(nodes.len());
    for (at, node) in nodes.iter().enumerate() {
        blocks.push((middle(graph, y, *node) - at as f64 * step, 1));
        while let [.., (above, n), (below, m)] = blocks[..]
            && above / n as f64 > below / m as f64
        {
            blocks.truncate(blocks.len() - 2);
            blocks.push((above + below, n + m));
        }
    }
    let wanted = blocks.iter().flat_map(|(sum, count)| std::iter::repeat_n(sum / *count as f64, *count));
    for ((at, node), base) in nodes.iter().enumerate().zip(wanted) {
        y[*node] = base + at as f64 * step;
    }
}
