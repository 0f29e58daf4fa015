//! Sending, reading, waiting and acknowledging, for the agents of this node.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use peerage_protocol::id::{AgentName, MeshId, NodeId};
use peerage_protocol::log::{AppendError, Lane};
use peerage_protocol::membership::role::Role;
use peerage_protocol::messaging::DirectItem;
use peerage_protocol::messaging::message::{
    Audience, Content, DirectMessage, LIFETIME, MessageError, MessageId, Priority, PublicMessage,
    Topic,
};
use peerage_protocol::messaging::sealing::{Binding, MessageKey};
use peerage_protocol::messaging::shares::Shares;
use peerage_protocol::node_state::{Input, Reply};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::keyring::{SealError, seal};
use super::news::News;
use super::shown::ShownMessage;
use crate::control::{ControlClosed, ControlHandle, wall};
use crate::gateway::directory::Directory;
use crate::store::{Acknowledged, Addressee, MessageQuery, Store, StoreError, StoredMessage};

/// How long one wait for messages lasts at most: shorter than the patience of common clients.
pub const WAIT_MAX: Duration = Duration::from_secs(50);
/// The agent in whose name the machine's owner writes and reads who names no other; it has an inbox from the start.
pub const OWNER: &str = "owner";
/// Messages that an inbox shows at once; the rest follows once these are acknowledged.
const SHOWN_MAX: usize = 100;
/// Topics that one agent follows.
const TOPICS_MAX: usize = 64;

/// A message before it is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// What it says.
    pub text: String,
    /// How urgent it is.
    pub priority: Priority,
    /// The message that it answers.
    pub reply_to: Option<MessageId>,
    /// How long it waits to be read; a week where nothing is said.
    pub lifetime: Option<Duration>,
}

/// The messages of one node's agents.
pub struct Messaging {
    store: Store,
    control: ControlHandle,
    directory: Directory,
    news: News,
    last_number: AtomicU64,
}

/// Where a direct message goes.
struct Recipient {
    agent: AgentName,
    node: NodeId,
    /// Nothing for this node itself.
    sealed: Option<(MeshId, MessageKey)>,
}

