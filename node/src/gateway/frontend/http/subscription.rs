//! What changes outside of any call, as a stream: `subscriptions/listen` in the modern era, GET in the legacy one.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::response::Response;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, FuturesUnordered};
use futures::{FutureExt, StreamExt};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::refusal::HttpRefusal;
use super::replay::{EventId, SESSION_STREAM};
use super::request::Exchange;
use super::sessions::OpenStream;
use super::{Frontend, SUBSCRIPTIONS_MAX, respond};
use crate::control::ListVersions;
use crate::gateway::backend::upstream::ListChanges;
use crate::gateway::call::{CallError, Caller, Era};
use crate::gateway::mcp::answer::{Answer, Refusal};
use crate::gateway::mcp::envelope::{Request, RequestId};
use crate::gateway::mcp::era::SUBSCRIPTION_KEY;
use crate::gateway::mcp::sse;

/// Resources that one stream may follow.
const FOLLOWED_MAX: usize = 256;

/// The kinds of event that a client asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    #[serde(default)]
    tools_list_changed: bool,
    #[serde(default)]
    prompts_list_changed: bool,
    #[serde(default)]
    resources_list_changed: bool,
    #[serde(default)]
    resource_subscriptions: Vec<String>,
}

#[derive(Deserialize)]
struct ListenParams {
    notifications: Filter,
}

/// The updates of one resource, and what must be driven for them to come.
struct Following {
    driven: BoxFuture<'static, ()>,
    updated: mpsc::Receiver<()>,
}

/// A stream that lasts until the client or the node goes.
struct Subscription {
    id: RequestId,
    filter: Filter,
    changes: ListsWatch,
    /// Followed resources, by their place in the filter.
    updates: FuturesUnordered<BoxFuture<'static, (usize, Following)>>,
    /// Messages that are due.
    due: VecDeque<Bytes>,
    shutdown: CancellationToken,
    over: bool,
    _permit: OwnedSemaphorePermit,
}

/// Opens the stream of one `subscriptions/listen` as a response.
pub(super) fn listen(
    frontend: &Arc<Frontend>,
    exchange: &Exchange<'_>,
    request: &Request,
) -> Result<Response, HttpRefusal> {
    if !exchange.accept.stream {
        return Err(HttpRefusal::NotAcceptable);
    }
    let revoked = frontend.service.until_revoked(&exchange.credential);
    Ok(
        match messages(frontend, &exchange.credential.caller, request) {
            Ok(messages) => {
                let frames = messages.map(|message| sse::event(&message));
                respond::event_stream(frames.take_until(revoked).boxed())
            }
            Err(answer) => respond::answer(Era::Modern, exchange.accept, answer),
        },
    )
}

/// The messages of one `subscriptions/listen`: acknowledged first, every one tagged with its id, at last the answer.
pub(super) fn messages(
    frontend: &Arc<Frontend>,
    caller: &Caller,
    request: &Request,
) -> Result<BoxStream<'static, Bytes>, Answer> {
    let refused = |refusal: &Refusal| Answer::refusal(Some(&request.id), refusal);
    let filter = match serde_json::from_slice::<ListenParams>(&request.params.to_bytes()) {
        Ok(params) => params.notifications,
        Err(error) => {
            let refusal = Refusal::new(-32602, format!("Invalid params: {error}"));
            return Err(refused(&refusal));
        }
    };
    let Ok(permit) = frontend.subscriptions.clone().try_acquire_owned() else {
        let what = format!("{SUBSCRIPTIONS_MAX} subscriptions are open at this node");
        return Err(refused(&(&CallError::Busy { what }).into()));
    };
    if filter.resource_subscriptions.len() > FOLLOWED_MAX {
        let what = format!("{FOLLOWED_MAX} resources on one stream");
        return Err(refused(&(&CallError::Busy { what }).into()));
    }
    let mut subscription = Subscription {
        id: request.id.clone(),
        changes: ListsWatch::new(frontend.service.lists_changed()),
        updates: FuturesUnordered::new(),
        due: VecDeque::new(),
        filter,
        shutdown: frontend.shutdown.clone(),
        over: false,
        _permit: permit,
    };
    let (frontend, caller) = (frontend.clone(), caller.clone());
    let begun = async move {
        subscription.follow_resources(&frontend, &caller).await;
        subscription.due.push_back(subscription.acknowledgement());
        subscription
    };
    let messages = stream::once(begun).flat_map(|subscription| {
        stream::unfold(subscription, |mut subscription| async move {
            let message = subscription.next().await;
            message.map(|message| (message, subscription))
        })
    });
    Ok(messages.boxed())
}

