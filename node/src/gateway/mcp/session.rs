//! The session engine: what each input of one client means, without any IO.
//!
//! Inputs are [`Session::message`], [`Session::stream_lost`], [`Session::transport_lost`] and, from the frontend
//! itself, [`Session::answered`] and [`Session::end`]. What they mean:
//!
//! | Transport | Era | message | stream_lost (one response's) | transport_lost (the connection) |
//! |---|---|---|---|---|
//! | HTTP | modern | stands alone | cancels that call | cancels what it carried |
//! | HTTP | legacy | belongs to the session | the call goes on | the session goes on |
//! | HTTP+SSE | both | era fixed by the first request | ends the session | ends the session |
//! | stdio | both | era fixed by the first request | ends the session | ends the session |
//! | WebSocket | both | era fixed by the first request | ends the session | ends the session |
//! | peer | both | era fixed by the first request | ends the session | ends the session |
//!
//! On HTTP the era is decided message by message; a modern one uses a fresh engine.
//!
//! What a frontend does with it: messages go in, and each [`Output`] says what to do. A call that is dispatched gets
//! asides, and [`Session::told`] gives the message to write for each. The client's response comes back as a message like
//! any other. What a legacy client is told outside of its calls comes from [`Session::take_unasked`], once per session.

mod own_answers;

use std::collections::BTreeSet;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::answer::{Answer, Refusal};
use super::asked::Asked;
use super::envelope::{Incoming, Request, RequestId};
use super::era::{self, LegacyVersion, RoutingHeaders};
use super::splice::Params;
use crate::gateway::aside::{Aside, ServerRequest};
use crate::gateway::call::{CallError, Era, Notification};
use crate::gateway::client::{Client, ClientSession};

/// Requests of one session that may be unanswered at a time.
pub const REQUESTS_IN_FLIGHT_MAX: usize = 256;

/// How the client's messages come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Streamable HTTP: a stream per request.
    Http,
    /// Lines on standard input and output.
    Stdio,
    /// The pair of 2024-11-05: one stream for all that the client is told, a POST for each of its messages.
    HttpSse,
    /// One message per text frame.
    WebSocket,
    /// A substream of a member node.
    Peer,
}

/// What the frontend has to do about a message.
#[derive(Debug)]
pub enum Output {
    /// Have the request answered, then say [`Session::answered`].
    Dispatch {
        /// How the client speaks.
        era: Era,
        /// The client.
        client: Client,
        /// The request.
        request: Request,
    },
    /// Open a stream of notifications that lasts (`subscriptions/listen`).
    Listen(Request),
    /// Say this now.
    Answer(Answer),
    /// Stop this call and say nothing about it.
    Cancel(RequestId),
    /// Nothing.
    Nothing,
}

/// What the loss of a stream or a transport means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Stop these calls; the session, if there is one, stays.
    Cancel(Vec<RequestId>),
    /// The calls go on.
    Resume,
    /// Stop these calls; the session is over.
    End(Vec<RequestId>),
}

/// One client's conversation.
#[derive(Debug)]
pub struct Session {
    transport: Transport,
    stage: Stage,
    in_flight: BTreeSet<RequestId>,
    asked: Asked,
    client: Client,
    unasked: Option<mpsc::Receiver<Aside>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Unknown,
    Uninitialized,
    Legacy(LegacyVersion),
    Modern,
}

impl Session {
    /// A conversation in which nothing was said yet.
    pub fn new(transport: Transport) -> Self {
        Self {
            transport,
            stage: Stage::Unknown,
            in_flight: BTreeSet::new(),
            asked: Asked::default(),
            client: Client::Stateless,
            unasked: None,
        }
    }

    /// What the client of an initialized session is told outside of its calls; the first time only.
    pub fn take_unasked(&mut self) -> Option<mpsc::Receiver<Aside>> {
        self.unasked.take()
    }

