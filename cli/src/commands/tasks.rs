//! `task`: the owner creates, claims, tells, releases, completes and cancels in the name of an agent of this node.

use peerage_node::config::environment::Environment;
use peerage_node::messaging::OWNER;
use peerage_node::tasks::ShownTask;
use peerage_protocol::id::AgentName;
use serde::Deserialize;
use serde_json::{Value, json};

use super::asking::{acting, ask};
use super::{Context, now, watch};
use crate::arguments::{
    Acting, CompleteTask, CreateTask, HeldTask, ListTasks, MessagePriority, Task, TaskState,
    UpdateTask,
};
use crate::failure::Failure;
use crate::render;
use crate::terminal::print;

#[derive(Deserialize)]
struct Listed {
    tasks: Vec<ShownTask>,
}

pub(super) async fn task(
    context: &Context,
    task: Task,
    environment: &dyn Environment,
) -> Result<(), Failure> {
    let asked = Asked {
        context,
        environment,
    };
    match task {
        Task::Create(task) => asked.create(task).await,
        Task::List(list) => list_tasks(context, &list).await,
        Task::Show { id } => show(context, &id.to_string()).await,
        Task::Claim(named) => {
            let arguments = json!({"id": named.id.to_string()});
            asked.done("task_claim", &named.acting, &arguments).await
        }
        Task::Update(update) => asked.update(update).await,
        Task::Release(held) => {
            let arguments = held_arguments(&held);
            asked.done("task_release", &held.acting, &arguments).await
        }
        Task::Complete(complete) => asked.complete(complete).await,
        Task::Cancel(named) => {
            let arguments = json!({"id": named.id.to_string()});
            asked.done("task_cancel", &named.acting, &arguments).await
        }
        Task::Reassign { id, node } => {
            let arguments = json!({"id": id.to_string(), "node": node.as_str()});
            let task = ask(context, &owner()?, "task_reassign", &arguments).await?;
            said(context, "task_reassign", &task)
        }
    }
}

/// One order, given in somebody's name.
struct Asked<'a> {
    context: &'a Context,
    environment: &'a dyn Environment,
}

impl Asked<'_> {
    async fn create(&self, task: CreateTask) -> Result<(), Failure> {
        let after: Vec<String> = task.after.iter().map(ToString::to_string).collect();
        let priority = match task.priority {
            MessagePriority::Low => "low",
            MessagePriority::Normal => "normal",
            MessagePriority::High => "high",
        };
        let mut arguments = json!({
            "title": task.title.join(" "),
            "description": task.description,
            "priority": priority,
            "after": after,
            "capabilities": task.capabilities,
            "lease_seconds": task.lease.as_secs(),
            "arbiters": task.arbiters,
        });
        if let Some(due) = task.due {
            let due = u64::try_from(due.as_millis()).unwrap_or(u64::MAX);
            arguments["deadline"] = now().saturating_add(due).into();
        }
        self.done("task_create", &task.acting, &arguments).await
    }

    async fn update(&self, update: UpdateTask) -> Result<(), Failure> {
        let mut arguments = held_arguments(&update.held);
        if let Some(percent) = update.percent {
            arguments["percent"] = percent.into();
        }
        if let Some(note) = update.note {
            arguments["note"] = note.into();
        }
        self.done("task_update", &update.held.acting, &arguments)
            .await
    }

    async fn complete(&self, complete: CompleteTask) -> Result<(), Failure> {
        let mut arguments = held_arguments(&complete.held);
        arguments["result"] = complete.result.into();
        self.done("task_complete", &complete.held.acting, &arguments)
            .await
    }

    async fn done(&self, tool: &str, by: &Acting, arguments: &Value) -> Result<(), Failure> {
        let agent = acting(self.context, by, self.environment).await?;
        let task: ShownTask = ask(self.context, &agent, tool, arguments).await?;
        said(self.context, tool, &task)
    }
}

fn said(context: &Context, tool: &str, task: &ShownTask) -> Result<(), Failure> {
    match context.json {
        true => print(&render::json(task)?),
        false => print(&render::task_done(tool, task)),
    }
}

fn held_arguments(held: &HeldTask) -> Value {
    let mut arguments = json!({"id": held.id.to_string()});
    if let Some(fence) = &held.fence {
        arguments["fence"] = fence.to_string().into();
    }
    arguments
}

async fn list_tasks(context: &Context, list: &ListTasks) -> Result<(), Failure> {
    let mut arguments = json!({"limit": list.limit});
    if !list.query.is_empty() {
        arguments["text"] = list.query.join(" ").into();
    }
    if let Some(state) = list.state {
        arguments["state"] = match state {
            TaskState::Open => "open",
            TaskState::Blocked => "blocked",
            TaskState::Held => "held",
            TaskState::Completed => "completed",
            TaskState::Cancelled => "cancelled",
        }
        .into();
    }
    if let Some(holder) = &list.holder {
        arguments["holder"] = holder.as_str().into();
    }
    watch::show(context, list.watch, async || {
        let Listed { tasks } = ask(context, &owner()?, "task_list", &arguments).await?;
        match context.json {
            true => render::json(&tasks),
            false => Ok(render::tasks(&tasks, now(), context.view)),
        }
    })
    .await
}

async fn show(context: &Context, id: &str) -> Result<(), Failure> {
    let arguments = json!({"id": id});
    let Listed { tasks } = ask(context, &owner()?, "task_list", &arguments).await?;
    for task in &tasks {
        match context.json {
            true => print(&render::json(task)?)?,
            false => print(&render::task(task, now()))?,
        }
    }
    Ok(())
}

fn owner() -> Result<AgentName, Failure> {
    OWNER
        .parse()
        .map_err(|error| Failure::failed("agent", error))
}
