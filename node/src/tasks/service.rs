//! Creating, claiming, telling, releasing, completing and finding tasks, for the agents of this node.

use std::sync::Arc;
use std::time::Duration;

use peerage_protocol::id::{AgentName, NodeId};
use peerage_protocol::messaging::message::Priority;
use peerage_protocol::node_state::{Input, Reply};
use peerage_protocol::tasks::{
    ClaimId, Definition, Fence, Task, TaskError, TaskId, TaskOrder, definition,
};
use peerage_protocol::time::Timestamp;
use tokio::sync::watch;

use super::board::{Posted, TaskBoard};
use super::shown::{ShownTask, TaskState, node_name};
use crate::control::{ControlClosed, ControlHandle, Snapshots, wall};
use crate::gateway::directory::Directory;
use crate::messaging::OWNER;

/// A task before it is created.
#[derive(Clone, Debug, Default)]
pub struct NewTask {
    /// In a few words.
    pub title: String,
    /// All that its holder needs to know.
    pub description: String,
    /// How urgent it is.
    pub priority: Priority,
    /// Tasks that are to be completed before.
    pub after: Vec<TaskId>,
    /// What its holder must be able to do.
    pub capabilities: Vec<String>,
    /// When it should be done.
    pub deadline: Option<Timestamp>,
    /// How long a lease lasts; 15 minutes where nothing is said.
    pub lease: Option<Duration>,
    /// How many nodes decide who has it: 3 or 5, or this one alone where nothing is said.
    pub arbiters: usize,
}

/// Which tasks are looked for: those that fit all that is said.
#[derive(Clone, Debug, Default)]
pub struct TaskQuery {
    /// Words that all occur in title, description, note or result.
    pub text: Option<String>,
    /// How far they are; those that are not over where nothing is said.
    pub state: Option<TaskState>,
    /// Whoever has or did it: `name@node`.
    pub holder: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// The tasks, as one node's agents see them.
pub struct TaskService {
    control: ControlHandle,
    directory: Directory,
    snapshots: Arc<Snapshots>,
}

impl TaskService {
    /// Tasks that are changed through `control` and read from `snapshots`, by agents that `directory` knows.
    pub fn new(control: ControlHandle, directory: Directory, snapshots: Arc<Snapshots>) -> Self {
        Self {
            control,
            directory,
            snapshots,
        }
    }

    /// Creates a task in the name of an agent.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub async fn create(
        &self,
        by: &AgentName,
        task: NewTask,
    ) -> Result<ShownTask, TaskServiceError> {
        let lease = task.lease.unwrap_or(definition::LEASE);
        let definition = Definition {
            title: task.title,
            description: task.description,
            by: by.clone(),
            priority: task.priority,
            after: task.after,
            capabilities: task.capabilities,
            deadline: task.deadline,
            lease: u64::try_from(lease.as_millis()).unwrap_or(u64::MAX),
            arbiters: Vec::new(),
        };
        let nonce = random()?;
        self.order(TaskOrder::Create {
            nonce,
            definition,
            arbiters: task.arbiters,
        })
        .await
    }

    /// Gets a task for an agent, if nobody has it.
    ///
    /// # Errors
    ///
    /// Why it does not have it.
    pub async fn claim(
        &self,
        agent: &AgentName,
        task: TaskId,
    ) -> Result<ShownTask, TaskServiceError> {
        let described = self.directory.local().description(agent);
        let capabilities = described.map(|agent| agent.capabilities);
        self.order(TaskOrder::Claim {
            task,
            claim: ClaimId(random()?),
            agent: agent.clone(),
            capabilities: capabilities.unwrap_or_default(),
        })
        .await
    }

    /// Tells how far an agent is with its task; its lease begins anew.
    ///
    /// # Errors
    ///
    /// Why the lease is not extended.
    pub async fn update(
        &self,
        agent: &AgentName,
        task: TaskId,
        fence: Option<Fence>,
        percent: Option<u8>,
        note: Option<String>,
    ) -> Result<ShownTask, TaskServiceError> {
        self.order(TaskOrder::Update {
            task,
            agent: agent.clone(),
            fence,
            percent,
            note,
        })
        .await
    }

    /// Gives a task back.
    ///
    /// # Errors
    ///
    /// Why it is not given back.
    pub async fn release(
        &self,
        agent: &AgentName,
        task: TaskId,
        fence: Option<Fence>,
    ) -> Result<ShownTask, TaskServiceError> {
        self.order(TaskOrder::Release {
            task,
            agent: agent.clone(),
            fence,
        })
        .await
    }

    /// Completes a task, if the agent's fence still stands.
    ///
    /// # Errors
    ///
    /// Why it is not completed.
    pub async fn complete(
        &self,
        agent: &AgentName,
        task: TaskId,
        fence: Option<Fence>,
        result: String,
    ) -> Result<ShownTask, TaskServiceError> {
        self.order(TaskOrder::Complete {
            task,
            agent: agent.clone(),
            fence,
            result,
        })
        .await
    }

