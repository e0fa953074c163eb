//! How every command prints and ends: one choice of format, one table, one place for colours, and the exit codes.
//!
//! A command makes a [`Report`] and nothing else; whether that becomes a table, JSON or YAML is decided here.

pub mod style;
pub mod table;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Serialize;

pub use style::{Colour, Style};
pub use table::Table;

/// How a result is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Columns and sentences, for people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
}

/// The option that every printing command has.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct OutputArgs {
    /// How the result is printed.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

/// How a command ended. The numbers are part of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// 0: done, and nothing to complain of.
    Fine = 0,
    /// 1: the answer is no: findings, a failed expectation, a difference, a refused request, something that did not work.
    Negative = 1,
    /// 2: wrong use of the command line, or input that cannot be read.
    Usage = 2,
    /// 3: something that had to be asked could not be reached.
    Unreachable = 3,
}

impl Exit {
    /// Every code.
    pub const ALL: [Self; 4] = [Self::Fine, Self::Negative, Self::Usage, Self::Unreachable];

    /// The number.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// What the number means, for the documentation and the manual pages.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Fine => "done, and nothing to complain of",
            Self::Negative => {
                "the answer is no: findings, a failed expectation, a difference, a request that nothing answers, something that did not work"
            }
            Self::Usage => "wrong use of the command line, or input that cannot be read",
            Self::Unreachable => "something that had to be asked could not be reached",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.number().into()
    }
}

/// Why a command gave no answer, with the code it ends with. Its text is the sentence that people read.
pub trait Failure: std::error::Error {
    /// The exit code.
    fn exit(&self) -> Exit;
}

impl<F: Failure + 'static> From<F> for Box<dyn Failure> {
    fn from(failure: F) -> Self {
        Box::new(failure)
    }
}

/// What became of a command.
pub type Outcome = Result<Exit, Box<dyn Failure>>;

/// A result that people and programs read. Programs read its fields, so renaming one is a breaking change.
pub trait Report: Serialize {
    /// The text for people, ending in a newline unless it is empty.
    fn text(&self, style: Style) -> String;
}

/// A result could not be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// Standard output does not take it.
    #[error("cannot write to standard output: {0}")]
    Write(#[from] io::Error),
    /// The result has no JSON.
    #[error("cannot write the result as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The result has no YAML.
    #[error("cannot write the result as YAML: {0}")]
    Yaml(#[from] serde_saphyr::ser::Error),
}

impl Failure for OutputError {
    fn exit(&self) -> Exit {
        Exit::Negative
    }
}

/// The report in a format; ends in a newline unless it is empty.
pub fn render(report: &impl Report, format: Format, style: Style) -> Result<String, OutputError> {
    Ok(match format {
        Format::Table => report.text(style),
        Format::Json => json(report)?,
        Format::Yaml => serde_saphyr::to_string(report)?,
    })
}

/// Any value as indented JSON with a newline.
pub fn json(value: &impl Serialize) -> Result<String, OutputError> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    Ok(text)
}

/// Prints a report to standard output, in colour where that is a terminal.
pub fn print(report: &impl Report, format: Format) -> Result<(), OutputError> {
    write(&render(report, format, Style::of_stdout())?)
}

/// Writes text to standard output. A reader who has seen enough (`| head`) is no error.
pub fn write(text: &str) -> Result<(), OutputError> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Answer {
        name: &'static str,
        routes: Vec<u32>,
    }

    impl Report for Answer {
        fn text(&self, style: Style) -> String {
            let mut table = Table::new(["NAME", "ROUTES"]);
            table.row([style.paint(Colour::Red, self.name), format!("{:?}", self.routes)]);
            table.render(style)
        }
    }

    #[test]
    fn one_report_is_printed_in_every_format() {
        let answer = Answer { name: "a", routes: vec![1, 2] };
        let text = |format| render(&answer, format, Style::PLAIN).unwrap();
        assert_eq!(text(Format::Table), "NAME  ROUTES\na     [1, 2]\n");
        assert_eq!(text(Format::Json), "{\n  \"name\": \"a\",\n  \"routes\": [\n    1,\n    2\n  ]\n}\n");
        assert_eq!(text(Format::Yaml), "name: a\nroutes:\n- 1\n- 2\n");
    }

    #[test]
    fn the_numbers_are_those_of_the_documentation() {
        assert_eq!(Exit::ALL.map(Exit::number), [0, 1, 2, 3]);
    }
}
