//! The topology as a drawing: four ranks (what faces clients, inner tiers, routes, backends) and the edges between them.
//!
//! Pure, and of no use of a page in particular: `bailey translate --to svg` draws with it too. [`of`] makes the graph of
//! route tables, [`layout`] places it, [`svg`] writes it.

pub mod layout;
pub mod of;
pub mod svg;

#[cfg(test)]
mod tests;

/// The columns of the drawing, from left to right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    /// Outer tiers and Gateways: what clients connect to.
    Front,
    /// Inner tiers, one for each tenant.
    Inner,
    /// Routes.
    Route,
    /// What routes send to.
    Backend,
}

impl Rank {
    /// All, from left to right.
    pub const ALL: [Self; 4] = [Self::Front, Self::Inner, Self::Route, Self::Backend];

    /// The heading of the column.
    pub fn title(self) -> &'static str {
        match self {
            Self::Front => "Clients connect to",
            Self::Inner => "Inner tiers",
            Self::Route => "Routes",
            Self::Backend => "Backends",
        }
    }

    /// The word for its style.
    pub fn word(self) -> &'static str {
        match self {
            Self::Front => "front",
            Self::Inner => "inner",
            Self::Route => "route",
            Self::Backend => "backend",
        }
    }
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// As it should be.
    Fine,
    /// It works in part, or on purpose not at all.
    Warning,
    /// It answers with errors.
    Broken,
}

/// One box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its column.
    pub rank: Rank,
    /// Its name.
    pub title: String,
    /// What else there is to say in a few words.
    pub subtitle: String,
    /// How it is.
    pub state: State,
    /// A query that selects it, such as `tenant=team-a`; empty: it cannot be selected.
    pub select: String,
}

/// A line between two boxes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Index of the node it comes from.
    pub from: usize,
    /// Index of the node it goes to.
    pub to: usize,
    /// A few words on it, such as a share; mostly empty.
    pub label: String,
    /// Names what flows here, for whoever shows rates; empty: nothing is known of it.
    pub flow: String,
}

/// Boxes and lines, in the order in which they are drawn: nodes of one rank from the top down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    /// The boxes.
    pub nodes: Vec<Node>,
    /// The lines; each goes to a later rank.
    pub edges: Vec<Edge>,
}

impl Graph {
    /// Adds a box and gives its index.
    pub fn node(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }
}
