//! Colours: which there are, and when they are used. Nowhere else is an escape sequence written.

use std::io::{self, IsTerminal as _};

/// What a colour is for is decided by who uses it; red and yellow are for errors and warnings, green for what is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Errors, what is lost.
    Red,
    /// What is well, what is new.
    Green,
    /// Warnings.
    Yellow,
    /// Names of objects.
    Cyan,
    /// What is beside the point.
    Dim,
    /// Headings.
    Bold,
}

/// Whether text may be coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    colour: bool,
}

impl Style {
    /// No colours.
    pub const PLAIN: Self = Self { colour: false };
    /// Colours, wherever it goes.
    pub const COLOURED: Self = Self { colour: true };

    /// Colours when standard output is a terminal and `NO_COLOR` (no-color.org) is not set.
    pub fn of_stdout() -> Self {
        Self::of(io::stdout().is_terminal())
    }

    /// [`Style::of_stdout`] for standard error.
    pub fn of_stderr() -> Self {
        Self::of(io::stderr().is_terminal())
    }

    fn of(terminal: bool) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { colour: terminal && !refused && !dumb }
    }

    /// What empties a terminal and begins again at its top (ECMA-48 CUP, ED).
    pub fn clear(self) -> &'static str {
        if self.colour { "\u{1b}[H\u{1b}[2J" } else { "" }
    }

    /// The text in a colour (ECMA-48 SGR).
    pub fn paint(self, colour: Colour, text: impl AsRef<str>) -> String {
        let text = text.as_ref();
        if !self.colour || text.is_empty() {
            return text.to_owned();
        }
        let code = match colour {
            Colour::Red => 31,
            Colour::Green => 32,
            Colour::Yellow => 33,
            Colour::Cyan => 36,
            Colour::Dim => 2,
            Colour::Bold => 1,
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// How many columns a text takes on a terminal: colours take none, and every character is taken for one column wide.
pub(super) fn width(text: &str) -> usize {
    let mut columns = 0;
    let mut escaped = false;
    for character in text.chars() {
        match (escaped, character) {
            (false, '\u{1b}') => escaped = true,
            (true, 'm') => escaped = false,
            (true, _) => {}
            (false, _) => columns += 1,
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_take_no_room_and_plain_text_has_none() {
        let painted = Style::COLOURED.paint(Colour::Red, "ab");
        assert_eq!((painted.as_str(), width(&painted)), ("\u{1b}[31mab\u{1b}[0m", 2));
        assert_eq!(Style::PLAIN.paint(Colour::Red, "ab"), "ab");
        assert_eq!(Style::COLOURED.paint(Colour::Red, ""), "");
    }
}
