//! Where output goes, and how it may look there.

use std::io::{self, IsTerminal, Write};

use peerage_node::config::environment::Environment;

use crate::failure::Failure;

/// How output may look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Columns; `None` when nobody sees them.
    pub width: Option<u16>,
    /// Whether colours are wanted.
    pub colour: bool,
    /// Whether a person looks at it, so that control characters of others must not reach the screen.
    pub screen: bool,
}

impl View {
    /// Of standard output.
    pub fn of_stdout(environment: &dyn Environment) -> Self {
        let screen = io::stdout().is_terminal();
        Self {
            width: comfy_table::Table::new().width().filter(|_| screen),
            colour: screen && wants_colour(environment),
            screen,
        }
    }

    /// Of standard error.
    pub fn of_stderr(environment: &dyn Environment) -> Self {
        let screen = io::stderr().is_terminal();
        Self {
            width: None,
            colour: screen && wants_colour(environment),
            screen,
        }
    }
}

/// <https://no-color.org>: any value but the empty one turns colours off.
fn wants_colour(environment: &dyn Environment) -> bool {
    let off = environment
        .variable("NO_COLOR")
        .is_some_and(|value| !value.is_empty());
    let dumb = environment
        .variable("TERM")
        .is_some_and(|terminal| terminal == "dumb");
    !off && !dumb
}

/// Writes to standard output. A reader that has gone away has seen enough.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::failed(
            "stdout",
            format!("cannot write the output: {error}; check where it is redirected to"),
        )),
        _ => Ok(()),
    }
}

/// Writes to standard error, for people; nothing can be done when that fails.
pub fn note(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn no_color_and_dumb_terminals_are_respected() {
        let with = |name: &str, value: &str| {
            wants_colour(&BTreeMap::from([(name.to_owned(), value.to_owned())]))
        };
        assert!(!with("NO_COLOR", "1"));
        assert!(with("NO_COLOR", ""));
        assert!(!with("TERM", "dumb"));
        assert!(with("TERM", "xterm"));
    }
}
