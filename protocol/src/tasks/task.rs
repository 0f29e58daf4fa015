//! A task as it stands, for whoever looks at it.

use super::definition::Definition;
use super::identifiers::{Fence, Holder, TaskId};
use crate::id::NodeId;
use crate::time::Timestamp;

/// How far a task is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskPhase {
    /// Nobody has it.
    Open,
    /// Somebody has it, for as long as its lease lasts.
    Held {
        /// Who.
        holder: Holder,
        /// Under which fence.
        fence: Fence,
        /// The last sign of its holder for which the arbiter has extended the lease; 0 before the first.
        step: u64,
    },
    /// It is done.
    Completed {
        /// Who did it.
        holder: Holder,
        /// Under which fence.
        fence: Fence,
        /// What came of it; `None` while this node has not heard it.
        result: Option<String>,
    },
    /// Nobody is to do it any more.
    Cancelled,
}

/// A task, as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its name.
    pub id: TaskId,
    /// The node that created it.
    pub creator: NodeId,
    /// When, by that node's clock.
    pub created: Timestamp,
    /// What it asks for.
    pub definition: Definition,
    /// Who decides on it.
    pub arbiter: NodeId,
    /// How often an admin has named another arbiter.
    pub round: u32,
    /// How far it is.
    pub phase: TaskPhase,
    /// How much its holder has done, 0 to 100.
    pub percent: Option<u8>,
    /// What its holder has done.
    pub note: Option<String>,
}

impl Task {
    /// Whether nothing will change any more.
    pub fn is_over(&self) -> bool {
        matches!(
            self.phase,
            TaskPhase::Completed { .. } | TaskPhase::Cancelled
        )
    }

    /// The nodes that decide on it together; none where one does alone.
    pub fn arbiters(&self) -> &[NodeId] {
        match self.round {
            0 => &self.definition.arbiters,
            _ => &[],
        }
    }

    /// Who has it, and under which fence.
    pub fn held(&self) -> Option<(&Holder, Fence)> {
        match &self.phase {
            TaskPhase::Held { holder, fence, .. } => Some((holder, *fence)),
            _ => None,
        }
    }
}
