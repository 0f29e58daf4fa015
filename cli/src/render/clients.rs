//! `connect` and `disconnect`: the exact change, and what is next.

use serde::Serialize;
use similar::TextDiff;

use super::one_line;
use super::table::{cell, state, table};
use crate::terminal::View;

/// A client, and whether it knows this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClientState {
    /// Its name on the command line.
    pub client: String,
    /// Whether its configuration has this node.
    pub state: &'static str,
    /// Its configuration.
    pub path: String,
}

/// What came of a change to a client's configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The client.
    pub client: String,
    /// The name of the server in its configuration.
    pub entry: &'static str,
    /// Its configuration.
    pub path: String,
    /// Whether there is anything to change.
    pub changed: bool,
    /// Whether it was written.
    pub written: bool,
    /// Where the file is kept as it was.
    pub backup: Option<String>,
    /// The change, as a unified diff.
    pub diff: String,
    /// The command that applies the change.
    #[serde(skip)]
    pub apply_with: String,
    /// What makes the client see it.
    pub next: String,
}

/// What `peerage connect CLIENT` says.
pub fn changed(outcome: &Outcome, view: View) -> String {
    let path = one_line(&outcome.path);
    if !outcome.changed {
        return format!("Nothing to do: {path} is as it should be.\n");
    }
    if !outcome.written {
        let diff = coloured(&outcome.diff, view);
        return format!(
            "{path} would change like this:\n\n{diff}\nNothing is written yet. Apply it with: {}\n",
            outcome.apply_with
        );
    }
    let kept = match &outcome.backup {
        Some(backup) => format!("As it was: {}\n", one_line(backup)),
        None => String::new(),
    };
    format!("Changed {path}.\n{kept}{}\n", outcome.next)
}

/// What `peerage connect` says.
pub fn clients(states: &[ClientState], view: View) -> String {
    let rows = states
        .iter()
        .map(|known| vec![cell(&known.client), state(known.state), cell(&known.path)]);
    let table = table(view, &["CLIENT", "STATE", "FILE"], rows.collect());
    format!("{table}\nSee what would change with: peerage connect CLIENT\n")
}

/// The lines that differ, with three around them.
pub fn unified_diff(before: &str, after: &str) -> String {
    let diff = TextDiff::from_lines(before, after);
    diff.unified_diff().context_radius(3).to_string()
}

fn coloured(unified: &str, view: View) -> String {
    let line = |line: &str| {
        let code = match line.as_bytes().first() {
            Some(b'+') => "32",
            Some(b'-') => "31",
            Some(b'@') => "36",
            _ => "0",
        };
        // Control characters of others must not reach the screen; tabs are part of the text.
        let visible = |c: char| if c.is_control() && c != '\t' { ' ' } else { c };
        let text: String = line.chars().map(visible).collect();
        match view.colour {
            true => format!("\u{1b}[{code}m{text}\u{1b}[0m\n"),
            false => format!("{text}\n"),
        }
    };
    unified.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome() -> Outcome {
        Outcome {
            client: "cursor".to_owned(),
            entry: "peerage",
            path: "/h/.cursor/mcp.json".to_owned(),
            changed: true,
            written: false,
            backup: None,
            diff: unified_diff(
                "{\n  \"mcpServers\": {}\n}\n",
                "{\n  \"mcpServers\": {\n    \"peerage\": {}\n  }\n}\n",
            ),
            apply_with: "peerage connect cursor --write".to_owned(),
            next: "Restart it.".to_owned(),
        }
    }

    #[test]
    fn a_change_is_shown_line_by_line_with_the_command_that_applies_it() {
        insta::assert_snapshot!(changed(&outcome(), View::default()));
    }

    #[test]
    fn a_written_change_says_where_the_file_is_as_it_was() {
        let written = Outcome {
            written: true,
            backup: Some("/h/.cursor/mcp.json.before-peerage".to_owned()),
            ..outcome()
        };
        insta::assert_snapshot!(changed(&written, View::default()));
    }

    #[test]
    fn nothing_to_change_is_said_so() {
        let same = Outcome {
            changed: false,
            ..outcome()
        };
        assert!(changed(&same, View::default()).starts_with("Nothing to do"));
    }

    #[test]
    fn colours_stand_only_where_they_are_wanted() {
        let coloured = View {
            colour: true,
            ..View::default()
        };
        assert!(changed(&outcome(), coloured).contains("\u{1b}[32m+"));
        assert!(!changed(&outcome(), View::default()).contains('\u{1b}'));
    }
}
