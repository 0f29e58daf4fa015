//! A message as agents and people are shown it.

use peerage_protocol::id::NodeId;
use peerage_protocol::membership::roster::Roster;
use peerage_protocol::messaging::message::Priority;
use serde::{Deserialize, Serialize};

use crate::gateway::directory::Directory;
use crate::store::{Addressee, StoredMessage};

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownMessage {
    /// Its id: 32 hexadecimal digits.
    pub id: String,
    /// Who sent it: `name@node`.
    pub from: String,
    /// Whom it is for: `name@node`; absent for a public message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// What it is about; absent unless it went to a topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// What it says.
    pub text: String,
    /// How urgent its sender finds it.
    pub priority: Priority,
    /// The message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// When it was sent, by its sender's node: milliseconds since the Unix epoch.
    pub sent: u64,
    /// When it is forgotten, read or not.
    pub expires: u64,
}

impl ShownMessage {
    /// With the names that nodes have now.
    pub fn of(message: &StoredMessage, directory: &Directory) -> Self {
        let roster = directory.roster();
        let name = |node| node_name(roster.as_deref(), directory, node);
        let content = &message.content;
        let (to, topic) = match &message.to {
            Addressee::Agent { node, agent } => (Some(format!("{agent}@{}", name(*node))), None),
            Addressee::Everyone => (None, None),
            Addressee::Topic(topic) => (None, Some(topic.to_string())),
        };
        Self {
            id: content.id.to_string(),
            from: format!("{}@{}", content.from, name(message.author)),
            to,
            topic,
            text: content.text.clone(),
            priority: content.priority,
            reply_to: content.reply_to.map(|id| id.to_string()),
            sent: content.sent.0,
            expires: content.expires().0,
        }
    }
}

/// The name that a node has, or had when it was last a member; its id where it is not known.
fn node_name(roster: Option<&Roster>, directory: &Directory, node: NodeId) -> String {
    if node == directory.me() {
        return directory.own_name().to_string();
    }
    if let Some(name) = roster.and_then(|roster| roster.name_of(node)) {
        return name.to_string();
    }
    let known = roster.and_then(|roster| roster.known(node));
    known.map_or_else(
        || node.to_string(),
        |member| member.chain().body().name.to_string(),
    )
}
