//! What a child asks and tells its client, and what it must hear of the clients behind its callers.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::connection::{Connection, is_power_of_ten};
use super::pending::Unasked;
use crate::gateway::aside::ServerRequest;
use crate::gateway::backend::client_news::{ROOTS_CHANGED, SET_LEVEL, level_params};
use crate::gateway::backend::greeting::bare_params;
use crate::gateway::backend::handshake::Ask;
use crate::gateway::backend::open_requests::{CANCELLED, is_task_status};
use crate::gateway::backend::origin::Origin;
use crate::gateway::backend::outgoing::{Outgoing, on_one_line, own_answer};
use crate::gateway::backend::progress::PROGRESS;
use crate::gateway::call::{Call, Era, ReplyBody};
use crate::gateway::client::LogLevel;

/// Requests of one child that callers have not answered yet; one more is refused.
pub(super) const ASKING_MAX: usize = 256;
/// The log notifications of a server.
const LOG: &str = "notifications/message";
/// Why a request goes to nobody although somebody is calling.
const AMBIGUOUS: &str = "calls of several clients are under way, and it is not said which of them is meant; \
    set \"instance\": \"per-session\" for this server in mcp.json";

impl Connection {
    /// Tells a legacy child what the client of a call has said meanwhile; the level to set before the call is made.
    pub(super) fn hear_client(&self, call: &Call) -> Option<LogLevel> {
        if self.era() != Era::Legacy {
            return None;
        }
        if self.client_news.roots_to_tell(&call.client) {
            self.note(Outgoing::notification(
                ROOTS_CHANGED,
                bare_params(Era::Legacy),
            ));
        }
        if !self.capabilities().logging {
            return None;
        }
        let origin = Origin::of(call, call.params.raw());
        let wanted = origin.named_log_level()?;
        self.client_news.level_to_set(wanted)
    }

    /// A child that does not take the level logs as it likes.
    pub(super) async fn set_level(self: Arc<Self>, level: LogLevel) {
        if let Err(error) = self.ask(SET_LEVEL, level_params(level)).await {
            tracing::debug!(target: "upstream", server = %self.server, %error, "its log level is not set");
        }
    }

    /// Takes a notification; what names no call goes to the one client that it can only mean.
    pub(super) fn take_notification(&self, method: &str, line: &Bytes) {
        let lost = match method {
            PROGRESS => self.pending.progress(line),
            CANCELLED => {
                self.open_requests.withdraw(line);
                None
            }
            other if is_task_status(other) => None,
            other if self.announcements.take_in(other) => None,
            other if self.followed.take_in(other, line) => None,
            other => self.pending.tell(line.clone(), other == LOG),
        };
        if let Some(id) = lost {
            self.note(Outgoing::cancelled(id));
        }
    }

    /// Brings a request of the child to the caller it can only mean; where that is not certain, it is refused.
    pub(super) fn take_request(self: &Arc<Self>, id: &str, method: &str, params: Option<Bytes>) {
        let refuse = |why| self.note(Outgoing::response(id, own_answer(method, why)));
        if method == "ping" {
            return refuse("");
        }
        let Ok(place) = Arc::clone(&self.asking).try_acquire_owned() else {
            return refuse("too many requests of this server are unanswered");
        };
        let origin = match self.pending.meant() {
            Ok(origin) => origin,
            Err(Unasked::Nobody) => return refuse("no call of this server is under way"),
            Err(Unasked::Several) => {
                self.note_ambiguous();
                return refuse(AMBIGUOUS);
            }
        };
        let (request, answered) = ServerRequest::new(method, params);
        let number = request.number;
        self.open_requests.enter(id, number, origin.clone());
        self.client_news.asked(origin.client(), method);
        origin.ask(request);
        let (connection, id) = (Arc::clone(self), id.to_owned());
        tokio::spawn(async move {
            let answered = connection.stop.run_until_cancelled(answered).await;
            let body = answered.and_then(Result::ok);
            let body = body.unwrap_or_else(|| own_answer("", "the caller gave no answer"));
            if connection.open_requests.answered(&id, number) {
                let response = Outgoing::response(&id, on_one_line_body(body));
                connection.outbox.respond(response).await;
            }
            drop(place);
        });
    }

    /// Requests that were refused because they could have meant several callers.
    pub(super) fn ambiguous(&self) -> u64 {
        self.ambiguous.load(Ordering::Relaxed)
    }

    fn note_ambiguous(&self) {
        let count = self.ambiguous.fetch_add(1, Ordering::Relaxed) + 1;
        if is_power_of_ten(count) {
            tracing::warn!(target: "upstream", server = %self.server, count, "refused its request: {AMBIGUOUS}");
        }
    }
}

fn on_one_line_body(body: ReplyBody) -> ReplyBody {
    match body {
        ReplyBody::Result(raw) => ReplyBody::Result(on_one_line(raw)),
        ReplyBody::Error(raw) => ReplyBody::Error(on_one_line(raw)),
    }
}
