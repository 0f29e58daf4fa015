//! The node's own resources: who is here, messages, tasks and proposals. A page is followed by looking at it again
//! whenever something has changed.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use peerage_protocol::consensus::proposal::ProposalId;
use peerage_protocol::id::AgentName;
use peerage_protocol::messaging::message::{MessageId, Topic};
use peerage_protocol::tasks::TaskId;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::sleep;

use super::Builtins;
use super::answer::{self, ToolError};
use crate::control::{Links, Snapshots};
use crate::gateway::call::{CallError, Caller};
use crate::gateway::frontend::rest::api::NodesResponse;
use crate::gateway::router::subscriptions::Updates;
use crate::identity::Agents;
use crate::messaging::ShownMessage;
use crate::store::MessageQuery;
use crate::tasks::TaskQuery;

/// The agents that are present.
const AGENTS: &str = "peerage://agents";
/// The members of the mesh.
const NODES: &str = "peerage://nodes";
/// What waits for the agent that reads it.
const INBOX: &str = "peerage://inbox";
/// Before the id of a message.
const MESSAGES: &str = "peerage://messages/";
/// Before the name of a topic.
const TOPICS: &str = "peerage://topics/";
/// What is proposed, voted on and decided.
const PROPOSALS: &str = "peerage://proposals";
/// Before the id of a proposal.
const PROPOSAL: &str = "peerage://proposals/";

/// The tasks that are not over; a slash and an id names one.
const TASKS: &str = "peerage://tasks";
/// Before the id of a task.
const TASK: &str = "peerage://tasks/";

/// The definitions, as they are listed.
pub(super) const DEFINITIONS: [&str; 5] = [
    r#"{"uri":"peerage://agents","name":"agents","title":"Agents of the mesh","description":"The agents that are present on all machines of the mesh, with what they can do and what they are doing. Subscribe to be told when one comes, goes or changes.","mimeType":"application/json"}"#,
    r#"{"uri":"peerage://nodes","name":"nodes","title":"Machines of the mesh","description":"The machines of the mesh as this one knows them: state, role, path and round trip. Subscribe to be told when one comes or goes.","mimeType":"application/json"}"#,
    r#"{"uri":"peerage://inbox","name":"inbox","title":"Your inbox","description":"The messages for you that you have not acknowledged. Subscribe to be told when one comes.","mimeType":"application/json"}"#,
    r#"{"uri":"peerage://tasks","name":"tasks","title":"Tasks of the mesh","description":"The tasks that are not over, the most urgent first, with who has each. Subscribe to be told when one comes, is claimed, moves on or ends.","mimeType":"application/json"}"#,
    r#"{"uri":"peerage://proposals","name":"proposals","title":"Proposals of the mesh","description":"What is proposed, voted on and decided, the latest first. Subscribe to be told of every proposal, vote and decision.","mimeType":"application/json"}"#,
];

/// The definitions of the templates, as they are listed.
pub(super) const TEMPLATES: [&str; 4] = [
    r#"{"uriTemplate":"peerage://messages/{id}","name":"message","title":"A message","description":"One message that you sent or received, or a public one.","mimeType":"application/json"}"#,
    r#"{"uriTemplate":"peerage://topics/{+topic}","name":"topic","title":"A topic","description":"The latest 100 messages on a topic. Subscribe to be told of each new one.","mimeType":"application/json"}"#,
    r#"{"uriTemplate":"peerage://tasks/{id}","name":"task","title":"A task","description":"One task in full, with what came of it. Subscribe to be told when it is claimed, moves on or ends.","mimeType":"application/json"}"#,
    r#"{"uriTemplate":"peerage://proposals/{id}","name":"proposal","title":"A proposal","description":"One proposal: the votes for each outcome, what is needed, and the decision. Subscribe to be told of every vote and of the decision.","mimeType":"application/json"}"#,
];

/// A page that is followed is looked at no more often.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Messages of a topic that are shown.
const TOPIC_SHOWN_MAX: usize = 100;

/// Tells that somebody has come or gone: members, links or agents.
#[derive(Clone)]
pub struct MembersChanged {
    members: watch::Receiver<u64>,
    links: watch::Receiver<Arc<Links>>,
    agents: watch::Receiver<u64>,
}

impl MembersChanged {
    /// Of what control publishes, and of the agents of this node.
    pub fn new(snapshots: &Snapshots, agents: &Agents) -> Self {
        Self {
            members: snapshots.member_changes(),
            links: snapshots.links(),
            agents: agents.changes(),
        }
    }

    /// Only what happens from here on counts.
    fn only_new(mut self) -> Self {
        self.members.mark_unchanged();
        self.links.mark_unchanged();
        self.agents.mark_unchanged();
        self
    }
}

