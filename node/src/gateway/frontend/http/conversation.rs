//! A client on a connection that lasts: its engine, its calls, and what waits to be sent to it.
//!
//! The transports differ in how they carry messages, not in what the messages mean.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::AbortHandle;

use super::answering::{Answering, Event};
use super::refusal::HttpRefusal;
use super::request::Exchange;
use super::{Frontend, subscription};
use crate::gateway::aside::Aside;
use crate::gateway::call::Era;
use crate::gateway::client::Client;
use crate::gateway::mcp::answer::Answer;
use crate::gateway::mcp::envelope::{self, Request, RequestId};
use crate::gateway::mcp::session::{Output, Session, Transport};

/// Messages that may wait for one client to read; then its calls wait, and so does the next message it sends.
const MESSAGES_WAITING_MAX: usize = 64;

/// What the client said and is owed.
pub(super) struct Conversation {
    frontend: Arc<Frontend>,
    client: Exchange<'static>,
    state: Mutex<State>,
    outgoing: mpsc::Sender<Bytes>,
    _permit: OwnedSemaphorePermit,
}

struct State {
    engine: Session,
    tasks: BTreeMap<RequestId, AbortHandle>,
    /// Tells a legacy session what changes outside of its calls.
    news: Option<AbortHandle>,
    over: bool,
}

/// A conversation as its connection holds it: dropped with the connection, it stops every call.
pub(super) struct Connected(Arc<Conversation>);

/// What is to be sent to the client, in order.
pub(super) type Outgoing = mpsc::Receiver<Bytes>;

/// Begins a conversation with `client`, unless too many are going on.
pub(super) fn begin(
    frontend: &Arc<Frontend>,
    client: Exchange<'static>,
    transport: Transport,
) -> Result<(Connected, Outgoing), HttpRefusal> {
    let permit = frontend.conversations.clone().try_acquire_owned();
    let permit = permit.map_err(|_| HttpRefusal::ConversationsFull)?;
    let (outgoing, messages) = mpsc::channel(MESSAGES_WAITING_MAX);
    let state = State {
        engine: Session::new(transport),
        tasks: BTreeMap::new(),
        news: None,
        over: false,
    };
    let conversation = Conversation {
        frontend: frontend.clone(),
        client,
        state: Mutex::new(state),
        outgoing,
        _permit: permit,
    };
    Ok((Connected(Arc::new(conversation)), messages))
}

impl Conversation {
    /// Hears one message; what is to be said about it at once waits for room among what is to be sent.
    pub(super) async fn hear(self: &Arc<Self>, message: &Bytes) {
        if let Some(answer) = self.react(message) {
            self.say(answer.message).await;
        }
    }

    fn react(self: &Arc<Self>, message: &Bytes) -> Option<Answer> {
        let incoming = match envelope::read(message) {
            Ok(incoming) => incoming,
            Err(answer) => return Some(answer),
        };
        let mut state = self.state();
        if state.over {
            return None;
        }
        match state.engine.message(incoming, None) {
            Output::Answer(answer) => {
                if state.engine.version().is_some() && state.news.is_none() {
                    let unasked = self.clone().unasked(state.engine.take_unasked());
                    let news = subscription::session_messages(&self.frontend, unasked);
                    state.news = Some(tokio::spawn(self.clone().pass_on(news)).abort_handle());
                }
                Some(answer)
            }
            Output::Dispatch {
                era,
                client,
                request,
            } => self.dispatch(&mut state, era, client, request),
            Output::Listen(request) => self.listen(&mut state, &request),
            Output::Cancel(id) => {
                state.abort(&id);
                None
            }
            Output::Nothing => None,
        }
    }

    fn dispatch(
        self: &Arc<Self>,
        state: &mut State,
        era: Era,
        client: Client,
        request: Request,
    ) -> Option<Answer> {
        let id = request.id.clone();
        match Answering::begin(&self.frontend, &self.client, era, client, request) {
            Ok(answering) => {
                let (asking, call) = (Arc::downgrade(self), id.clone());
                let answering = answering.asking(Box::new(move |aside| {
                    let conversation = asking.upgrade()?;
                    conversation.state().engine.told(Some(&call), aside)
                }));
                let task = tokio::spawn(self.clone().carry(id.clone(), answering));
                state.tasks.insert(id, task.abort_handle());
                None
            }
            Err(answer) => {
                state.engine.answered(&id);
                Some(answer)
            }
        }
    }

    fn listen(self: &Arc<Self>, state: &mut State, request: &Request) -> Option<Answer> {
        let caller = &self.client.credential.caller;
        match subscription::messages(&self.frontend, caller, request) {
            Ok(messages) => {
                let task = tokio::spawn(self.clone().follow(request.id.clone(), messages));
                state.tasks.insert(request.id.clone(), task.abort_handle());
                None
            }
            Err(answer) => {
                state.engine.answered(&request.id);
                Some(answer)
            }
        }
    }

    async fn carry(self: Arc<Self>, id: RequestId, mut answering: Answering) {
        while let Some(event) = answering.next().await {
            let message = match event {
                Event::Notification(message) => message,
                Event::Answer(_) if !self.answered(&id) => return,
                Event::Answer(answer) => answer.message,
            };
            if !self.say(message).await {
                return;
            }
        }
    }

    async fn follow(self: Arc<Self>, id: RequestId, messages: BoxStream<'static, Bytes>) {
        self.clone().pass_on(messages).await;
        self.answered(&id);
    }

    async fn pass_on(self: Arc<Self>, mut messages: BoxStream<'static, Bytes>) {
        while let Some(message) = messages.next().await {
            if !self.say(message).await {
                return;
            }
        }
    }

    /// What the client of a legacy session is told outside of its calls.
    fn unasked(self: Arc<Self>, told: Option<mpsc::Receiver<Aside>>) -> BoxStream<'static, Bytes> {
        let Some(told) = told else {
            return stream::pending().boxed();
        };
        let asking = Arc::downgrade(&self);
        stream::unfold((told, asking), |(mut told, asking)| async move {
            loop {
                let aside = told.recv().await?;
                let message = asking.upgrade()?.state().engine.told(None, aside);
                if let Some(message) = message {
                    return Some((message, (told, asking)));
                }
            }
        })
        .boxed()
    }

    /// Queues a message for the client; false when it is gone.
    async fn say(&self, message: Bytes) -> bool {
        self.outgoing.send(message).await.is_ok()
    }

    /// The request `id` has its answer; false when it was cancelled before.
    fn answered(&self, id: &RequestId) -> bool {
        let mut state = self.state();
        state.tasks.remove(id);
        state.engine.answered(id)
    }

    /// A panic elsewhere leaves the state whole: every change to it is one step.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn abort(&mut self, id: &RequestId) {
        if let Some(task) = self.tasks.remove(id) {
            task.abort();
        }
    }
}

impl Deref for Connected {
    type Target = Arc<Conversation>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.over = true;
        // On these transports a lost connection is the end, whatever was under way.
        state.engine.transport_lost();
        let tasks = std::mem::take(&mut state.tasks);
        for task in tasks.into_values().chain(state.news.take()) {
            task.abort();
        }
    }
}
