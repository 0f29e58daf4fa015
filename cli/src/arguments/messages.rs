//! `send`, `inbox`, `messages`, `ack`: what agents write to each other, and the owner in any agent's name.

use std::time::Duration;

use clap::{Args, ValueEnum};
use peerage_protocol::id::AgentName;
use peerage_protocol::messaging::message::{MessageId, Topic};

use super::duration;

/// In whose name.
#[derive(Clone, Debug, Args)]
pub struct Acting {
    /// The agent of this node in whose name it is done [default: the agent of $PEERAGE_TOKEN, else owner]
    #[arg(long = "as", value_name = "NAME")]
    pub agent: Option<AgentName>,
}

/// Send a message.
#[derive(Debug, Args)]
pub struct Send {
    /// The agent it is for (NAME@NODE), unless it goes to a topic or to all, and then the text
    #[arg(required = true, value_name = "AGENT TEXT")]
    pub words: Vec<String>,
    /// To those who follow this topic
    #[arg(long, conflicts_with = "all")]
    pub topic: Option<Topic>,
    /// To every agent of the mesh
    #[arg(long)]
    pub all: bool,
    /// How urgent it is
    #[arg(long, value_enum, default_value_t = Priority::Normal)]
    pub priority: Priority,
    /// The id of the message that it answers
    #[arg(long, value_name = "ID")]
    pub reply_to: Option<MessageId>,
    /// How long it waits to be read
    #[arg(long, default_value = "7d", value_parser = duration::message_lifetime)]
    pub ttl: Duration,
    /// In whose name.
    #[command(flatten)]
    pub acting: Acting,
}

impl Send {
    /// Whom it is for where that is one agent, and the text; `None` where one of them is missing.
    pub fn split(&self) -> Option<(Option<&str>, String)> {
        let public = self.all || self.topic.is_some();
        let (to, text) = match (public, self.words.split_first()) {
            (true, _) => (None, &self.words[..]),
            (false, Some((to, text))) => (Some(to.as_str()), text),
            (false, None) => return None,
        };
        (!text.is_empty()).then(|| (to, text.join(" ")))
    }
}

/// How urgent a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Priority {
    /// It can wait
    Low,
    /// As most are
    Normal,
    /// Before others
    High,
}

/// Show an inbox.
#[derive(Debug, Args)]
pub struct Inbox {
    /// Show it again whenever it changes, until Ctrl-C
    #[arg(short, long)]
    pub watch: bool,
    /// In whose name.
    #[command(flatten)]
    pub acting: Acting,
}

/// Search messages.
#[derive(Debug, Args)]
pub struct Messages {
    /// Words that all occur in the text
    pub query: Vec<String>,
    /// Of this sender: NAME or NAME@NODE
    #[arg(long, value_name = "AGENT")]
    pub from: Option<String>,
    /// On this topic
    #[arg(long)]
    pub topic: Option<Topic>,
    /// At most so many, the latest first
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
    pub limit: u16,
    /// In whose name.
    #[command(flatten)]
    pub acting: Acting,
}

/// Acknowledge messages.
#[derive(Debug, Args)]
pub struct Ack {
    /// Their ids, as `inbox` shows them
    #[arg(required = true, value_name = "ID")]
    pub ids: Vec<MessageId>,
    /// In whose name.
    #[command(flatten)]
    pub acting: Acting,
}
