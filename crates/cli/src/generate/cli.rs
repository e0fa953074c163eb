//! `docs/cli.md`: every command with its options, from the same definitions that read the command line.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, Command};

use crate::args::command;
use crate::output::Exit;

/// The whole page.
pub(super) fn page() -> String {
    let mut text = include_str!("cli.md").to_owned();
    text.push_str("| Exit code | Meaning |\n| --- | --- |\n");
    // Writing to a String cannot fail.
    for exit in Exit::ALL {
        let _ = writeln!(text, "| {} | {} |", exit.number(), exit.meaning());
    }
    let mut whole = command();
    whole.build();
    for command in whole.get_subcommands() {
        section(command, "bailey", &mut text);
    }
    text.push('\n');
    text.push_str(include_str!("tests.md"));
    text
}

fn section(command: &Command, above: &str, text: &mut String) {
    if command.get_name() == "help" {
        return;
    }
    let name = format!("{above} {}", command.get_name());
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(text, "\n## `{name}`\n\n{about}.");
    let arguments: Vec<&Arg> = command.get_arguments().filter(|one| !is_common(one)).collect();
    if !arguments.is_empty() {
        text.push_str("\n| | Default | |\n| --- | --- | --- |\n");
    }
    for argument in arguments {
        let _ = writeln!(text, "| {} | {} | {} |", written(argument), default(argument), help(argument));
    }
    for inner in command.get_subcommands() {
        section(inner, &name, text);
    }
}

/// Those that clap adds to every command.
fn is_common(argument: &Arg) -> bool {
    ["help", "version"].contains(&argument.get_id().as_str())
}

/// `-o`, `--output FORMAT`, or the name of what stands alone.
fn written(argument: &Arg) -> String {
    let value = argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    let value = value.unwrap_or_else(|| argument.get_id().to_string().to_uppercase()).replace('|', "\\|");
    let takes = matches!(argument.get_action(), ArgAction::Set | ArgAction::Append);
    let long =
        argument.get_long().map(|long| if takes { format!("`--{long} {value}`") } else { format!("`--{long}`") });
    let short = argument.get_short().map(|short| format!("`-{short}`"));
    let names: Vec<String> = short.into_iter().chain(long).collect();
    if names.is_empty() { format!("`{value}`") } else { names.join(", ") }
}

fn default(argument: &Arg) -> String {
    let defaults: Vec<_> = argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    let takes = matches!(argument.get_action(), ArgAction::Set | ArgAction::Append);
    let default = if takes && !defaults.is_empty() { format!("`{}`", defaults.join(" ")) } else { String::new() };
    let variable = argument.get_env().map(|name| format!("`${}`", name.to_string_lossy()));
    [Some(default), variable].into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

fn help(argument: &Arg) -> String {
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let values: Vec<String> = argument
        .get_possible_values()
        .iter()
        .filter(|_| matches!(argument.get_action(), ArgAction::Set | ArgAction::Append))
        .map(|value| {
            let meaning = value.get_help().map(|help| format!(" ({help})")).unwrap_or_default();
            format!("`{}`{meaning}", value.get_name())
        })
        .collect();
    let values = if values.is_empty() { String::new() } else { format!(": {}", values.join(", ")) };
    format!("{help}{values}").replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_command_option_and_exit_code_is_on_the_page() {
        fn walk(command: &clap::Command, page: &str) {
            for inner in command.get_subcommands().filter(|one| one.get_name() != "help") {
                assert!(page.contains(&format!("{}`\n", inner.get_name())), "{}", inner.get_name());
                for long in inner
                    .get_arguments()
                    .filter_map(clap::Arg::get_long)
                    .filter(|long| !["help", "version"].contains(long))
                {
                    assert!(page.contains(&format!("`--{long}")), "--{long} of {}", inner.get_name());
                }
                walk(inner, page);
            }
        }
        let page = super::page();
        walk(&crate::args::command(), &page);
        assert!((0..=3).all(|code| page.contains(&format!("\n| {code} | "))));
        assert!(page.lines().all(|line| !line.ends_with(' ')), "no blanks at the ends of lines");
    }
}