    /// Has nobody do a task any more.
    ///
    /// # Errors
    ///
    /// Why that is not so.
    pub async fn cancel(
        &self,
        agent: &AgentName,
        task: TaskId,
    ) -> Result<ShownTask, TaskServiceError> {
        let agent = Some(agent.clone()).filter(|agent| agent.as_str() != OWNER);
        self.order(TaskOrder::Cancel { task, agent }).await
    }

    /// Has another node decide on a task: for the owner of an admin's machine, where the one that does is gone for good.
    ///
    /// # Errors
    ///
    /// Why that is not so.
    pub async fn reassign(&self, task: TaskId, node: &str) -> Result<ShownTask, TaskServiceError> {
        let arbiter = self.node(node)?;
        self.order(TaskOrder::Reassign { task, arbiter }).await
    }

    fn node(&self, named: &str) -> Result<NodeId, TaskServiceError> {
        let found = self.directory.node_named(named);
        found.ok_or_else(|| TaskServiceError::UnknownNode {
            node: named.to_owned(),
        })
    }

    /// A task with all its texts.
    pub fn show(&self, task: TaskId) -> Option<ShownTask> {
        let posted = self.board().get(task)?;
        Some(self.shown(&posted))
    }

    /// The tasks that fit, without their long texts: the most urgent first, then the oldest.
    pub fn find(&self, query: &TaskQuery) -> Vec<ShownTask> {
        let words = query.text.iter().flat_map(|text| text.split_whitespace());
        let words: Vec<String> = words.map(str::to_lowercase).collect();
        let found = self.board().all(|task| {
            let texts = texts_of(task);
            let said = words.iter().all(|word| texts.contains(word));
            said && (query.state.is_some() || !task.is_over())
        });
        let shown = found.iter().map(|posted| self.shown(posted));
        let mut fit: Vec<ShownTask> = shown
            .filter(|task| query.state.is_none_or(|state| task.state == state))
            .filter(|task| query.holder.is_none() || task.holder == query.holder)
            .collect();
        fit.sort_by(|one, other| {
            let order = |task: &ShownTask| (std::cmp::Reverse(task.priority), task.created);
            order(one).cmp(&order(other)).then(one.id.cmp(&other.id))
        });
        fit.truncate(query.limit);
        fit.into_iter().map(ShownTask::brief).collect()
    }

    /// The address of an agent of this node.
    pub fn address(&self, agent: &AgentName) -> String {
        format!("{agent}@{}", self.directory.own_name())
    }

    /// The tasks as they were last published.
    pub fn board(&self) -> &TaskBoard {
        self.snapshots.tasks()
    }

    /// Rises with every change of a task.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.board().changes()
    }

    fn shown(&self, posted: &Posted) -> ShownTask {
        ShownTask::of(posted, self.board(), &self.directory, wall().0)
    }

    async fn order(&self, order: TaskOrder) -> Result<ShownTask, TaskServiceError> {
        let asked = self
            .control
            .ask(move |request| Input::Task { request, order });
        let task = match asked.await? {
            Reply::Task(answer) => answer.map_err(|error| self.named(error))?,
            _ => return Err(ControlClosed.into()),
        };
        let posted = self.board().get(task.id);
        let since = posted.map_or(wall().0, |posted| posted.since);
        Ok(self.shown(&Posted { task, since }))
    }

    /// People and agents know nodes by name.
    fn named(&self, error: TaskError) -> TaskServiceError {
        let nodes = match &error {
            TaskError::Held { node, .. } => vec![*node],
            TaskError::Waiting { arbiter, .. }
            | TaskError::Moved { arbiter, .. }
            | TaskError::Unanswered { arbiter, .. } => vec![*arbiter],
            TaskError::NoArbiter { node } => vec![*node],
            TaskError::NoMajority { silent, .. } => silent.clone(),
            _ => return error.into(),
        };
        let why = nodes.into_iter().fold(error.to_string(), |text, node| {
            text.replace(&node.to_string(), &node_name(&self.directory, node))
        });
        TaskServiceError::Named { error, why }
    }
}

fn texts_of(task: &Task) -> String {
    let definition = &task.definition;
    let result = match &task.phase {
        peerage_protocol::tasks::TaskPhase::Completed { result, .. } => result.as_deref(),
        _ => None,
    };
    let texts = [
        definition.title.as_str(),
        definition.description.as_str(),
        task.note.as_deref().unwrap_or_default(),
        result.unwrap_or_default(),
    ];
    texts.join("\n").to_lowercase()
}

fn random() -> Result<[u8; 16], TaskServiceError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| TaskServiceError::NoRandomness)?;
    Ok(bytes)
}

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub enum TaskServiceError {
    /// It was refused.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// The same, with the names of nodes.
    #[error("{why}")]
    Named {
        /// As the protocol says it.
        error: TaskError,
        /// As people and agents are told.
        why: String,
    },
    /// No member goes by that name.
    #[error("no machine of the mesh is called {node}; `peerage nodes` shows them")]
    UnknownNode {
        /// As the caller named it.
        node: String,
    },
    /// The system gives no random bytes.
    #[error("the system gives no randomness, so nothing new can be named")]
    NoRandomness,
    /// Control does not answer: it may have been done.
    #[error(
        "the node did not answer in time, so it may have been done or not; look with task_list"
    )]
    Unanswered(#[from] ControlClosed),
}
