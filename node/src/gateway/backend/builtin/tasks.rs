//! The tools by which agents share work: one task, one holder.

use std::time::Duration;

use bytes::Bytes;
use peerage_protocol::messaging::message::Priority;
use peerage_protocol::tasks::{Fence, TaskId};
use peerage_protocol::time::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::answer::{ToolError, agent, arguments, said_twice};
use crate::gateway::call::Call;
use crate::messaging::OWNER;
use crate::tasks::{NewTask, ShownTask, TaskQuery, TaskService, TaskState};

mod definitions;

pub use definitions::DEFINITIONS;

/// Creates.
pub const TASK_CREATE: &str = "task_create";
/// Searches, or shows one in full.
pub const TASK_LIST: &str = "task_list";
/// Gets one.
pub const TASK_CLAIM: &str = "task_claim";
/// Tells how far it is.
pub const TASK_UPDATE: &str = "task_update";
/// Gives it back.
pub const TASK_RELEASE: &str = "task_release";
/// Has done it.
pub const TASK_COMPLETE: &str = "task_complete";
/// Has nobody do it.
pub const TASK_CANCEL: &str = "task_cancel";

/// Has another node decide on it. Not listed: it is for the owner, by the command line.
pub const TASK_REASSIGN: &str = "task_reassign";

/// The names of them all.
pub const NAMES: [&str; 8] = [
    TASK_CREATE,
    TASK_LIST,
    TASK_CLAIM,
    TASK_UPDATE,
    TASK_RELEASE,
    TASK_COMPLETE,
    TASK_CANCEL,
    TASK_REASSIGN,
];

/// Tasks that a list gives unless it is told.
const LISTED_BY_DEFAULT: usize = 50;
/// Tasks that a list gives at most.
pub(super) const LISTED_MAX: usize = 200;

/// Answers the tool `name`; `None` where it is none of these.
pub(super) async fn call(tasks: &TaskService, name: &str, call: &Call) -> Option<Bytes> {
    let answered = match name {
        TASK_CREATE => create(tasks, call).await,
        TASK_LIST => list(tasks, call),
        TASK_CLAIM => claim(tasks, call).await,
        TASK_UPDATE => update(tasks, call).await,
        TASK_RELEASE => release(tasks, call).await,
        TASK_COMPLETE => complete(tasks, call).await,
        TASK_CANCEL => cancel(tasks, call).await,
        TASK_REASSIGN => reassign(tasks, call).await,
        _ => return None,
    };
    Some(answered.unwrap_or_else(|error| error.result()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    title: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    priority: Priority,
    #[serde(default)]
    after: Vec<String>,
    #[serde(default)]
    capabilities: Vec<String>,
    deadline: Option<u64>,
    lease_seconds: Option<u64>,
    #[serde(default)]
    arbiters: usize,
}

async fn create(tasks: &TaskService, call: &Call) -> Result<Bytes, ToolError> {
    let by = agent(&call.caller)?;
    let asked: Create = arguments(&call.params)?;
    let after: Result<Vec<TaskId>, ToolError> = asked.after.iter().map(|id| task_id(id)).collect();
    let task = NewTask {
        title: asked.title,
        description: asked.description,
        priority: asked.priority,
        after: after?,
        capabilities: asked.capabilities,
        deadline: asked.deadline.map(Timestamp),
        lease: asked.lease_seconds.map(Duration::from_secs),
        arbiters: asked.arbiters,
    };
    Ok(shown(&tasks.create(by, task).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    id: Option<String>,
    text: Option<String>,
    state: Option<TaskState>,
    holder: Option<String>,
    limit: Option<usize>,
}

fn list(tasks: &TaskService, call: &Call) -> Result<Bytes, ToolError> {
    let asked: List = arguments(&call.params)?;
    if let Some(id) = &asked.id {
        let task = tasks.show(task_id(id)?);
        let task = task.ok_or_else(|| ToolError::UnknownTask { task: id.clone() })?;
        return Ok(said_twice(&json!({"tasks": [task]}).to_string()));
    }
    let holder = match asked.holder.as_deref() {
        Some("me") => Some(tasks.address(agent(&call.caller)?)),
        other => other.map(str::to_owned),
    };
    let limit = asked.limit.unwrap_or(LISTED_BY_DEFAULT);
    if limit == 0 {
        let why = format!("limit is 0; from 1 to {LISTED_MAX} tasks are listed");
        return Err(ToolError::Arguments { why });
    }
    let query = TaskQuery {
        text: asked.text,
        state: asked.state,
        holder,
        limit: limit.min(LISTED_MAX),
    };
    let found = tasks.find(&query);
    Ok(said_twice(&json!({"tasks": found}).to_string()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    id: String,
}

async fn claim(tasks: &TaskService, call: &Call) -> Result<Bytes, ToolError> {
    let claimer = agent(&call.caller)?;
    let Named { id } = arguments(&call.params)?;
    Ok(shown(&tasks.claim(claimer, task_id(&id)?).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Update {
    id: String,
    fence: Option<String>,
    percent: Option<u8>,
    note: Option<String>,
}

async fn update(tasks: &TaskService, call: &Call) -> Result<Bytes, ToolError> {
    let holder = agent(&call.caller)?;
    let asked: Update = arguments(&call.params)?;
    let (id, fence) = (task_id(&asked.id)?, fence(asked.fence.as_deref())?);
    let updated = tasks.update(holder, id, fence, asked.percent, asked.note);
    Ok(shown(&updated.await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Release {
    id: String,
    fence: Option<String>,
}

async fn release(tasks: &TaskService, call: &Call) -> Result<Bytes, ToolError> {
    let holder = agent(&call.caller)?;
    let asked: Release = arguments(&call.params)?;
    let (id, fence) = (task_id(&asked.id)?, fence(asked.fence.as_deref())?);
    Ok(shown(&tasks.release(holder, id, fence).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Complete {
    id: String,
    fence: Option<String>,
    #[serde(default)]
    result: String,
}

async fn complete(tasks: &TaskService, call: &Call) -> Result<Bytes, ToolError> {
    let holder = agent(&call.caller)?;
    let asked: Complete = arguments(&call.params)?;
    let (id, fence) = (task_id(&asked.id)?, fence(asked.fence.as_deref())?);
    let completed = tasks.complete(holder, id, fence, asked.result);
    Ok(shown(&completed.await?))
}

async fn cancel(tasks: &TaskService, call: &Call) -> Result<Bytes, ToolError> {
    let creator = agent(&call.caller)?;
    let Named { id } = arguments(&call.params)?;
    Ok(shown(&tasks.cancel(creator, task_id(&id)?).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reassign {
    id: String,
    node: String,
}

async fn reassign(tasks: &TaskService, call: &Call) -> Result<Bytes, ToolError> {
    if agent(&call.caller)?.as_str() != OWNER {
        return Err(ToolError::OwnerOnly);
    }
    let Reassign { id, node } = arguments(&call.params)?;
    Ok(shown(&tasks.reassign(task_id(&id)?, &node).await?))
}

fn task_id(text: &str) -> Result<TaskId, ToolError> {
    text.parse().map_err(|error| not_good(&error))
}

fn fence(text: Option<&str>) -> Result<Option<Fence>, ToolError> {
    let fence = text.map(str::parse).transpose();
    fence.map_err(|error| not_good(&error))
}

fn not_good(error: &dyn std::error::Error) -> ToolError {
    ToolError::Arguments {
        why: error.to_string(),
    }
}

fn shown(task: &ShownTask) -> Bytes {
    said_twice(&json!(task).to_string())
}
