//! What an agent wants done about a task, and why it is not done.

use std::time::Duration;

use super::blocker::Blocker;
use super::definition::{Definition, DefinitionError};
use super::identifiers::{ClaimId, Fence, TaskId};
use super::item::ItemError;
use crate::id::{AgentName, NodeId};
use crate::log::AppendError;

/// What an agent of this node, or its owner, wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskOrder {
    /// A new task.
    Create {
        /// 16 random bytes.
        nonce: [u8; 16],
        /// What it asks for, without its arbiters.
        definition: Definition,
        /// How many nodes decide on it: this one alone for 0 or 1, else this one and members that are present.
        arbiters: usize,
    },
    /// To have a task. An agent that has it already is told so.
    Claim {
        /// Which.
        task: TaskId,
        /// 16 random bytes for this attempt.
        claim: ClaimId,
        /// Who.
        agent: AgentName,
        /// What it says that it can do.
        capabilities: Vec<String>,
    },
    /// To say how far it is; that extends the lease, too.
    Update {
        /// Which.
        task: TaskId,
        /// Who.
        agent: AgentName,
        /// Under which fence; the one under which it has the task where nothing is said.
        fence: Option<Fence>,
        /// How much is done, 0 to 100.
        percent: Option<u8>,
        /// What is done.
        note: Option<String>,
    },
    /// To give a task back.
    Release {
        /// Which.
        task: TaskId,
        /// Who.
        agent: AgentName,
        /// As above.
        fence: Option<Fence>,
    },
    /// To have done it.
    Complete {
        /// Which.
        task: TaskId,
        /// Who.
        agent: AgentName,
        /// As above.
        fence: Option<Fence>,
        /// What came of it.
        result: String,
    },
    /// That nobody does it any more.
    Cancel {
        /// Which.
        task: TaskId,
        /// Who: the agent that created it, or `None` for the machine's owner.
        agent: Option<AgentName>,
    },
    /// That another node decides on it: for an admin, where the arbiter is gone for good.
    Reassign {
        /// Which.
        task: TaskId,
        /// Who decides from here on.
        arbiter: NodeId,
    },
}

/// Why something is not done about a task.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskError {
    /// No task of that id is known here.
    #[error("no task {task} is known here; task_list shows those that are")]
    Unknown {
        /// Which.
        task: TaskId,
    },
    /// Somebody else has it.
    #[error(
        "{agent} at {node} has the task; its lease lasts for as long as it shows signs of work"
    )]
    Held {
        /// The agent.
        agent: AgentName,
        /// Its node.
        node: NodeId,
    },
    /// It is done, or nobody is to do it.
    #[error("the task is {how} already")]
    Over {
        /// `completed` or `cancelled`.
        how: &'static str,
    },
    /// Others are to come first.
    #[error("the task comes after others: {}", listed(after))]
    Blocked {
        /// Which.
        after: Vec<Blocker>,
    },
    /// The agent does not say that it can do it.
    #[error("the task needs {}; say with agent_register that you can do that, if you can", missing.join(", "))]
    NotCapable {
        /// What is missing.
        missing: Vec<String>,
    },
    /// The agent does not have it, or not under that fence.
    #[error(
        "{agent} does not have the task under this fence (any more); what it did since may be somebody else's work now"
    )]
    NotHolder {
        /// Who asked.
        agent: AgentName,
    },
    /// It said another result of it before.
    #[error("{agent} has told another result of this task already, and that one stands")]
    OtherResult {
        /// Who asked.
        agent: AgentName,
    },
    /// It tells too often how far it is.
    #[error(
        "{agent} has told too often how far its tasks are; wait {} s, and tell what matters",
        wait.as_secs().max(1)
    )]
    TooOften {
        /// Who asked.
        agent: AgentName,
        /// How long it is to wait.
        wait: Duration,
    },
    /// Only whoever created it may.
    #[error("only the agent that created the task, or the owner of its machine, may cancel it")]
    NotCreator,
    /// Only admins may.
    #[error("only an admin of the mesh names another arbiter")]
    NotAdmin,
    /// Another node decides since it was granted.
    #[error(
        "{arbiter} decides on the task since an admin named it, and knows nothing of what was granted before: claim the task \
         again; it is granted once the lease under which {agent} had it is over"
    )]
    Moved {
        /// Who decides now.
        arbiter: NodeId,
        /// Who had it.
        agent: AgentName,
    },
    /// It cannot decide, as it writes nothing.
    #[error(
        "{node} is no admin and no ordinary member of the mesh, and can decide on nothing; name another"
    )]
    NoArbiter {
        /// Who was named.
        node: NodeId,
    },
    /// The arbiter lost sight of what it granted.
    #[error(
        "{arbiter}, which decides on the task, has started anew and grants it in {} s at the latest, once it has heard from \
         others what it may have forgotten and every such lease is over",
        wait.as_secs().max(1)
    )]
    Waiting {
        /// Who decides.
        arbiter: NodeId,
        /// For how long.
        wait: Duration,
    },
    /// The arbiter said nothing in time.
    #[error(
        "{arbiter}, which decides on the task, {}: {outcome}",
        if *linked { "has not answered in time" } else { "cannot be reached" }
    )]
    Unanswered {
        /// Who decides.
        arbiter: NodeId,
        /// Whether there is a link to it.
        linked: bool,
        /// What may have become of it.
        outcome: &'static str,
    },
    /// Fewer of several arbiters than a majority have answered in time, or they have answered somebody else.
    #[error("{}: {outcome}", silence(silent, *of))]
    NoMajority {
        /// Those that have not.
        silent: Vec<NodeId>,
        /// How many there are.
        of: usize,
        /// What may have become of it.
        outcome: &'static str,
    },
    /// Not so many members are here as are to decide.
    #[error(
        "{wanted} arbiters need {wanted} machines that are here and write, this one among them; {here} are"
    )]
    TooFewHere {
        /// How many are wanted.
        wanted: usize,
        /// How many are here.
        here: usize,
    },
    /// A task that is to come first is not known here.
    #[error("no task {task} is known here to come first")]
    UnknownDependency {
        /// Which.
        task: TaskId,
    },
    /// The node has too many tasks.
    #[error("this node has {limit} tasks that are not over; complete or cancel some first")]
    TooMany {
        /// How many.
        limit: usize,
    },
    /// Too many agents of this node wait for an answer.
    #[error("{limit} requests about tasks wait for an answer already; try again")]
    Busy {
        /// How many.
        limit: usize,
    },
    /// The task is over a bound.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// What is said of it is over a bound.
    #[error(transparent)]
    Item(#[from] ItemError),
    /// The log does not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
}

fn silence(silent: &[NodeId], of: usize) -> String {
    let names: Vec<String> = silent.iter().map(NodeId::to_string).collect();
    match silent.is_empty() {
        true => format!("others want something of the task's {of} arbiters at the same time"),
        false => format!(
            "of the task's {of} arbiters {} {} not answered in time",
            names.join(", "),
            if silent.len() == 1 { "has" } else { "have" }
        ),
    }
}

fn listed(blockers: &[Blocker]) -> String {
    let texts: Vec<String> = blockers.iter().map(Blocker::to_string).collect();
    texts.join("; ")
}