/// Something that tells of changes.
trait Changes: Send + 'static {
    /// Waits for the next; false when there will be none.
    fn next(&mut self) -> impl Future<Output = bool> + Send;
}

impl Changes for MembersChanged {
    async fn next(&mut self) -> bool {
        let changed = tokio::select! {
            changed = self.members.changed() => changed,
            changed = self.links.changed() => changed,
            changed = self.agents.changed() => changed,
        };
        changed.is_ok()
    }
}

impl<T: Send + Sync + 'static> Changes for watch::Receiver<T> {
    async fn next(&mut self) -> bool {
        self.changed().await.is_ok()
    }
}

/// Renders the members, once the network stands.
#[derive(Default)]
pub struct NodesPage(OnceLock<Arc<dyn Fn() -> NodesResponse + Send + Sync>>);

impl NodesPage {
    pub(super) fn set(&self, nodes: impl Fn() -> NodesResponse + Send + Sync + 'static) {
        // Told once, when the node starts.
        let _ = self.0.set(Arc::new(nodes));
    }

    fn render(&self) -> NodesResponse {
        self.0.get().map(|nodes| nodes()).unwrap_or_default()
    }
}

/// What a URI names.
enum Page {
    Agents,
    Nodes,
    Inbox(AgentName),
    Message(MessageId, AgentName),
    Topic(Topic, AgentName),
    Tasks,
    Task(TaskId),
    Proposals,
    Proposal(ProposalId),
}

impl Page {
    /// `None` where it is no builtin, or nothing that exists could go by that URI.
    fn of(uri: &str, caller: &Caller) -> Option<Result<Self, CallError>> {
        let reader = || {
            answer::agent(caller)
                .cloned()
                .map_err(|refused| not_allowed(&refused))
        };
        Some(match uri {
            AGENTS => Ok(Self::Agents),
            NODES => Ok(Self::Nodes),
            INBOX => reader().map(Self::Inbox),
            TASKS => Ok(Self::Tasks),
            _ if uri.starts_with(TASK) => Ok(Self::Task(uri.strip_prefix(TASK)?.parse().ok()?)),
            PROPOSALS => Ok(Self::Proposals),
            _ if uri.starts_with(PROPOSAL) => {
                Ok(Self::Proposal(uri.strip_prefix(PROPOSAL)?.parse().ok()?))
            }
            _ => match (uri.strip_prefix(MESSAGES), uri.strip_prefix(TOPICS)) {
                (Some(id), _) => {
                    let id = id.parse().ok()?;
                    reader().map(|reader| Self::Message(id, reader))
                }
                (_, Some(topic)) => {
                    let topic = topic.parse().ok()?;
                    reader().map(|reader| Self::Topic(topic, reader))
                }
                _ => return None,
            },
        })
    }
}

fn not_allowed(refused: &ToolError) -> CallError {
    CallError::InvalidParams {
        what: refused.to_string(),
    }
}

/// Reads a resource; `None` where it is no builtin.
pub(super) async fn read(
    builtins: &Builtins,
    uri: &str,
    caller: &Caller,
) -> Option<Result<Bytes, CallError>> {
    let page = match Page::of(uri, caller)? {
        Ok(page) => page,
        Err(refused) => return Some(Err(refused)),
    };
    let unknown = || CallError::UnknownResource {
        uri: uri.to_owned(),
    };
    let rendered = match page {
        Page::Agents => Ok(json!({"agents": builtins.directory.all()})),
        Page::Nodes => Ok(json!(builtins.nodes.render())),
        Page::Inbox(reader) => messages(builtins.messaging.inbox(&reader).await),
        Page::Message(id, reader) => {
            let found = builtins.messaging.find(&reader, one(id)).await;
            match found.map(|found| found.into_iter().next()) {
                Ok(found) => found.map(|found| json!(found)).ok_or_else(unknown),
                Err(error) => Err(failed(&error)),
            }
        }
        Page::Tasks => Ok(json!({"tasks": builtins.tasks.find(&not_over())})),
        Page::Task(id) => {
            let found = builtins.tasks.show(id);
            found.map(|found| json!(found)).ok_or_else(unknown)
        }
        Page::Proposals => Ok(json!({"proposals": builtins.deciding.all()})),
        Page::Proposal(id) => {
            let found = builtins.deciding.status(&id.to_string());
            found.map(|found| json!(found)).map_err(|_| unknown())
        }
        Page::Topic(topic, reader) => {
            messages(builtins.messaging.find(&reader, on_topic(topic)).await)
        }
    };
    Some(rendered.map(|json| contents(uri, &json.to_string())))
}

