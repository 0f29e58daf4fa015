//! What kind of failure a builtin tool reports, for programs: the command line makes its exit code of it.

use peerage_protocol::consensus::book::BookError;
use peerage_protocol::log::AppendError;
use peerage_protocol::node_state::{ProposeError, VoteError};
use peerage_protocol::tasks::TaskError;
use serde::{Deserialize, Serialize};

use super::answer::ToolError;
use crate::deciding::DecidingError;
use crate::messaging::MessagingError;
use crate::tasks::TaskServiceError;

/// The name of the kind in the `_meta` of a result.
pub const FAILURE_KIND: &str = "peerage/failure";

/// Why a builtin tool did not do it, as far as a program acts differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailureKind {
    /// What was asked makes no sense here, or went wrong.
    Failed,
    /// It is understood and not granted: by a rule, or as things stand.
    Refused,
    /// Whoever decides could not be reached.
    Unreachable,
}

impl FailureKind {
    /// The kind of an error.
    pub fn of(error: &ToolError) -> Self {
        match error {
            ToolError::Guest | ToolError::OwnerOnly => Self::Refused,
            ToolError::Task(
                TaskServiceError::Task(error) | TaskServiceError::Named { error, .. },
            ) => Self::of_task(error),
            ToolError::Deciding(error) => Self::of_decision(error),
            ToolError::Messaging(MessagingError::Append(AppendError::NotAWriter)) => Self::Refused,
            _ => Self::Failed,
        }
    }

    fn of_task(error: &TaskError) -> Self {
        match error {
            TaskError::Append(AppendError::NotAWriter) => Self::Refused,
            TaskError::Unanswered { .. } => Self::Unreachable,
            TaskError::Unknown { .. }
            | TaskError::UnknownDependency { .. }
            | TaskError::Definition(_)
            | TaskError::Item(_)
            | TaskError::Append(_) => Self::Failed,
            _ => Self::Refused,
        }
    }

    fn of_decision(error: &DecidingError) -> Self {
        match error {
            DecidingError::NoVote { .. }
            | DecidingError::Propose(
                ProposeError::NoVote { .. }
                | ProposeError::Book(BookError::Full { .. })
                | ProposeError::Append(AppendError::NotAWriter),
            )
            | DecidingError::Vote(VoteError::Append(AppendError::NotAWriter))
            | DecidingError::Vote(
                VoteError::Final { .. } | VoteError::NotListed { .. } | VoteError::TooLate,
            ) => Self::Refused,
            _ => Self::Failed,
        }
    }
}
