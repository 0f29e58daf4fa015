//! How the control API says no, and the exit code that the command line makes of it.

use serde::{Deserialize, Serialize};

use crate::gateway::call::CallError;

/// The body of every answer that is not a success: `{"error": {"kind", "message", "hint"}, "exit": 1}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// What went wrong.
    pub error: Problem,
    /// What the command line exits with.
    pub exit: Exit,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A stable name, for programs.
    pub kind: String,
    /// For people, without secrets.
    pub message: String,
    /// What to do, when the message does not say so itself.
    pub hint: Option<String>,
}

/// The exit codes of the command line that a node can cause; 0 is done and 2 is a wrong command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Exit {
    /// It did not work.
    Failed = 1,
    /// It is not allowed.
    Refused = 3,
    /// The node or the peer cannot be reached.
    Unreachable = 4,
    /// The tool itself reported an error.
    ToolError = 5,
}

impl From<Exit> for u8 {
    fn from(exit: Exit) -> u8 {
        exit as u8
    }
}

impl TryFrom<u8> for Exit {
    type Error = UnknownExit;

    fn try_from(code: u8) -> Result<Self, UnknownExit> {
        match code {
            1 => Ok(Exit::Failed),
            3 => Ok(Exit::Refused),
            4 => Ok(Exit::Unreachable),
            5 => Ok(Exit::ToolError),
            code => Err(UnknownExit { code }),
        }
    }
}

/// A code outside [`Exit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code} is not an exit code of a refusal")]
pub struct UnknownExit {
    /// As found.
    pub code: u8,
}

impl Refused {
    /// A refusal with something to do about it.
    pub fn new(exit: Exit, kind: &str, message: impl Into<String>, hint: &str) -> Self {
        Self {
            error: Problem {
                kind: kind.to_owned(),
                message: message.into(),
                hint: Some(hint.to_owned()),
            },
            exit,
        }
    }
}

impl Refused {
    /// A refusal whose message says what to do.
    pub fn plain(exit: Exit, kind: &str, message: impl Into<String>) -> Self {
        Self {
            error: Problem {
                kind: kind.to_owned(),
                message: message.into(),
                hint: None,
            },
            exit,
        }
    }
}

impl From<&CallError> for Refused {
    fn from(error: &CallError) -> Self {
        let (exit, hint) = match error {
            CallError::UnknownTool { .. }
            | CallError::UnknownPrompt { .. }
            | CallError::UnknownResource { .. } => {
                (Exit::Failed, "list the tools with: peerage tools")
            }
            CallError::AmbiguousTool { .. } => (Exit::Failed, "call it by one of these names"),
            CallError::UnknownMethod { .. } => {
                (Exit::Failed, "use the same version of peerage at both ends")
            }
            CallError::InvalidParams { .. } => (Exit::Failed, "correct the arguments"),
            CallError::UpstreamDown { .. } => (Exit::Failed, "see why with: peerage status"),
            CallError::PeerUnreachable { .. } => {
                (Exit::Unreachable, "see who is there with: peerage nodes")
            }
            CallError::Busy { .. } => (Exit::Failed, "try again in a moment"),
            CallError::DeadlineExceeded { .. } => (Exit::Failed, "allow more with --timeout"),
            CallError::Loop => (
                Exit::Failed,
                "remove the server that leads back with: peerage unserve NAME",
            ),
            CallError::TooLarge { .. } => (Exit::Failed, "send or ask for less at once"),
        };
        Self::new(exit, error.kind(), error.to_string(), hint)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_refusal_reads_as_the_contract_says() {
        let refused = Refused::new(
            Exit::Refused,
            "in_a_mesh",
            "this node has a mesh",
            "leave it",
        );
        assert_eq!(
            serde_json::to_string(&refused).unwrap(),
            r#"{"error":{"kind":"in_a_mesh","message":"this node has a mesh","hint":"leave it"},"exit":3}"#
        );
    }

    #[test]
    fn only_the_four_codes_are_read() {
        let read = |code: u8| serde_json::from_str::<Exit>(&code.to_string()).is_ok();
        let codes: Vec<u8> = (0..=255).filter(|code| read(*code)).collect();
        assert_eq!(codes, [1, 3, 4, 5]);
    }

    #[test]
    fn a_lost_peer_is_unreachable_by_name() {
        let lost = CallError::PeerUnreachable {
            node: "desk".to_owned(),
            why: "it stopped answering".to_owned(),
        };
        let refused = Refused::from(&lost);
        assert_eq!(refused.exit, Exit::Unreachable);
        assert!(refused.error.message.contains("desk"));
    }
}