fn not_over() -> TaskQuery {
    TaskQuery {
        limit: super::tasks::LISTED_MAX,
        ..TaskQuery::default()
    }
}

fn one(id: MessageId) -> MessageQuery {
    MessageQuery {
        id: Some(id),
        limit: 1,
        ..MessageQuery::default()
    }
}

fn on_topic(topic: Topic) -> MessageQuery {
    MessageQuery {
        topic: Some(topic),
        limit: TOPIC_SHOWN_MAX,
        ..MessageQuery::default()
    }
}

fn messages<E: std::error::Error>(found: Result<Vec<ShownMessage>, E>) -> Result<Value, CallError> {
    match found {
        Ok(messages) => Ok(json!({"messages": messages})),
        Err(error) => Err(failed(&error)),
    }
}

fn failed(error: &dyn std::error::Error) -> CallError {
    CallError::Busy {
        what: error.to_string(),
    }
}

/// The raw result of a read.
fn contents(uri: &str, text: &str) -> Bytes {
    let content = json!({"uri": uri, "mimeType": "application/json", "text": text});
    json!({"contents": [content]}).to_string().into()
}

/// Follows a resource; `None` where it is no builtin.
pub(super) async fn follow(
    builtins: &Builtins,
    uri: &str,
    caller: &Caller,
) -> Option<Result<Updates, CallError>> {
    let page = match Page::of(uri, caller)? {
        Ok(page) => page,
        Err(refused) => return Some(Err(refused)),
    };
    let members = builtins.changed.clone().only_new();
    let messaging = builtins.messaging.clone();
    let tasks = builtins.tasks.clone();
    Some(Ok(match page {
        Page::Agents => {
            let directory = builtins.directory.clone();
            let all = move || std::future::ready(directory.all());
            updates(members, all).await
        }
        Page::Nodes => {
            let nodes = builtins.nodes.0.get().cloned();
            updates(members, move || {
                std::future::ready(standing(nodes.as_deref()))
            })
            .await
        }
        Page::Inbox(reader) => {
            let waiting = move || {
                let (messaging, reader) = (messaging.clone(), reader.clone());
                async move { ids(messaging.inbox(&reader).await.unwrap_or_default()) }
            };
            updates(builtins.messaging.news(), waiting).await
        }
        Page::Topic(topic, reader) => {
            let latest = move || {
                let (messaging, reader) = (messaging.clone(), reader.clone());
                let query = on_topic(topic.clone());
                async move { ids(messaging.find(&reader, query).await.unwrap_or_default()) }
            };
            updates(builtins.messaging.news(), latest).await
        }
        Page::Tasks => {
            let found = move || std::future::ready(tasks.find(&not_over()));
            updates(builtins.tasks.changes(), found).await
        }
        Page::Task(id) => {
            let posted = move || {
                let posted = tasks.board().get(id);
                std::future::ready(posted.map(|posted| posted.task))
            };
            updates(builtins.tasks.changes(), posted).await
        }
        Page::Proposals => {
            let deciding = builtins.deciding.clone();
            let all = move || std::future::ready(deciding.all());
            updates(builtins.deciding.changes(), all).await
        }
        Page::Proposal(id) => {
            let deciding = builtins.deciding.clone();
            let one = move || std::future::ready(deciding.status(&id.to_string()).ok());
            updates(builtins.deciding.changes(), one).await
        }
        // What was said stays said.
        Page::Message(..) => stream::pending().boxed(),
    }))
}

/// What of the members is worth telling: round trips and clocks change all the time.
fn standing(nodes: Option<&(dyn Fn() -> NodesResponse + Send + Sync)>) -> Vec<Value> {
    let nodes = nodes.map(|nodes| nodes().nodes).unwrap_or_default();
    let each = nodes
        .into_iter()
        .map(|node| json!([node.node, node.name, node.state, node.role, node.path]));
    each.collect()
}

fn ids(messages: Vec<ShownMessage>) -> Vec<String> {
    messages.into_iter().map(|message| message.id).collect()
}

/// One item each time the page has changed.
async fn updates<C, P, F>(changes: C, page: impl Fn() -> F + Send + 'static) -> Updates
where
    C: Changes,
    P: PartialEq + Send + 'static,
    F: Future<Output = P> + Send,
{
    let shown = page().await;
    stream::unfold(
        (changes, page, shown),
        |(mut changes, page, shown)| async move {
            loop {
                if !changes.next().await {
                    return None;
                }
                let now = page().await;
                if now != shown {
                    return Some(((), (changes, page, now)));
                }
                sleep(LOOK_EVERY).await;
            }
        },
    )
    .boxed()
}
