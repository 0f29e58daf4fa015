//! What an HTTP server asks and tells its client: on the stream of a call, or on its own stream without naming one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::session::Session;
use crate::gateway::aside::ServerRequest;
use crate::gateway::backend::client_news::{ROOTS_CHANGED, SET_LEVEL, level_params};
use crate::gateway::backend::greeting::bare_params;
use crate::gateway::backend::handshake::Ask;
use crate::gateway::backend::open_requests::{CANCELLED, is_task_status};
use crate::gateway::backend::origin::{Meant, Origin, meant};
use crate::gateway::backend::outgoing::{Outgoing, on_one_line, own_answer};
use crate::gateway::call::Era;

/// The log notifications of a server.
pub(super) const LOG: &str = "notifications/message";

/// The calls under way in one session, by our ids.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    calls: Mutex<BTreeMap<u64, Origin>>,
}

impl UnderWay {
    /// Enters a call until the guard is dropped.
    pub(super) fn enter(&self, id: u64, origin: Origin) -> Entered<'_> {
        self.lock().insert(id, origin);
        Entered { calls: self, id }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Origin>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call under way.
#[derive(Debug)]
pub(super) struct Entered<'a> {
    calls: &'a UnderWay,
    id: u64,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.calls.lock().remove(&self.id);
    }
}

impl Session {
    /// Tells a legacy server what the client of a call has said since its last call. A server that does not take it
    /// goes on as before.
    pub(super) async fn tell_of_client(&self, origin: &Origin) {
        if self.client_news.roots_to_tell(origin.client()) {
            let told = self.tell(ROOTS_CHANGED, bare_params(Era::Legacy)).await;
            self.note_untold(told.is_ok());
        }
        if !self.capabilities().logging {
            return;
        }
        let wanted = origin.named_log_level();
        if let Some(level) = wanted.and_then(|wanted| self.client_news.level_to_set(wanted)) {
            let set = self.ask(SET_LEVEL, level_params(level)).await;
            self.note_untold(set.is_ok());
        }
    }

    fn note_untold(&self, is_told: bool) {
        if !is_told {
            tracing::debug!(target: "upstream", server = %self.server, "it does not hear what its client says");
        }
    }

    /// Takes a notification that came on the server's own stream. What says nothing of the session as a whole goes to
    /// the one client that has calls under way.
    pub(super) fn take_unasked(&self, method: &str, message: &Bytes) {
        if method == CANCELLED {
            return self.open_requests.withdraw(message);
        }
        let of_the_session = is_task_status(method)
            || self.announcements.take_in(method)
            || self.followed.take_in(method, message);
        if of_the_session {
            return;
        }
        let calls = self.under_way.lock();
        let Meant::One(origin) = meant(calls.values()) else {
            return;
        };
        let message = on_one_line(message.clone());
        let told = match method {
            LOG => origin.tell_log(message),
            _ => origin.tell(message),
        };
        if told.is_err() {
            tracing::debug!(target: "upstream", server = %self.server, "a caller does not read; it is not told");
        }
    }

    /// Brings a request of the server to the caller `origin`, or to the one whom it can only mean, and posts what is
    /// answered.
    pub(super) fn take_request(
        self: &Arc<Self>,
        origin: Option<&Origin>,
        id: &str,
        method: &str,
        params: Option<Bytes>,
    ) {
        let refuse = |why| self.post_aside(Outgoing::response(id, own_answer(method, why)), "");
        if method == "ping" {
            return refuse("");
        }
        let origin = match origin {
            Some(origin) => origin.clone(),
            None => match meant(self.under_way.lock().values()) {
                Meant::One(origin) => origin.clone(),
                Meant::Nobody => return refuse("no call of this server is under way"),
                Meant::Several => {
                    return refuse("calls of several clients are under way, and none is named");
                }
            },
        };
        let (request, answered) = ServerRequest::new(method, params);
        let number = request.number;
        let (session, own_id) = (Arc::clone(self), id.to_owned());
        let posted = self.post_later(async move {
            let body = answered.await.ok();
            let body = body.unwrap_or_else(|| own_answer("", "the caller gave no answer"));
            let is_wanted = session.open_requests.answered(&own_id, number);
            is_wanted.then(|| Outgoing::response(&own_id, body))
        });
        if posted {
            self.open_requests.enter(id, number, origin.clone());
            self.client_news.asked(origin.client(), method);
            origin.ask(request);
        }
    }
}
