//! Why a command did not do what it was asked, with its exit code and what to do next.

use std::path::Path;

use peerage_node::gateway::frontend::rest::refusal::{Exit, Problem, Refused};

/// The end of a command that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", refused.error.message)]
pub struct Failure {
    /// As the node said it, or as it would have.
    pub refused: Refused,
}

impl Failure {
    /// Something went wrong here; the message says what to do.
    pub fn failed(kind: &str, error: impl ToString) -> Self {
        Self::of(Exit::Failed, kind, error)
    }

    /// It is not allowed; the message says what to do.
    pub fn refused(kind: &str, error: impl ToString) -> Self {
        Self::of(Exit::Refused, kind, error)
    }

    fn of(exit: Exit, kind: &str, error: impl ToString) -> Self {
        Self {
            refused: Refused {
                error: Problem {
                    kind: kind.to_owned(),
                    message: error.to_string(),
                    hint: None,
                },
                exit,
            },
        }
    }

    /// No node runs on the home.
    pub fn no_node(home: &Path) -> Self {
        let message = format!("no node runs on {}", home.display());
        let hint = "start one with: peerage up (with the same --home, if you use one)";
        Self {
            refused: Refused::new(Exit::Unreachable, "no_node", message, hint),
        }
    }

    /// The tool itself said that it failed; its content has been printed.
    pub fn tool_error(name: &str) -> Self {
        let message = format!("the tool {name} reported an error");
        let hint = "its answer says what it needs";
        Self {
            refused: Refused::new(Exit::ToolError, "tool_error", message, hint),
        }
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self { refused }
    }
}
