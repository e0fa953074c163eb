//! The path index of one host: a radix trie over bytes for `Exact` and `PathPrefix`, lists for the rest.
//!
//! A walk goes down once and remembers the deepest prefix that ended at an element; each prefix knows the next shorter
//! one, so nothing is collected on the way.

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
    /// The root first; children of a node are side by side.
    nodes: Box<[Node]>,
    /// Text of all edges.
    labels: Box<[u8]>,
    /// Patterns, methods, everything, then the lists of the nodes; each in order of precedence.
    candidates: Box<[Candidate]>,
    patterns: u32,
    methods: u32,
    everything: u32,
}

#[derive(Debug, Clone, Default)]
struct Node {
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

/// What a walk found.
pub(crate) struct Hit<'t> {
    /// Candidates for exactly this path.
    pub(crate) exact: &'t [Candidate],
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
    pub(crate) fn new(candidates: &[Candidate], routes: &[Arc<Route>]) -> Self {
        let sorted = sort(candidates, routes);
        let [patterns, methods, everything] =
            [&sorted.patterns, &sorted.methods, &sorted.everything].map(|l| l.len() as u32);
        let mut builder = Builder::default();
        builder.candidates.extend(sorted.patterns.into_iter().chain(sorted.methods).chain(sorted.everything));
        builder.build(&sorted.by_path.into_iter().collect::<Vec<_>>());
        let Builder { nodes, labels, candidates } = builder;
        Self {
            nodes: nodes.into(),
            labels: labels.into(),
            candidates: candidates.into(),
            patterns,
            methods,
            everything,
        }
    }

    /// Follows `path` down.
    pub(crate) fn walk(&self, path: &[u8]) -> Hit<'_> {
        let mut hit = Hit { exact: &[], prefix: NONE };
        let (mut at, mut index) = (0, 0);
        while let Some(node) = self.nodes.get(index as usize) {
            if !path[at..].starts_with(self.label(node)) {
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
            index = self.child(node, next);
        }
        hit
    }

    /// The candidates of the prefix and of all shorter ones, longest first; the prefix `/` is not among them.
    pub(crate) fn prefixes(&self, longest: u32) -> impl Iterator<Item = &[Candidate]> {
        let mut index = longest;
        std::iter::from_fn(move || {
            let node = self.nodes.get(index as usize)?;
            index = node.shorter;
            Some(self.list(node.list + node.exact, node.prefix))
        })
    }

    /// Candidates with a regular expression.
    pub(crate) fn patterns(&self) -> &[Candidate] {
        self.list(0, self.patterns)
    }

    /// Candidates for a gRPC method of any service.
    pub(crate) fn methods(&self) -> &[Candidate] {
        self.list(self.patterns, self.methods)
    }

    /// Candidates for every path.
    pub(crate) fn everything(&self) -> &[Candidate] {
        self.list(self.patterns + self.methods, self.everything)
    }

    fn list(&self, start: u32, length: u32) -> &[Candidate] {
        &self.candidates[start as usize..(start + length) as usize]
    }

    fn label(&self, node: &Node) -> &[u8] {
        &self.labels[node.label as usize..][..usize::from(node.label_length)]
    }

    fn child(&self, node: &Node, byte: u8) -> u32 {
        let children = node.first_child..node.first_child + u32::from(node.children);
        children.into_iter().find(|&i| self.labels[self.nodes[i as usize].label as usize] == byte).unwrap_or(NONE)
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
