//! Lines that belong to each other, drawn as a tree.

/// A line and what is below it.
#[derive(Debug, Default)]
pub(super) struct Tree {
    line: String,
    below: Vec<Tree>,
}

impl Tree {
    pub(super) fn new(line: impl Into<String>) -> Self {
        Self { line: line.into(), below: Vec::new() }
    }

    /// One more line below.
    pub(super) fn add(&mut self, line: impl Into<String>) {
        self.put(Self::new(line));
    }

    /// A whole branch.
    pub(super) fn put(&mut self, branch: Self) {
        self.below.push(branch);
    }

    /// There is nothing below.
    pub(super) fn is_bare(&self) -> bool {
        self.below.is_empty()
    }

    /// All lines.
    pub(super) fn draw(&self) -> String {
        let mut text = format!("{}\n", self.line);
        self.branches("", &mut text);
        text
    }

    fn branches(&self, indent: &str, text: &mut String) {
        for (at, branch) in self.below.iter().enumerate() {
            let last = at + 1 == self.below.len();
            text.extend([indent, if last { "└ " } else { "├ " }, &branch.line, "\n"]);
            branch.branches(&format!("{indent}{}", if last { "  " } else { "│ " }), text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_are_joined_to_where_they_belong() {
        let (mut tree, mut branch) = (Tree::new("top"), Tree::new("one"));
        branch.add("deep");
        tree.put(branch);
        tree.add("two");
        assert_eq!(tree.draw(), "top\n├ one\n│ └ deep\n└ two\n");
    }
}
