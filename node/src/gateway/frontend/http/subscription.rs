//! Streams of `notifications/tools/list_changed`: `subscriptions/listen` in the modern era, GET in the legacy one.

use std::sync::Arc;

use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio_util::sync::CancellationToken;

use super::refusal::HttpRefusal;
use super::request::Exchange;
use super::sessions::OpenStream;
use super::{Frontend, SUBSCRIPTIONS_MAX, respond};
use crate::gateway::call::{CallError, Era};
use crate::gateway::mcp::answer::{Answer, Refusal};
use crate::gateway::mcp::envelope::{Request, RequestId};
use crate::gateway::mcp::era::SUBSCRIPTION_KEY;
use crate::gateway::mcp::sse;

/// The kinds of event that a client asks for; this node has one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    #[serde(default)]
    tools_list_changed: bool,
}

#[derive(Deserialize)]
struct ListenParams {
    notifications: Filter,
}

/// A stream that lasts until the client or the node goes.
struct Subscription {
    id: RequestId,
    changes: Option<watch::Receiver<u64>>,
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
    Ok(match messages(frontend, request) {
        Ok(messages) => {
            let frames = messages.map(|message| sse::event(&message));
            respond::event_stream(frames.take_until(revoked).boxed())
        }
        Err(answer) => respond::answer(Era::Modern, exchange.accept, answer),
    })
}

/// The messages of one `subscriptions/listen`: acknowledged first, every one tagged with its id, at last the answer.
pub(super) fn messages(
    frontend: &Arc<Frontend>,
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
    let wanted = filter.tools_list_changed;
    let subscription = Subscription {
        id: request.id.clone(),
        changes: wanted.then(|| from_now_on(frontend.service.tools_changed())),
        shutdown: frontend.shutdown.clone(),
        over: false,
        _permit: permit,
    };
    let first = stream::once(std::future::ready(subscription.acknowledgement(wanted)));
    let rest = stream::unfold(subscription, |mut subscription| async move {
        let message = subscription.next().await;
        message.map(|message| (message, subscription))
    });
    Ok(first.chain(rest).boxed())
}

/// Opens the one stream of a legacy session; it ends with the credential that asked for it.
pub(super) fn session_stream(
    frontend: &Arc<Frontend>,
    mut open: OpenStream,
    revoked: BoxFuture<'static, ()>,
) -> Response {
    let closed = async move {
        tokio::select! {
            () = open.closed() => {}
            () = revoked => {}
        }
    };
    let frames = session_messages(frontend).map(|message| sse::event(&message));
    respond::event_stream(frames.take_until(closed).boxed())
}

/// What a legacy session hears outside of its calls, until the node stops.
pub(super) fn session_messages(frontend: &Arc<Frontend>) -> BoxStream<'static, Bytes> {
    let changes = from_now_on(frontend.service.tools_changed());
    let messages = stream::unfold(changes, |mut changes| async move {
        let changed = changes.changed().await;
        changed.ok().map(|()| (list_changed(None), changes))
    });
    let shutdown = frontend.shutdown.clone().cancelled_owned();
    messages.take_until(shutdown).boxed()
}

impl Subscription {
    async fn next(&mut self) -> Option<Bytes> {
        if self.over {
            return None;
        }
        let changed = tokio::select! {
            biased;
            () = self.shutdown.cancelled() => false,
            changed = next_change(&mut self.changes) => changed,
        };
        if changed {
            return Some(list_changed(Some(&self.id)));
        }
        self.over = true;
        let result = format!(
            "{{\"resultType\":\"complete\",\"_meta\":{}}}",
            tag(&self.id)
        );
        let answer = Answer::result(&self.id, result.as_bytes());
        Some(answer.message)
    }

    fn acknowledgement(&self, tools: bool) -> Bytes {
        let granted = if tools {
            "{\"toolsListChanged\":true}"
        } else {
            "{}"
        };
        let method = "notifications/subscriptions/acknowledged";
        let message = format!(
            "{{\"jsonrpc\":\"2.0\",\"method\":\"{method}\",\"params\":{{\"_meta\":{},\"notifications\":{granted}}}}}",
            tag(&self.id)
        );
        message.into()
    }
}

/// Whether the list changed; false when it never will again. Waits for ever where nothing was asked for.
async fn next_change(changes: &mut Option<watch::Receiver<u64>>) -> bool {
    match changes {
        Some(changes) => changes.changed().await.is_ok(),
        None => std::future::pending().await,
    }
}

fn from_now_on(mut changes: watch::Receiver<u64>) -> watch::Receiver<u64> {
    changes.borrow_and_update();
    changes
}

fn list_changed(subscription: Option<&RequestId>) -> Bytes {
    let params = subscription.map_or_else(String::new, |id| {
        format!(",\"params\":{{\"_meta\":{}}}", tag(id))
    });
    let method = "notifications/tools/list_changed";
    let message = format!("{{\"jsonrpc\":\"2.0\",\"method\":\"{method}\"{params}}}");
    message.into()
}

/// The raw `_meta` that ties a message to its subscription; the id stays as the client wrote it.
fn tag(id: &RequestId) -> String {
    format!("{{\"{SUBSCRIPTION_KEY}\":{}}}", id.as_json())
}
