//! The drawing against a golden file, and what must hold of every layout.

use proptest::prelude::*;

use super::layout::{HEIGHT, WIDTH, layout};
use super::svg::{Use, cut, draw, file};
use super::*;

fn node(rank: Rank, title: &str, state: State) -> Node {
    let select = format!("{}={title}", rank.word());
    Node { rank, title: title.to_owned(), subtitle: format!("{} {title}", rank.word()), state, select }
}

fn sample() -> Graph {
    let mut graph = Graph::default();
    let outer = graph.node(node(Rank::Front, "main", State::Fine));
    let a = graph.node(node(Rank::Inner, "team-a", State::Fine));
    let b = graph.node(node(Rank::Inner, "team-b", State::Warning));
    let shop = graph.node(node(Rank::Route, "team-a/shop", State::Fine));
    let preview = graph.node(node(Rank::Route, "team-a/previews", State::Fine));
    let blog = graph.node(node(Rank::Route, "team-b/<script>alert(1)</script>", State::Broken));
    let v1 = graph.node(node(Rank::Backend, "storefront-v1:80", State::Fine));
    let v2 = graph.node(node(Rank::Backend, "storefront-v2:80", State::Broken));
    let edge = |from, to, label: &str, flow: &str| Edge { from, to, label: label.to_owned(), flow: flow.to_owned() };
    graph.edges = vec![
        edge(outer, a, "", "tenant:team-a"),
        edge(outer, b, "", "tenant:team-b"),
        edge(a, shop, "", "route:HTTPRoute/team-a/shop"),
        edge(a, preview, "", ""),
        edge(b, blog, "", ""),
        edge(shop, v1, "75 %", ""),
        edge(shop, v2, "25 %", ""),
        edge(preview, v2, "", ""),
    ];
    graph
}

/// `BAILEY_GOLDEN=write` writes it anew; look at the difference.
#[test]
fn the_drawing_is_the_golden_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/page/graph/sample.svg");
    let drawn = file(&sample()).replace("><", ">\n<");
    if std::env::var_os("BAILEY_GOLDEN").is_some() {
        std::fs::write(path, &drawn).unwrap();
    }
    assert_eq!(drawn, std::fs::read_to_string(path).unwrap(), "write it anew with BAILEY_GOLDEN=write and look at it");
}

#[test]
fn names_cannot_become_markup() {
    let drawn = file(&sample());
    assert!(drawn.contains("&lt;script&gt;") && !drawn.contains("<script"), "{drawn}");
    let hostile = Graph {
        nodes: vec![Node {
            select: "route=\"><script>".to_owned(),
            ..node(Rank::Route, "\"'><b\u{202e}x", State::Fine)
        }],
        edges: Vec::new(),
    };
    let page = draw(&hostile, &layout(&hostile), Use { link: Some("/"), selected: "", live: true }).into_string();
    assert!(!page.contains("<script") && !page.contains("<b"), "{page}");
}

#[test]
fn long_names_are_cut_and_direction_is_kept() {
    assert_eq!(cut("short", 5), "short");
    assert_eq!(cut("much-too-long", 5), "much…");
    assert_eq!(cut("\u{202e}abc\u{0}", 5), "abc");
    assert_eq!(cut("日本語です", 5), "日本…");
}

#[test]
fn an_empty_graph_is_drawn() {
    assert!(file(&Graph::default()).contains("<svg"));
}

fn graphs() -> impl Strategy<Value = Graph> {
    let counts = (1..4_usize, 0..6_usize, 0..12_usize, 0..12_usize);
    (counts, proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..40)).prop_map(
        |((fronts, inners, routes, backends), pairs)| {
            let mut graph = Graph::default();
            for (rank, count) in Rank::ALL.into_iter().zip([fronts, inners, routes, backends]) {
                for n in 0..count {
                    graph.node(node(rank, &format!("{n}"), State::Fine));
                }
            }
            for (a, b) in pairs {
                let (a, b) = (a.index(graph.nodes.len()), b.index(graph.nodes.len()));
                if graph.nodes[a].rank < graph.nodes[b].rank {
                    graph.edges.push(Edge { from: a, to: b, label: String::new(), flow: String::new() });
                }
            }
            graph
        },
    )
}

proptest! {
    #[test]
    fn no_box_covers_another_and_all_are_within_the_drawing(graph in graphs()) {
        let placed = layout(&graph);
        for (i, (x, y)) in placed.places.iter().enumerate() {
            prop_assert!(*x >= 0.0 && *y >= 0.0 && x + WIDTH <= placed.size.0 && y + HEIGHT <= placed.size.1);
            for (other_x, other_y) in &placed.places[i + 1..] {
                prop_assert!((x - other_x).abs() >= WIDTH || (y - other_y).abs() >= HEIGHT, "{placed:?}");
            }
        }
        prop_assert_eq!(layout(&graph), placed);
    }
}
