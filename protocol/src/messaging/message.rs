//! What a message says, and to whom.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::AgentName;
use crate::time::Timestamp;
use crate::wire::{decode_cbor, encode_cbor};

/// Bytes of a message's text: with everything around it, it fits an item of the log.
pub const TEXT_BYTES_MAX: usize = 48 * 1024;
/// Bytes of a topic's name.
pub const TOPIC_BYTES_MAX: usize = 64;
/// How long a message waits to be read, unless its sender says otherwise.
pub const LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The longest: direct lanes are kept no longer.
pub const LIFETIME_MAX: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Names a message, wherever it is and however often it is delivered: 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(#[serde(with = "serde_bytes")] pub [u8; 16]);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MessageId {
    type Err = MessageError;

    fn from_str(text: &str) -> Result<Self, MessageError> {
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes());
        let bytes = bytes.ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or(MessageError::Id)
    }
}

/// What a public message is about: 1 to 64 of `a-z`, `0-9`, `-`, `_`, `.` and `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Topic(String);

impl Topic {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Topic {
    type Err = MessageError;

    fn from_str(text: &str) -> Result<Self, MessageError> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for Topic {
    type Error = MessageError;

    fn try_from(text: String) -> Result<Self, MessageError> {
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_./".contains(c);
        match (1..=TOPIC_BYTES_MAX).contains(&text.len()) && text.chars().all(valid) {
            true => Ok(Self(text)),
            false => Err(MessageError::Topic),
        }
    }
}

impl From<Topic> for String {
    fn from(topic: Topic) -> Self {
        topic.0
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How urgent the sender finds it; an inbox shows the more urgent first.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// It can wait.
    Low,
    /// As most are.
    #[default]
    Normal,
    /// Before others.
    High,
}

/// What every message has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Which message it is.
    pub id: MessageId,
    /// The agent that sends it, at the node that wrote the entry.
    pub from: AgentName,
    /// Rises with every message of the same node, whatever the lane and the epoch: the order in which it sent them.
    pub number: u64,
    /// When it was sent, by that node's clock.
    pub sent: Timestamp,
    /// Seconds after that for which it waits to be read.
    pub lifetime: u32,
    /// How urgent it is.
    #[serde(default)]
    pub priority: Priority,
    /// The message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
    /// What it says.
    pub text: String,
}

impl Content {
    /// Checks the bounds.
    ///
    /// # Errors
    ///
    /// Names the first that is broken.
    pub fn check(&self) -> Result<(), MessageError> {
        let found = self.text.len();
        if !(1..=TEXT_BYTES_MAX).contains(&found) {
            return Err(MessageError::Text { found });
        }
        let seconds = u64::from(self.lifetime);
        match (1..=LIFETIME_MAX.as_secs()).contains(&seconds) {
            true => Ok(()),
            false => Err(MessageError::Lifetime { seconds }),
        }
    }

    /// When nobody is shown it any more.
    pub fn expires(&self) -> Timestamp {
        self.sent + Duration::from_secs(u64::from(self.lifetime))
    }
}

/// Whom a public message is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Audience {
    /// Every agent of the mesh.
    Everyone,
    /// The agents that follow a topic.
    Topic(Topic),
}

/// A message that every member may read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicMessage {
    /// Whom it is for.
    pub audience: Audience,
    /// What it says.
    pub content: Content,
}

/// A message to one agent, in the clear: at its two ends only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectMessage {
    /// The agent at the recipient's node.
    pub to: AgentName,
    /// What it says.
    pub content: Content,
}

impl DirectMessage {
    /// The bytes that are sealed.
    pub fn encode(&self) -> Vec<u8> {
        encode_cbor(self)
    }

    /// Reads the bytes that were sealed.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    pub fn decode(plain: &[u8]) -> Result<Self, super::ItemError> {
        let read: Self = decode_cbor(plain)?;
        read.content.check()?;
        Ok(read)
    }
}

/// What is wrong with a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Not the id of a message.
    #[error("the id of a message is 32 hexadecimal digits")]
    Id,
    /// Not a topic.
    #[error("a topic is 1 to {TOPIC_BYTES_MAX} of a-z, 0-9, '-', '_', '.' and '/'")]
    Topic,
    /// No text, or too much.
    #[error(
        "the text has {found} bytes; from 1 to {TEXT_BYTES_MAX} are allowed: put more into a file or a resource"
    )]
    Text {
        /// Its length.
        found: usize,
    },
    /// No lifetime, or too long.
    #[error("a lifetime of {seconds} s; from 1 s to {} s (14 days) are allowed", LIFETIME_MAX.as_secs())]
    Lifetime {
        /// How long.
        seconds: u64,
    },
}
