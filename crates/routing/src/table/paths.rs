//! The path index of one host: a radix trie over bytes for `Exact` and `PathPrefix`, lists for the rest.
//!
//! A walk goes down once and remembers the deepest prefix that ended at an element; each prefix knows the next shorter
//! one, so nothing is collected on the way.
//!
//! Host, nodes, edges and candidates are packed into one block of memory, little-endian: with many hosts a look-up costs
//! what it misses in the caches, and the small pieces of one host then lie in a few neighbouring lines.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use super::entry::Candidate;
use crate::ir::{PathMatch, Route};
use crate::matching::prefix_ends_at;
use crate::precedence::normal_prefix;

/// No node.
const NONE: u32 = u32::MAX;

#[derive(Debug)]
pub(crate) struct Paths {
    /// Nodes (the root first; children of a node are side by side), text of the host, text of all edges, candidates
    /// (patterns, methods, everything, then the lists of the nodes; each in order of precedence).
    block: Box<[u8]>,
    nodes: u32,
    host: u32,
    candidates: u32,
    patterns: u32,
    methods: u32,
    everything: u32,
}

#[derive(Debug, Clone, Default)]
struct Node {
    /// Where its text starts among the edges.
    label: u32,
    first_child: u32,
    /// Where this node's exact candidates start; its prefix candidates follow them.
    list: u32,
    exact: u32,
    prefix: u32,
    /// The next shorter prefix above, or [`NONE`].
    shorter: u32,
    label_length: u16,
    children: u16,
}

/// Some candidates, packed.
#[derive(Clone, Copy, Default)]
pub(crate) struct List<'t>(&'t [u8]);

const NODE: usize = 28;
const CANDIDATE: usize = 12;

/// What a walk found.
pub(crate) struct Hit<'t> {
    /// Candidates for exactly this path.
    pub(crate) exact: List<'t>,
    /// The longest prefix; see [`Paths::prefixes`].
    pub(crate) prefix: u32,
}

#[derive(Default)]
struct Lists {
    exact: Vec<Candidate>,
    prefix: Vec<Candidate>,
}

/// Candidates by where they belong, each list in the order given.
#[derive(Default)]
struct Sorted<'r> {
    patterns: Vec<Candidate>,
    methods: Vec<Candidate>,
    everything: Vec<Candidate>,
    by_path: BTreeMap<&'r [u8], Lists>,
}

/// A part of the sorted paths that shares its first `depth` bytes, to be put into `node`.
struct Task {
    node: usize,
    paths: Range<usize>,
    depth: usize,
    shorter: u32,
}

impl Paths {
    /// `candidates` in order of precedence.
    pub(crate) fn new(host: &[u8], candidates: &[Candidate], routes: &[Arc<Route>]) -> Self {
        let sorted = sort(candidates, routes);
        let [patterns, methods, everything] =
            [&sorted.patterns, &sorted.methods, &sorted.everything].map(|list| list.len() as u32);
        let mut builder = Builder::default();
        builder.candidates.extend(sorted.patterns.into_iter().chain(sorted.methods).chain(sorted.everything));
        builder.build(&sorted.by_path.into_iter().collect::<Vec<_>>());
        let nodes = builder.nodes.len() as u32;
        let edges = builder.nodes.len() * NODE + host.len();
        let candidates = (edges + builder.labels.len()) as u32;
        let mut block = Vec::with_capacity(candidates as usize + builder.candidates.len() * CANDIDATE);
        builder.nodes.iter().for_each(|node| block.extend(node.packed(edges as u32)));
        block.extend_from_slice(host);
        block.extend_from_slice(&builder.labels);
        builder.candidates.iter().for_each(|candidate| block.extend(candidate.packed().as_flattened()));
        Self { block: block.into(), nodes, host: host.len() as u32, candidates, patterns, methods, everything }
    }

    /// The host text given to [`Paths::new`].
    pub(crate) fn host(&self) -> &[u8] {
        &self.block[self.nodes as usize * NODE..][..self.host as usize]
    }

    /// Follows `path` down.
    pub(crate) fn walk(&self, path: &[u8]) -> Hit<'_> {
        let mut hit = Hit { exact: List::default(), prefix: NONE };
        let (mut at, mut index) = (0, 0);
        while let Some(node) = self.node(index) {
            if !path[at..].starts_with(self.label(&node)) {
                break;
            }
            at += usize::from(node.label_length);
            if node.prefix > 0 && prefix_ends_at(path, at) {
                hit.prefix = index;
            }
            let Some(&next) = path.get(at) else {
                hit.exact = self.list(node.list, node.exact);
                break;
            };
            index = self.child(&node, next);
        }
        hit
    }

    /// The candidates of the prefix and of all shorter ones, longest first; the prefix `/` is not among them.
    pub(crate) fn prefixes(&self, longest: u32) -> impl Iterator<Item = List<'_>> {
        let mut index = longest;
        std::iter::from_fn(move || {
            let node = self.node(index)?;
            index = node.shorter;
            Some(self.list(node.list + node.exact, node.prefix))
        })
    }

    /// Candidates with a regular expression.
    pub(crate) fn patterns(&self) -> List<'_> {
        self.list(0, self.patterns)
    }

    /// Candidates for a gRPC method of any service.
    pub(crate) fn methods(&self) -> List<'_> {
        self.list(self.patterns, self.methods)
    }

    /// Candidates for every path.
    pub(crate) fn everything(&self) -> List<'_> {
        self.list(self.patterns + self.methods, self.everything)
    }

    fn list(&self, start: u32, length: u32) -> List<'_> {
        let start = self.candidates as usize + start as usize * CANDIDATE;
        List(&self.block[start..start + length as usize * CANDIDATE])
    }

    fn node(&self, index: u32) -> Option<Node> {
        (index < self.nodes).then(|| Node::unpacked(&self.block[index as usize * NODE..]))
    }

    fn label(&self, node: &Node) -> &[u8] {
        &self.block[node.label as usize..][..usize::from(node.label_length)]
    }

    fn child(&self, node: &Node, byte: u8) -> u32 {
        let mut children = node.first_child..node.first_child + u32::from(node.children);
        let starts_with = |index: &u32| {
            let label = word(&self.block, *index as usize * NODE);
            self.block[label as usize] == byte
        };
        children.find(starts_with).unwrap_or(NONE)
    }
}

