//! A task as agents and people are shown it.

use peerage_protocol::id::NodeId;
use peerage_protocol::messaging::message::Priority;
use peerage_protocol::tasks::{Holder, TaskPhase, Unmet};
use serde::{Deserialize, Serialize};

use super::board::{Posted, TaskBoard};
use crate::gateway::directory::Directory;

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskState {
    /// It can be claimed.
    Open,
    /// It waits for other tasks.
    Blocked,
    /// Somebody has it.
    Held,
    /// It is done.
    Completed,
    /// Nobody is to do it any more.
    Cancelled,
}

/// One task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownTask {
    /// Its id: 32 hexadecimal digits.
    pub id: String,
    /// In a few words.
    pub title: String,
    /// All that its holder needs to know; absent in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How far it is.
    pub state: TaskState,
    /// Who created it: `name@node`.
    pub by: String,
    /// How urgent it is.
    pub priority: Priority,
    /// The node that decides who has it.
    pub arbiter: String,
    /// Where several nodes decide together: which.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arbiters: Vec<String>,
    /// When it was created: milliseconds since the Unix epoch, by its creator's clock.
    pub created: u64,
    /// When it should be done, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<u64>,
    /// What its holder must be able to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// The tasks that come before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// Those of them that are not completed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<String>,
    /// Why it cannot be begun as things stand, and what to do: it waits for one that was cancelled, or is not known here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stuck: Vec<String>,
    /// How long a lease lasts without a sign of its holder.
    pub lease_seconds: u64,
    /// Who has it, or did it: `name@node`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// Under which fence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<String>,
    /// How much longer its holder has it without a sign, as far as this node has seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_left_seconds: Option<u64>,
    /// How much is done, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
    /// What is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What came of it; absent in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
}

impl ShownTask {
    /// With the names that nodes have now, at `now` in milliseconds since the Unix epoch.
    pub fn of(posted: &Posted, board: &TaskBoard, directory: &Directory, now: u64) -> Self {
        let task = &posted.task;
        let definition = &task.definition;
        let name = |node| node_name(directory, node);
        let waits_for = board.waits_for(task);
        let stuck = waits_for
            .iter()
            .filter(|one| one.unmet != Unmet::NotCompleted && !task.is_over());
        let (state, held, result) = match &task.phase {
            TaskPhase::Open if waits_for.is_empty() => (TaskState::Open, None, None),
            TaskPhase::Open => (TaskState::Blocked, None, None),
            TaskPhase::Held { holder, fence, .. } => (TaskState::Held, Some((holder, fence)), None),
            TaskPhase::Completed {
                holder,
                fence,
                result,
            } => (TaskState::Completed, Some((holder, fence)), result.clone()),
            TaskPhase::Cancelled => (TaskState::Cancelled, None, None),
        };
        let address = |holder: &Holder| format!("{}@{}", holder.agent, name(holder.node));
        let over_at = posted.since.saturating_add(definition.lease);
        let left = over_at.saturating_sub(now) / 1_000;
        Self {
            id: task.id.to_string(),
            title: definition.title.clone(),
            description: Some(definition.description.clone()).filter(|text| !text.is_empty()),
            state,
            by: format!("{}@{}", definition.by, name(task.creator)),
            priority: definition.priority,
            arbiter: name(task.arbiter),
            arbiters: task.arbiters().iter().map(|node| name(*node)).collect(),
            created: task.created.0,
            deadline: definition.deadline.map(|deadline| deadline.0),
            capabilities: definition.capabilities.clone(),
            after: definition.after.iter().map(ToString::to_string).collect(),
            waits_for: waits_for.iter().map(|one| one.task.to_string()).collect(),
            stuck: stuck.map(ToString::to_string).collect(),
            lease_seconds: definition.lease().as_secs(),
            holder: held.map(|(holder, _)| address(holder)),
            fence: held.map(|(_, fence)| fence.to_string()),
            lease_left_seconds: (state == TaskState::Held).then_some(left),
            percent: task.percent,
            note: task.note.clone(),
            result,
        }
    }

    /// As it stands in a list: without its long texts.
    #[must_use]
    pub fn brief(self) -> Self {
        Self {
            description: None,
            result: None,
            ..self
        }
    }
}

/// The name that a node has, or had when it was last a member; its id where it is not known.
pub(super) fn node_name(directory: &Directory, node: NodeId) -> String {
    if node == directory.me() {
        return directory.own_name().to_string();
    }
    let roster = directory.roster();
    if let Some(name) = roster.as_ref().and_then(|roster| roster.name_of(node)) {
        return name.to_string();
    }
    let known = roster.as_ref().and_then(|roster| roster.known(node));
    known.map_or_else(
        || node.to_string(),
        |member| member.chain().body().name.to_string(),
    )
}
