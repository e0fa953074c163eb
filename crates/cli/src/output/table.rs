//! Columns of text.

use super::style::{Colour, Style, width};

/// Rows under headings. Two blanks stand between columns, none at the end of a line.
#[derive(Clone, Debug)]
pub struct Table {
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings, in capitals by custom.
    pub fn new<const N: usize>(headings: [&str; N]) -> Self {
        Self { headings: headings.map(str::to_owned).into(), rows: Vec::new() }
    }

    /// Adds a row, a cell for each heading.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        debug_assert_eq!(N, self.headings.len(), "a cell for each heading");
        self.rows.push(cells.into());
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The text of it; nothing when there are no rows.
    pub fn render(&self, style: Style) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let widest = |column: usize| {
            let cells = self.rows.iter().chain([&self.headings]).filter_map(|row| row.get(column));
            cells.map(|cell| width(cell)).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..self.headings.len()).map(widest).collect();
        let headings: Vec<String> = self.headings.iter().map(|text| style.paint(Colour::Bold, text)).collect();
        let mut text = String::new();
        for row in [&headings].into_iter().chain(&self.rows) {
            let mut missing = 0;
            for (cell, widest) in row.iter().zip(&widths) {
                text.extend(std::iter::repeat_n(' ', if cell.is_empty() { 0 } else { missing }));
                missing = if cell.is_empty() { missing } else { 0 } + widest + 2 - width(cell);
                text.push_str(cell);
            }
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_lines_end_without_blanks() {
        let mut table = Table::new(["A", "LONG", "C"]);
        table.row(["é".into(), String::new(), "x".into()]);
        table.row([Style::COLOURED.paint(Colour::Green, "wide"), "y".into(), String::new()]);
        assert_eq!(table.render(Style::PLAIN), "A     LONG  C\né           x\n\u{1b}[32mwide\u{1b}[0m  y\n");
        assert_eq!(Table::new(["A"]).render(Style::PLAIN), "");
    }
}