/// Opens the one stream of a legacy session; it ends with the credential that asked for it. Taken up again, it begins
/// with what the client may have missed: lists that have changed.
pub(super) fn session_stream(
    frontend: &Arc<Frontend>,
    open: OpenStream,
    resumed: bool,
    revoked: BoxFuture<'static, ()>,
) -> Response {
    let (mut closing, unasked) = open.split();
    let closed = async move {
        tokio::select! {
            () = closing.closed() => {}
            () = revoked => {}
        }
    };
    let missed = if resumed { all_changed() } else { Vec::new() };
    let messages = stream::iter(missed)
        .chain(session_messages(frontend, unasked))
        .zip(stream::iter(1..));
    let frames = messages.map(|(message, event)| {
        let stream = SESSION_STREAM;
        sse::event_with_id(EventId { stream, event }, &message)
    });
    respond::event_stream(frames.take_until(closed).boxed())
}

/// What a legacy session hears outside of its calls, until the node stops: changed lists, and what is `unasked`.
pub(super) fn session_messages(
    frontend: &Arc<Frontend>,
    unasked: BoxStream<'static, Bytes>,
) -> BoxStream<'static, Bytes> {
    let changes = ListsWatch::new(frontend.service.lists_changed());
    let changed = stream::unfold(changes, |mut changes| async move {
        let changed = changes.changed().await?;
        Some((stream::iter(list_changed(changed, None)), changes))
    });
    let shutdown = frontend.shutdown.clone().cancelled_owned();
    stream::select(changed.flatten(), unasked)
        .take_until(shutdown)
        .boxed()
}

/// A message for every list.
fn all_changed() -> Vec<Bytes> {
    let all = ListChanges {
        tools: true,
        prompts: true,
        resources: true,
    };
    list_changed(all, None)
}

