//! Why a command did not do what it was asked, with its exit code and what to do next.

use std::path::Path;
use std::time::Duration;

use peerage_node::gateway::frontend::rest::refusal::{Exit, Problem, Refused};

use peerage_node::home::HomeError;

use crate::client::ClientError;

/// The kind of the failure that no node runs.
const NO_NODE: &str = "no_node";
/// The kind of the failure that the node went away while it was asked.
pub(crate) const CONNECTION_LOST: &str = "connection_lost";

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

    /// Whoever decides cannot be reached; the message names it.
    pub fn unreachable(kind: &str, error: impl ToString) -> Self {
        Self::of(Exit::Unreachable, kind, error)
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
            refused: Refused::new(Exit::Unreachable, NO_NODE, message, hint),
        }
    }

    /// Whether no node runs on the home, as opposed to one that runs but cannot do what it is asked.
    pub fn is_no_node(&self) -> bool {
        self.refused.error.kind == NO_NODE
    }

    /// Whether the agent has no token, so that none can be revoked.
    pub(crate) fn is_unknown_token(&self) -> bool {
        self.refused.error.kind == "unknown_token"
    }

    /// Whether nobody answers, which may pass: no node runs, or one that starts or stops.
    pub(crate) fn is_unreachable(&self) -> bool {
        self.refused.exit == Exit::Unreachable || self.refused.error.kind == CONNECTION_LOST
    }

    /// Whether the node broke off in the middle, as one does that is starting in vain or stopping.
    pub fn is_lost_connection(&self) -> bool {
        self.refused.error.kind == CONNECTION_LOST
    }

    /// The node on the home took the connection, but said nothing.
    pub fn silent_node(home: &Path, patience: Duration) -> Self {
        let message = format!(
            "the node on {} did not answer within {patience:?}; it may still do what it was asked",
            home.display()
        );
        let hint = "see whether it answers with: peerage status; if it does not, stop it and start it again with: peerage up";
        Self {
            refused: Refused::new(Exit::Unreachable, "no_answer", message, hint),
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

impl From<HomeError> for Failure {
    fn from(error: HomeError) -> Self {
        Self::failed("home", error)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Node(failure) => failure,
            ClientError::Away { .. } => Self::of(Exit::Unreachable, error.kind(), error),
            error => Self::of(Exit::Failed, error.kind(), error),
        }
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self { refused }
    }
}
