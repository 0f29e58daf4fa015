//! Passes one call on to an HTTP server and brings back its notifications and its answer.

use std::sync::Arc;

use bytes::Bytes;

use super::answer::Aside;
use super::requests::LOG;
use super::session::{Failure, Session};
use crate::gateway::aside;
use crate::gateway::backend::greeting::{with_modern_meta, without_modern_meta};
use crate::gateway::backend::handshake::Ask;
use crate::gateway::backend::open_requests::{CANCELLED, is_task_status};
use crate::gateway::backend::origin::Origin;
use crate::gateway::backend::outgoing::{Outgoing, on_one_line};
use crate::gateway::backend::progress::{self, PROGRESS};
use crate::gateway::call::{Call, Era, Reply};

impl Session {
    /// Passes `call` on, whose raw progress token is `token`. Dropping the future cancels the call at the server: a
    /// modern one sees its stream close, a legacy one is told.
    pub(crate) async fn forward(
        self: &Arc<Self>,
        call: &mut Call,
        token: Option<&Bytes>,
    ) -> Result<Reply, Failure> {
        if self.era() == Era::Legacy {
            let origin = Origin::of(call, call.params.raw());
            Box::pin(self.tell_of_client(&origin)).await;
        }
        let id = self.next_id();
        let params = self.params(call, id, token);
        let message = Outgoing::request(id, &call.method, params);
        let mut cancel = CancelOnDrop {
            session: self,
            id,
            armed: self.era() == Era::Legacy,
        };
        let call = &*call;
        let origin = Origin::of(call, call.params.raw());
        let _under_way =
            (self.era() == Era::Legacy).then(|| self.under_way.enter(id, origin.clone()));
        let relay = Relay {
            session: self,
            call,
            origin,
            token: token.filter(|_| self.era() == Era::Legacy),
        };
        let answered = async {
            let response = self.post_call(message, call).await?;
            self.read_answer(response, id, |aside, message| relay.take(aside, message))
                .await
        };
        let answered = answered.await;
        cancel.armed = false;
        Ok(Reply {
            era: self.era(),
            body: answered?,
        })
    }

    /// The params as this server needs them. The callers of a legacy server share one session there, so its progress
    /// tokens must be ours.
    fn params(&self, call: &mut Call, id: u64, token: Option<&Bytes>) -> Bytes {
        match (self.era(), call.era) {
            (Era::Legacy, _) => {
                if token.is_some() {
                    call.params.set_progress_token(id.to_string().as_bytes());
                }
                match call.era {
                    Era::Legacy => call.params.to_bytes(),
                    Era::Modern => without_modern_meta(&call.params.to_bytes()),
                }
            }
            (Era::Modern, Era::Legacy) => with_modern_meta(call.params.to_bytes(), &call.client),
            (Era::Modern, Era::Modern) => call.params.to_bytes(),
        }
    }
}

/// Where the notifications of one call go.
struct Relay<'a> {
    session: &'a Arc<Session>,
    call: &'a Call,
    origin: Origin,
    /// The caller's token, where the server knows another.
    token: Option<&'a Bytes>,
}

impl Relay<'_> {
    /// Waits for a caller that reads slowly: the server feels it.
    async fn take(&self, aside: Aside, message: Bytes) {
        match aside {
            Aside::Notification { method } => match &*method {
                PROGRESS => self.tell(self.with_callers_token(&message)).await,
                LOG if !self.origin.wants_log(&message) => {}
                CANCELLED => self.session.open_requests.withdraw(&message),
                other if is_task_status(other) => {}
                other if self.session.announcements.take_in(other) => {}
                other if self.session.followed.take_in(other, &message) => {}
                _ => self.tell(Some(on_one_line(message))).await,
            },
            Aside::Request { id, method, params } => {
                let session = self.session;
                session.take_request(Some(&self.origin), &id, &method, params);
            }
        }
    }

    async fn tell(&self, message: Option<Bytes>) {
        if let Some(message) = message {
            let told = aside::Aside::notification(message);
            let _ = self.call.asides.send(told).await;
        }
    }

    fn with_callers_token(&self, message: &Bytes) -> Option<Bytes> {
        let Some(callers) = self.token else {
            return Some(on_one_line(message.clone()));
        };
        progress::for_caller(message, callers)
    }
}

/// Tells a legacy server that nobody waits any more, unless the answer came.
struct CancelOnDrop<'a> {
    session: &'a Arc<Session>,
    id: u64,
    armed: bool,
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        if self.armed {
            let message = Outgoing::cancelled(self.id);
            self.session.post_aside(message, "notifications/cancelled");
        }
    }
}
