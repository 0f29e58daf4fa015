//! A wrong command line, told to programs: what clap writes for people, as one JSON object.

use std::ffi::OsString;

use clap::error::ErrorKind;
use peerage_node::gateway::frontend::rest::refusal::Problem;
use serde::Serialize;

use crate::render::one_line;

/// What the command exits with.
pub const USAGE_EXIT: u8 = 2;

/// A wrong command line, in the shape of every other failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Usage {
    error: Problem,
    exit: u8,
}

/// Whether programs read what comes of these arguments. What follows `--` belongs to the served command.
pub fn asks_for_json(given: &[OsString]) -> bool {
    given
        .iter()
        .take_while(|argument| *argument != "--")
        .any(|argument| argument == "--json")
}

impl From<&clap::Error> for Usage {
    fn from(error: &clap::Error) -> Self {
        let text = error.to_string();
        let (message, rest) = match error.kind() {
            // Clap shows the whole help then, and says nowhere what is wrong; or names all commands, hidden ones too.
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
                ("a command is missing", usage_alone(&text))
            }
            _ => text.split_once("\n\n").unwrap_or((&text, "")),
        };
        let message = one_line(message);
        let message = message.strip_prefix("error: ").unwrap_or(&message);
        Self {
            error: Problem {
                kind: "usage".to_owned(),
                message: message.to_owned(),
                hint: Some(hint(rest)),
            },
            exit: USAGE_EXIT,
        }
    }
}

fn usage_alone(help: &str) -> &str {
    let usage = help
        .split("\n\n")
        .find(|paragraph| paragraph.starts_with("Usage:"));
    usage.unwrap_or_default()
}

/// Clap's tips, the usage, and where to read more, in the order in which clap gives them.
fn hint(rest: &str) -> String {
    let parts: Vec<String> = rest
        .split("\n\n")
        .map(|paragraph| match paragraph.starts_with("Usage:") {
            true => paragraph
                .lines()
                .map(one_line)
                .collect::<Vec<_>>()
                .join(" or "),
            false => one_line(paragraph),
        })
        .filter(|part| !part.is_empty())
        .collect();
    match parts.is_empty() {
        true => "see: peerage --help".to_owned(),
        false => parts.join("; "),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::arguments::Arguments;

    fn given(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    fn told(line: &str) -> String {
        let error = Arguments::read(&given(line)).unwrap_err();
        crate::render::json(&Usage::from(&error)).unwrap()
    }

    #[test]
    fn programs_read_what_is_wrong_and_what_to_do() {
        let lines = [
            "peerage --json",
            "peerage --json token",
            "peerage --json tolls",
            "peerage serve fs --json",
            "peerage invite --json --ttl soon",
            "peerage --json call t k=v k=w",
        ];
        let told: String = lines.map(told).concat();
        insta::assert_snapshot!(told);
    }

    #[test]
    fn line_breaks_and_escape_sequences_do_not_reach_the_message() {
        let error = Arguments::read(&["peerage".into(), "a\u{1b}[2J\nb".into()]).unwrap_err();
        let message = Usage::from(&error).error.message;
        assert!(!message.contains(char::is_control), "{message:?}");
    }

    #[test]
    fn json_for_the_served_command_is_not_for_us() {
        assert!(asks_for_json(&given("peerage serve fs --json -- npx")));
        assert!(!asks_for_json(&given("peerage serve fs -- npx --json")));
    }
}
