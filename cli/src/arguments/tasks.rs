//! `task`: the board of work that all agents share, and the owner in any agent's name.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use peerage_protocol::id::NodeName;
use peerage_protocol::tasks::{Fence, TaskId};

use super::{Acting, MessagePriority, duration};

/// Share work.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// Put a task on the board
    Create(CreateTask),
    /// List tasks: those that are not over, unless a state is named
    List(ListTasks),
    /// Show one task in full
    Show {
        /// Its id
        id: TaskId,
    },
    /// Get a task, if nobody has it
    Claim(NamedTask),
    /// Tell how far a task is; its lease begins anew
    Update(UpdateTask),
    /// Give a task back
    Release(HeldTask),
    /// Complete a task, if it is still yours
    Complete(CompleteTask),
    /// Take a task off the board for good
    Cancel(NamedTask),
    /// As an admin, have another node decide on a task whose deciding node is gone for good
    Reassign {
        /// Its id
        id: TaskId,
        /// The node that decides from here on
        node: NodeName,
    },
}

/// Put a task on the board.
#[derive(Debug, Args)]
pub struct CreateTask {
    /// What is to be done, in a few words
    #[arg(required = true)]
    pub title: Vec<String>,
    /// All that its holder needs to know
    #[arg(long, default_value = "")]
    pub description: String,
    /// How urgent it is
    #[arg(long, value_enum, default_value_t = MessagePriority::Normal)]
    pub priority: MessagePriority,
    /// A task that is to be completed before it; may be given again
    #[arg(long, value_name = "ID")]
    pub after: Vec<TaskId>,
    /// What its holder must be able to do; may be given again
    #[arg(long = "needs", value_name = "CAPABILITY")]
    pub capabilities: Vec<String>,
    /// When it should be done, from now; it is shown, and nothing follows from it
    #[arg(long, value_name = "TIME", value_parser = duration::deadline)]
    pub due: Option<Duration>,
    /// How long a holder has it without a sign of work
    #[arg(long, default_value = "15m", value_parser = duration::lease)]
    pub lease: Duration,
    /// How many machines decide who has it, of those that are here: 1, 3 or 5. With 3 or 5 it goes on with one or two down
    #[arg(long, default_value = "1", value_parser = arbiters)]
    pub arbiters: u8,
    /// In whose name.
    #[command(flatten)]
    pub acting: Acting,
}

fn arbiters(text: &str) -> Result<u8, String> {
    match text {
        "1" => Ok(1),
        "3" => Ok(3),
        "5" => Ok(5),
        _ => Err("1, 3 or 5 machines decide on a task".to_owned()),
    }
}

/// How far tasks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum State {
    /// They can be claimed
    Open,
    /// They wait for other tasks
    Blocked,
    /// Somebody has them
    Held,
    /// They are done
    Completed,
    /// Nobody is to do them any more
    Cancelled,
}

/// List tasks.
#[derive(Debug, Args)]
pub struct ListTasks {
    /// Words that all occur in what is said of the task
    pub query: Vec<String>,
    /// How far they are
    #[arg(long, value_enum)]
    pub state: Option<State>,
    /// Whoever has or did them: NAME@NODE
    #[arg(long, value_name = "AGENT")]
    pub holder: Option<String>,
    /// At most so many, the most urgent first
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
    pub limit: u16,
    /// Show them again whenever they change, until Ctrl-C
    #[arg(short, long)]
    pub watch: bool,
}

/// A task, and who acts.
#[derive(Debug, Args)]
pub struct NamedTask {
    /// The task's id, as `task list` shows it
    pub id: TaskId,
    /// In whose name.
    #[command(flatten)]
    pub acting: Acting,
}

/// A task that somebody has.
#[derive(Debug, Args)]
pub struct HeldTask {
    /// The task's id
    pub id: TaskId,
    /// The fence that `task claim` gave [default: the one under which it is held]
    #[arg(long)]
    pub fence: Option<Fence>,
    /// In whose name.
    #[command(flatten)]
    pub acting: Acting,
}

/// Tell how far a task is.
#[derive(Debug, Args)]
pub struct UpdateTask {
    /// The task.
    #[command(flatten)]
    pub held: HeldTask,
    /// How much is done
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub percent: Option<u8>,
    /// What is done, and what is next
    #[arg(long)]
    pub note: Option<String>,
}

/// Complete a task.
#[derive(Debug, Args)]
pub struct CompleteTask {
    /// The task.
    #[command(flatten)]
    pub held: HeldTask,
    /// What came of it, and where it is
    #[arg(long, default_value = "")]
    pub result: String,
}