impl Subscription {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(message) = self.due.pop_front() {
                return Some(message);
            }
            if self.over {
                return None;
            }
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => self.finish(),
                Some((place, following)) = self.updates.next() => self.take_update(place, following),
                changed = self.changes.changed() => match changed {
                    Some(changed) => self.due.extend(list_changed(self.wanted(changed), Some(&self.id))),
                    None => self.finish(),
                },
            }
        }
    }

    /// Resources that nobody has are not followed, and not acknowledged.
    async fn follow_resources(&mut self, frontend: &Frontend, caller: &Caller) {
        let wanted = std::mem::take(&mut self.filter.resource_subscriptions);
        for uri in wanted {
            let (sender, updated) = mpsc::channel(1);
            let followed = frontend.service.follow(caller.clone(), uri.clone(), sender);
            match followed.await {
                Ok(driven) => {
                    let place = self.filter.resource_subscriptions.len();
                    self.filter.resource_subscriptions.push(uri);
                    self.updates
                        .push(next_update(place, Following { driven, updated }));
                }
                Err(error) => tracing::debug!(%error, "a resource is not followed"),
            }
        }
    }

    fn take_update(&mut self, place: usize, following: Following) {
        if let Some(uri) = self.filter.resource_subscriptions.get(place) {
            let uri = serde_json::Value::from(uri.as_str());
            let params = format!(r#"{{"uri":{uri},"_meta":{}}}"#, tag(&self.id));
            self.due
                .push_back(notification("notifications/resources/updated", &params));
        }
        self.updates.push(next_update(place, following));
    }

    fn wanted(&self, changed: ListChanges) -> ListChanges {
        ListChanges {
            tools: changed.tools && self.filter.tools_list_changed,
            prompts: changed.prompts && self.filter.prompts_list_changed,
            resources: changed.resources && self.filter.resources_list_changed,
        }
    }

    fn finish(&mut self) {
        self.over = true;
        let result = format!(
            "{{\"resultType\":\"complete\",\"_meta\":{}}}",
            tag(&self.id)
        );
        let answer = Answer::result(&self.id, result.as_bytes());
        self.due.push_back(answer.message);
    }

    fn acknowledgement(&self) -> Bytes {
        let mut granted = serde_json::Map::new();
        let lists = [
            ("toolsListChanged", self.filter.tools_list_changed),
            ("promptsListChanged", self.filter.prompts_list_changed),
            ("resourcesListChanged", self.filter.resources_list_changed),
        ];
        for (kind, _) in lists.into_iter().filter(|(_, wanted)| *wanted) {
            granted.insert(kind.to_owned(), true.into());
        }
        let followed = &self.filter.resource_subscriptions;
        if !followed.is_empty() {
            granted.insert("resourceSubscriptions".to_owned(), followed.clone().into());
        }
        let granted = serde_json::Value::from(granted);
        let params = format!(r#"{{"_meta":{},"notifications":{granted}}}"#, tag(&self.id));
        notification("notifications/subscriptions/acknowledged", &params)
    }
}

fn next_update(place: usize, mut following: Following) -> BoxFuture<'static, (usize, Following)> {
    async move {
        tokio::select! {
            biased;
            Some(()) = following.updated.recv() => {}
            () = &mut following.driven => std::future::pending().await,
        }
        (place, following)
    }
    .boxed()
}

/// The versions of the lists, and which of them have risen since the last look.
struct ListsWatch {
    versions: watch::Receiver<ListVersions>,
    seen: ListVersions,
}

impl ListsWatch {
    fn new(mut versions: watch::Receiver<ListVersions>) -> Self {
        let seen = *versions.borrow_and_update();
        Self { versions, seen }
    }

    /// What has changed; `None` when nothing ever will again. Cancel-safe.
    async fn changed(&mut self) -> Option<ListChanges> {
        self.versions.changed().await.ok()?;
        let now = *self.versions.borrow_and_update();
        let before = std::mem::replace(&mut self.seen, now);
        Some(ListChanges {
            tools: now.tools != before.tools,
            prompts: now.prompts != before.prompts,
            resources: now.resources != before.resources,
        })
    }
}

/// A message for each list that has changed.
fn list_changed(changed: ListChanges, subscription: Option<&RequestId>) -> Vec<Bytes> {
    let params = subscription.map(|id| format!(r#"{{"_meta":{}}}"#, tag(id)));
    let kinds = [
        (changed.tools, "notifications/tools/list_changed"),
        (changed.prompts, "notifications/prompts/list_changed"),
        (changed.resources, "notifications/resources/list_changed"),
    ];
    kinds
        .into_iter()
        .filter(|(has_changed, _)| *has_changed)
        .map(|(_, method)| match &params {
            Some(params) => notification(method, params),
            None => format!(r#"{{"jsonrpc":"2.0","method":"{method}"}}"#).into(),
        })
        .collect()
}

fn notification(method: &str, params: &str) -> Bytes {
    format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#).into()
}

/// The raw `_meta` that ties a message to its subscription; the id stays as the client wrote it.
fn tag(id: &RequestId) -> String {
    format!("{{\"{SUBSCRIPTION_KEY}\":{}}}", id.as_json())
}