/// The little-endian word at `at`.
fn word(block: &[u8], at: usize) -> u32 {
    block[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

impl Node {
    /// `edges` is where the text of edges starts in the block.
    fn packed(&self, edges: u32) -> [u8; NODE] {
        let lengths = u32::from(self.label_length) << 16 | u32::from(self.children);
        let label = edges + self.label;
        let words = [label, lengths, self.first_child, self.list, self.exact, self.prefix, self.shorter];
        let mut packed = [0; NODE];
        packed.as_chunks_mut().0.iter_mut().zip(words).for_each(|(bytes, word)| *bytes = word.to_le_bytes());
        packed
    }

    fn unpacked(block: &[u8]) -> Self {
        let lengths = word(block, 4);
        Self {
            label: word(block, 0),
            label_length: (lengths >> 16) as u16,
            children: lengths as u16,
            first_child: word(block, 8),
            list: word(block, 12),
            exact: word(block, 16),
            prefix: word(block, 20),
            shorter: word(block, 24),
        }
    }
}

impl<'t> List<'t> {
    pub(crate) fn iter(self) -> impl Iterator<Item = Candidate> + use<'t> {
        self.0.as_chunks::<CANDIDATE>().0.iter().map(|packed| Candidate::unpacked([0, 4, 8].map(|at| word(packed, at))))
    }
}

fn sort<'r>(candidates: &[Candidate], routes: &'r [Arc<Route>]) -> Sorted<'r> {
    let mut sorted = Sorted::default();
    for &candidate in candidates {
        let list = match candidate.ranked(routes).route_match().map(|m| &m.path) {
            Some(PathMatch::Exact(path)) => &mut sorted.by_path.entry(path.as_bytes()).or_default().exact,
            Some(PathMatch::Regex(_)) => &mut sorted.patterns,
            Some(PathMatch::GrpcMethod(_)) => &mut sorted.methods,
            Some(PathMatch::Prefix(prefix)) => match normal_prefix(prefix) {
                "" => &mut sorted.everything,
                prefix => &mut sorted.by_path.entry(prefix.as_bytes()).or_default().prefix,
            },
            None => &mut sorted.everything,
        };
        list.push(candidate);
    }
    sorted
}

#[derive(Default)]
struct Builder {
    nodes: Vec<Node>,
    labels: Vec<u8>,
    candidates: Vec<Candidate>,
}

impl Builder {
    /// Breadth first, so that children lie side by side and depth costs no stack.
    fn build(&mut self, paths: &[(&[u8], Lists)]) {
        if paths.is_empty() {
            return;
        }
        self.nodes.push(Node::default());
        let mut tasks = VecDeque::from([Task { node: 0, paths: 0..paths.len(), depth: 0, shorter: NONE }]);
        while let Some(task) = tasks.pop_front() {
            self.fill(paths, task, &mut tasks);
        }
    }

    fn fill(&mut self, paths: &[(&[u8], Lists)], task: Task, tasks: &mut VecDeque<Task>) {
        let Task { node, paths: mut range, depth, shorter } = task;
        let (first, last) = (paths[range.start].0, paths[range.end - 1].0);
        let common = first[depth..].iter().zip(&last[depth..]).take_while(|(a, b)| a == b).count();
        // An edge holds at most 65,535 bytes; a longer one goes on in a child.
        let end = depth + common.min(usize::from(u16::MAX));
        let mut filled = Node { shorter, first_child: self.nodes.len() as u32, ..Node::default() };
        filled.label = self.labels.len() as u32;
        filled.label_length = (end - depth) as u16;
        self.labels.extend_from_slice(&first[depth..end]);
        filled.list = self.candidates.len() as u32;
        if first.len() == end {
            let lists = &paths[range.start].1;
            self.candidates.extend(lists.exact.iter().chain(&lists.prefix));
            (filled.exact, filled.prefix) = (lists.exact.len() as u32, lists.prefix.len() as u32);
            range.start += 1;
        }
        for child in paths[range.clone()].chunk_by(|a, b| a.0[end] == b.0[end]) {
            let next = range.start + child.len();
            // `/a` is a shorter prefix of `/a/b`, but not of `/ab`.
            let ends_element = filled.prefix > 0 && child[0].0[end] == b'/';
            let shorter = if ends_element { node as u32 } else { shorter };
            tasks.push_back(Task { node: self.nodes.len(), paths: range.start..next, depth: end, shorter });
            self.nodes.push(Node::default());
            filled.children += 1;
            range.start = next;
        }
        self.nodes[node] = filled;
    }
}