impl Messaging {
    /// Messages in `store`, that go out through `control` to those whom `directory` knows; `news` tells of new ones.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn load(
        store: Store,
        control: ControlHandle,
        directory: Directory,
        news: News,
    ) -> Result<Self, StoreError> {
        store.own_messages_of(directory.me()).await?;
        if let Ok(owner) = OWNER.parse() {
            store.open_inbox(owner).await?;
        }
        let last = store.last_message_number(directory.me()).await?;
        Ok(Self {
            store,
            control,
            directory,
            news,
            last_number: AtomicU64::new(last),
        })
    }

    /// Sends a message to one agent, `name@node`, or `name` where only one is present that has it. Once this returns it
    /// is on this node's disk, and will arrive if its recipient's node comes back within its lifetime.
    ///
    /// # Errors
    ///
    /// Why it was not sent.
    pub async fn send(
        &self,
        from: &AgentName,
        to: &str,
        draft: Draft,
    ) -> Result<ShownMessage, MessagingError> {
        let recipient = self.recipient(to)?;
        let me = self.directory.me();
        let message = DirectMessage {
            to: recipient.agent.clone(),
            content: self.content(from, draft)?,
        };
        let stored = StoredMessage {
            author: me,
            to: Addressee::Agent {
                node: recipient.node,
                agent: recipient.agent,
            },
            content: message.content.clone(),
            received: message.content.sent,
        };
        match recipient.sealed {
            None => self.keep_here(to, message).await?,
            Some((mesh, key)) => {
                let binding = Binding {
                    mesh,
                    sender: me,
                    recipient: recipient.node,
                    number: message.content.number,
                };
                let sealed = seal(&key, &binding, &message)?;
                let item = DirectItem::Sealed(sealed).encode();
                let copy = self.store.keep_with_entry(me, message, recipient.node);
                self.append(Lane::Direct(recipient.node), item).await?;
                drop(copy);
            }
        }
        self.news.arrived();
        Ok(ShownMessage::of(&stored, &self.directory))
    }

    /// Keeps a message for an agent of this node.
    async fn keep_here(&self, to: &str, message: DirectMessage) -> Result<(), MessagingError> {
        let me = self.directory.me();
        let unread = self.store.unread().await?;
        if Shares::DEFAULT
            .held(&unread, &BTreeSet::new())
            .contains(&me)
        {
            return Err(MessagingError::InboxesFull { to: to.to_owned() });
        }
        Ok(self.store.keep_message(me, message, me).await?)
    }

    /// Tells every agent of the mesh, or those who follow a topic.
    ///
    /// # Errors
    ///
    /// Why it was not sent.
    pub async fn broadcast(
        &self,
        from: &AgentName,
        topic: Option<Topic>,
        draft: Draft,
    ) -> Result<ShownMessage, MessagingError> {
        let message = PublicMessage {
            audience: topic.map_or(Audience::Everyone, Audience::Topic),
            content: self.content(from, draft)?,
        };
        let me = self.directory.me();
        let stored = StoredMessage {
            author: me,
            to: match &message.audience {
                Audience::Everyone => Addressee::Everyone,
                Audience::Topic(topic) => Addressee::Topic(topic.clone()),
            },
            content: message.content.clone(),
            received: message.content.sent,
        };
        match self.directory.roster() {
            Some(_) => self.append(Lane::MESSAGES, message.encode()).await?,
            None => {
                self.store.keep_public_message(me, message).await?;
                self.news.arrived();
            }
        }
        Ok(ShownMessage::of(&stored, &self.directory))
    }

    /// What waits for an agent, at most 100, the most urgent first.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn inbox(&self, agent: &AgentName) -> Result<Vec<ShownMessage>, StoreError> {
        let me = self.directory.me();
        let waiting = self.store.inbox(agent.clone(), me, SHOWN_MAX).await?;
        let shown = waiting
            .iter()
            .map(|message| ShownMessage::of(message, &self.directory));
        Ok(shown.collect())
    }

    /// The same, once there is something, or after `patience`; [`WAIT_MAX`] at most.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn wait(
        &self,
        agent: &AgentName,
        patience: Duration,
    ) -> Result<Vec<ShownMessage>, StoreError> {
        let mut news = self.news.follow();
        let until = Instant::now() + patience.min(WAIT_MAX);
        loop {
            let waiting = self.inbox(agent).await?;
            if !waiting.is_empty() || timeout_at(until, news.changed()).await.is_err() {
                return Ok(waiting);
            }
        }
    }

    /// The agent has done with these.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn acknowledge(
        &self,
        agent: &AgentName,
        ids: Vec<MessageId>,
    ) -> Result<Acknowledged, StoreError> {
        let me = self.directory.me();
        let done = self
            .store
            .acknowledge_messages(agent.clone(), me, ids)
            .await?;
        self.news.arrived();
        Ok(done)
    }

    /// Follows a topic, or no more; gives all that the agent follows then.
    ///
    /// # Errors
    ///
    /// When there are too many, or the database fails.
    pub async fn follow_topic(
        &self,
        agent: &AgentName,
        topic: Topic,
        follow: bool,
    ) -> Result<Vec<Topic>, MessagingError> {
        let followed = self
            .store
            .follow_topic(agent.clone(), topic.clone(), follow, TOPICS_MAX)
            .await?;
        match follow && !followed.contains(&topic) {
            true => Err(MessagingError::TooManyTopics { limit: TOPICS_MAX }),
            false => Ok(followed),
        }
    }

    /// The topics that an agent follows.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn topics(&self, agent: &AgentName) -> Result<Vec<Topic>, StoreError> {
        self.store.followed_topics(agent.clone()).await
    }

    /// The messages that an agent may read and that fit `query`, the latest first.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn find(
        &self,
        agent: &AgentName,
        query: MessageQuery,
    ) -> Result<Vec<ShownMessage>, StoreError> {
        let me = self.directory.me();
        let found = self.store.find_messages(agent.clone(), me, query).await?;
        let shown = found
            .iter()
            .map(|message| ShownMessage::of(message, &self.directory));
        Ok(shown.collect())
    }

    /// The agents by whom senders are looked for, `name@node` or `name`.
    ///
    /// # Errors
    ///
    /// When the name or the node is none.
    pub fn sender(&self, named: &str) -> Result<(AgentName, Option<NodeId>), MessagingError> {
        match named.split_once('@') {
            None => Ok((agent_name(named)?, None)),
            Some((agent, node)) => Ok((agent_name(agent)?, Some(self.node(node)?))),
        }
    }

    /// Hears of whatever arrives from here on.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.follow()
    }

    fn recipient(&self, to: &str) -> Result<Recipient, MessagingError> {
        let (agent, node) = match to.split_once('@') {
            Some((agent, node)) => (agent_name(agent)?, self.node(node)?),
            None => self.only_one_called(to)?,
        };
        if node == self.directory.me() {
            return Ok(Recipient {
                agent,
                node,
                sealed: None,
            });
        }
        let roster = self.directory.roster().ok_or(AppendError::NoMesh)?;
        let known = roster.known(node);
        if known.is_some_and(|known| known.chain().body().role == Role::Guest) {
            return Err(MessagingError::Guest { to: to.to_owned() });
        }
        let record = known.and_then(|known| known.record());
        let key = record.and_then(|record| record.message_key);
        let key = key.ok_or_else(|| MessagingError::NoKey { to: to.to_owned() })?;
        Ok(Recipient {
            agent,
            node,
            sealed: Some((roster.mesh, key)),
        })
    }

    fn only_one_called(&self, name: &str) -> Result<(AgentName, NodeId), MessagingError> {
        let agent = agent_name(name)?;
        let all = self.directory.all();
        let beginning = format!("{agent}@");
        let found: Vec<_> = all
            .iter()
            .filter(|one| one.agent.starts_with(&beginning))
            .collect();
        let unknown = || MessagingError::UnknownAgent {
            agent: name.to_owned(),
        };
        match found[..] {
            [] => Err(unknown()),
            [one] => Ok((agent, one.node_id.parse().map_err(|_| unknown())?)),
            _ => Err(MessagingError::Ambiguous {
                agent: name.to_owned(),
                candidates: found.iter().map(|one| one.agent.clone()).collect(),
            }),
        }
    }

    fn node(&self, named: &str) -> Result<NodeId, MessagingError> {
        let found = self.directory.node_named(named);
        found.ok_or_else(|| MessagingError::UnknownNode {
            node: named.to_owned(),
        })
    }

    fn content(&self, from: &AgentName, draft: Draft) -> Result<Content, MessagingError> {
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|_| SealError::NoRandomness)?;
        let sent = wall();
        let last = self
            .last_number
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
                Some(sent.0.max(last + 1))
            });
        let lifetime = draft.lifetime.unwrap_or(LIFETIME).as_secs();
        let content = Content {
            id: MessageId(id),
            from: from.clone(),
            number: sent.0.max(last.unwrap_or_default() + 1),
            sent,
            lifetime: u32::try_from(lifetime).unwrap_or(u32::MAX),
            priority: draft.priority,
            reply_to: draft.reply_to,
            text: draft.text,
        };
        content.check()?;
        Ok(content)
    }

    async fn append(&self, lane: Lane, item: bytes::Bytes) -> Result<(), MessagingError> {
        let items = vec![item];
        let asked = self.control.ask(move |request| Input::Append {
            request,
            lane,
            items,
        });
        match asked.await? {
            Reply::Appended(appended) => Ok(appended.map(|_| ())?),
            _ => Err(ControlClosed.into()),
        }
    }
}

