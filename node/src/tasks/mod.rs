//! Tasks as this node's agents see and change them; what decides on them is the protocol's `NodeState`.

mod activity;
mod board;
mod service;
mod shown;

pub use activity::tell_of_activity;
pub use board::{Posted, TaskBoard};
pub use service::{NewTask, TaskQuery, TaskService, TaskServiceError};
pub use shown::{ShownTask, TaskState};
