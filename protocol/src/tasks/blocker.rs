//! What keeps a task from being begun: those before it that are not completed, each with why.

use std::fmt;

use super::identifiers::TaskId;

/// Why a task that is to come first is not completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmet {
    /// It may be yet.
    NotCompleted,
    /// It never will be.
    Cancelled,
    /// Nothing is known of it here: it was not heard of yet, or was forgotten 30 days after its creation.
    Unknown,
}

/// A task that is to come first and is not completed, as far as is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocker {
    /// Which.
    pub task: TaskId,
    /// Why it is not.
    pub unmet: Unmet,
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let task = self.task;
        match self.unmet {
            Unmet::NotCompleted => write!(f, "{task} is not completed"),
            Unmet::Cancelled => write!(
                f,
                "{task} was cancelled and never will be: cancel this task, and create it anew without that one"
            ),
            Unmet::Unknown => write!(
                f,
                "{task} is not known here: it was not heard of yet, or is older than 30 days; in that case cancel this \
                 task, and create it anew without that one"
            ),
        }
    }
}