fn agent_name(text: &str) -> Result<AgentName, MessagingError> {
    text.parse().map_err(|_| MessagingError::UnknownAgent {
        agent: text.to_owned(),
    })
}

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
pub enum MessagingError {
    /// No agent goes by that name.
    #[error(
        "no agent called {agent} is present; name one that is away by its address, name@node (agent_list shows who is \
         present)"
    )]
    UnknownAgent {
        /// As the caller named it.
        agent: String,
    },
    /// Several agents go by that name.
    #[error("several agents are called {agent}; say which: {}", candidates.join(", "))]
    Ambiguous {
        /// As the caller named it.
        agent: String,
        /// Their addresses.
        candidates: Vec<String>,
    },
    /// No member goes by that name.
    #[error("no machine of the mesh is called {node}; `peerage nodes` shows them")]
    UnknownNode {
        /// As the caller named it.
        node: String,
    },
    /// The recipient's node has not told of its key yet.
    #[error(
        "the node of {to} has not told by which key it reads messages: it was never online together with this node, or \
         runs an older version"
    )]
    NoKey {
        /// As the caller named it.
        to: String,
    },
    /// Guests of the mesh hold no log.
    #[error("the node of {to} is a guest of the mesh, and guests take no messages")]
    Guest {
        /// As the caller named it.
        to: String,
    },
    /// An agent follows no more topics than so many.
    #[error("{limit} topics are followed already; give one up first")]
    TooManyTopics {
        /// How many.
        limit: usize,
    },
    /// The agents of this node that it writes to have not read what came before.
    #[error(
        "{to} and others of this node have too much unread of this node's own agents; it must be read first"
    )]
    InboxesFull {
        /// As the caller named it.
        to: String,
    },
    /// The message breaks a bound.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// It could not be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The log does not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// Control does not answer: it may have been sent.
    #[error(
        "the node did not answer in time, so the message may have been sent or not; look with message_query"
    )]
    Unanswered(#[from] ControlClosed),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
