//! Tasks: what is to be done, who does it, and what came of it, so that one task has one holder at a time.
//!
//! Everything about tasks is an [item](item::TaskItem) of [`Lane::TASKS`](crate::log::Lane::TASKS). What items come to is
//! folded by the [table](table::TaskTable), in whatever order they arrive. Who may hold a task is said by its *arbiter*
//! alone, which is the node that created it until an admin names another one: it grants a lease under a *fence*, and a
//! completion counts only once the arbiter has said that it came under the fence that stood. A task may name three or five
//! nodes instead, that decide together by a [register]: then the holder is known though one or two are gone.
//!
//! Deliberately absent: clocks. How long a lease has been watched is kept where time is, in `node_state`. And promises
//! about side effects: a fence protects the completion of a task, not what a holder does elsewhere after its lease ran
//! out.

pub mod blocker;
pub mod definition;
pub mod identifiers;
pub mod item;
pub mod order;
pub mod reassignment;
pub mod record;
pub mod register;
pub mod table;
pub mod task;
mod words;

#[cfg(test)]
mod tests;

pub use blocker::{Blocker, Unmet};
pub use definition::{Definition, DefinitionError};
pub use identifiers::{ClaimId, Fence, Holder, TaskId};
pub use item::TaskItem;
pub use order::{TaskError, TaskOrder};
pub use reassignment::{Reassignment, ReassignmentBody};
pub use table::{Applied, TaskTable};
pub use task::{Task, TaskPhase};
pub use words::Grant;