    /// The message for something that an upstream says, during the call `call` or outside of any; `None` where there is
    /// nothing to say to the client. A client that cannot be asked is not, which the upstream then hears.
    pub fn told(&mut self, call: Option<&RequestId>, aside: Aside) -> Option<Bytes> {
        match aside {
            Aside::Notification(Notification(message)) => Some(message),
            Aside::Request(request) => self.ask(call, request),
            Aside::Withdrawn(withdrawn) => self.asked.withdrawn(&withdrawn),
        }
    }

    fn ask(&mut self, call: Option<&RequestId>, request: ServerRequest) -> Option<Bytes> {
        let modern = matches!(self.client, Client::Stateless);
        let over = call.is_some_and(|call| !self.in_flight.contains(call));
        if modern || over {
            request.refuse("this client cannot be asked now");
            return None;
        }
        self.asked.ask(call, request)
    }

    /// The version that `initialize` settled.
    pub fn version(&self) -> Option<LegacyVersion> {
        match self.stage {
            Stage::Legacy(version) => Some(version),
            _ => None,
        }
    }

    /// Whether no call is under way.
    pub fn is_idle(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// The client said something; `headers` are those of an HTTP request.
    pub fn message(&mut self, incoming: Incoming, headers: Option<&RoutingHeaders<'_>>) -> Output {
        match incoming {
            Incoming::Request(request) => match self.era_of(&request, headers) {
                Era::Modern => self.modern(request, headers),
                Era::Legacy => self.legacy(request),
            },
            Incoming::Notification { method, params } => self.notification(&method, &params),
            Incoming::Response { id, body } => {
                self.asked.answered(&id, body);
                Output::Nothing
            }
        }
    }

    /// The call `id` has its answer. False when it was cancelled: then the answer is not to be sent.
    pub fn answered(&mut self, id: &RequestId) -> bool {
        self.asked.forget(id);
        self.in_flight.remove(id)
    }

    /// The stream that would carry the answer to `id` is gone.
    pub fn stream_lost(&mut self, id: &RequestId) -> Loss {
        match (self.transport, self.stage) {
            (Transport::Http, Stage::Unknown | Stage::Modern) => {
                self.asked.forget(id);
                Loss::Cancel(self.in_flight.take(id).into_iter().collect())
            }
            (Transport::Http, Stage::Uninitialized | Stage::Legacy(_)) => Loss::Resume,
            _ => Loss::End(self.end()),
        }
    }

    /// The connection is gone.
    pub fn transport_lost(&mut self) -> Loss {
        match (self.transport, self.stage) {
            (Transport::Http, Stage::Unknown | Stage::Modern) => Loss::Cancel(self.end()),
            (Transport::Http, Stage::Uninitialized | Stage::Legacy(_)) => Loss::Resume,
            _ => Loss::End(self.end()),
        }
    }

    /// The session is over, by the client's wish or for want of use: these calls stop.
    pub fn end(&mut self) -> Vec<RequestId> {
        self.asked = Asked::default();
        std::mem::take(&mut self.in_flight).into_iter().collect()
    }

    fn era_of(&mut self, request: &Request, headers: Option<&RoutingHeaders<'_>>) -> Era {
        let version_header = headers.and_then(|headers| headers.version);
        match (self.transport, self.stage) {
            (Transport::Http, _) => era::of_message(version_header, &request.params),
            (_, Stage::Modern) => Era::Modern,
            (_, Stage::Uninitialized | Stage::Legacy(_)) => Era::Legacy,
            (_, Stage::Unknown) => {
                let era = era::of_message(None, &request.params);
                self.stage = match era {
                    Era::Modern => Stage::Modern,
                    Era::Legacy => Stage::Uninitialized,
                };
                era
            }
        }
    }

    fn modern(&mut self, request: Request, headers: Option<&RoutingHeaders<'_>>) -> Output {
        if let Err(error) = era::check_modern(&request, headers) {
            return refuse(&request.id, &(&error).into());
        }
        match &*request.method {
            "server/discover" => Output::Answer(own_answers::discover(&request.id)),
            "subscriptions/listen" => match self.admit(&request.id) {
                Ok(()) => Output::Listen(request),
                Err(refusal) => refuse(&request.id, &refusal),
            },
            "initialize"
            | "ping"
            | "logging/setLevel"
            | "resources/subscribe"
            | "resources/unsubscribe" => refuse_method(request),
            _ => self.dispatch(Era::Modern, request),
        }
    }

    fn legacy(&mut self, request: Request) -> Output {
        match (&*request.method, self.stage) {
            ("initialize", Stage::Legacy(_)) => refuse(
                &request.id,
                &Refusal::new(
                    -32600,
                    "Invalid request: this session is initialized already",
                ),
            ),
            ("initialize", _) => self.initialize(&request),
            ("ping", _) => Output::Answer(Answer::result(&request.id, b"{}")),
            ("logging/setLevel", Stage::Legacy(_)) => self.set_log_level(&request),
            ("server/discover" | "subscriptions/listen", Stage::Legacy(_)) => {
                refuse_method(request)
            }
            (_, Stage::Legacy(_)) => self.dispatch(Era::Legacy, request),
            _ => refuse(
                &request.id,
                &Refusal::new(-32600, "Invalid request: send initialize first"),
            ),
        }
    }

    fn initialize(&mut self, request: &Request) -> Output {
        match own_answers::initialize(request) {
            Ok(initialized) => {
                let own_answers::Initialized {
                    version,
                    capabilities,
                    info,
                    answer,
                } = initialized;
                let (session, unasked) = ClientSession::new(capabilities, info);
                self.stage = Stage::Legacy(version);
                self.client = Client::Session(session);
                self.unasked = Some(unasked);
                Output::Answer(answer)
            }
            Err(refusal) => refuse(&request.id, &refusal),
        }
    }

    fn set_log_level(&self, request: &Request) -> Output {
        match (own_answers::log_level(&request.params), &self.client) {
            (Ok(level), Client::Session(session)) => {
                session.set_log_level(level);
                Output::Answer(Answer::result(&request.id, b"{}"))
            }
            (Ok(_), Client::Stateless) => Output::Nothing,
            (Err(refusal), _) => refuse(&request.id, &refusal),
        }
    }

    fn dispatch(&mut self, era: Era, request: Request) -> Output {
        match self.admit(&request.id) {
            Ok(()) => Output::Dispatch {
                era,
                client: match era {
                    Era::Modern => Client::Stateless,
                    Era::Legacy => self.client.clone(),
                },
                request,
            },
            Err(refusal) => refuse(&request.id, &refusal),
        }
    }

    fn admit(&mut self, id: &RequestId) -> Result<(), Refusal> {
        if self.in_flight.contains(id) {
            let message = "Invalid request: this id is in use by a request without answer yet";
            return Err(Refusal::new(-32600, message));
        }
        if self.in_flight.len() >= REQUESTS_IN_FLIGHT_MAX {
            let what = format!("{REQUESTS_IN_FLIGHT_MAX} requests of this session are unanswered");
            return Err((&CallError::Busy { what }).into());
        }
        self.in_flight.insert(id.clone());
        Ok(())
    }

    fn notification(&mut self, method: &str, params: &Params) -> Output {
        match (method, &self.client) {
            ("notifications/cancelled", _) => {}
            ("notifications/roots/list_changed", Client::Session(session)) => {
                session.roots_changed();
                return Output::Nothing;
            }
            _ => return Output::Nothing,
        }
        let cancelled = own_answers::cancelled_id(params).and_then(|id| self.in_flight.take(&id));
        if let Some(id) = &cancelled {
            self.asked.forget(id);
        }
        cancelled.map_or(Output::Nothing, Output::Cancel)
    }
}

fn refuse(id: &RequestId, refusal: &Refusal) -> Output {
    Output::Answer(Answer::refusal(Some(id), refusal))
}

/// The refusal of a method that the client's era does not have.
fn refuse_method(request: Request) -> Output {
    let method = request.method.into();
    refuse(&request.id, &(&CallError::UnknownMethod { method }).into())
}

#[cfg(test)]
mod tests;
