//! Where a call came from, so that what its upstream says finds the caller; also what it says without naming a call.

use bytes::Bytes;
use serde::Deserialize;
use tokio::sync::mpsc::error::TrySendError;

use crate::gateway::aside::{Aside, AsideSender, ServerRequest, Withdrawn};
use crate::gateway::call::Call;
use crate::gateway::client::{Client, ClientCapabilities, LogLevel};
use crate::gateway::mcp::era::{CAPABILITIES_KEY, LOG_LEVEL_KEY};
use crate::gateway::mcp::splice::Params;

/// The caller of one call under way.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    client: Client,
    params: Bytes,
    asides: AsideSender,
}

/// Whom an upstream means that names no call.
#[derive(Debug)]
pub(crate) enum Meant<'a> {
    /// The one client that has calls under way; its newest call.
    One(&'a Origin),
    /// No call is under way.
    Nobody,
    /// Several clients have calls under way.
    Several,
}

/// The caller does not read what it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slow;

impl Origin {
    /// The caller of `call`, whose params are `params`.
    pub(crate) fn of(call: &Call, params: Bytes) -> Self {
        Self {
            client: call.client.clone(),
            params,
            asides: call.asides.clone(),
        }
    }

    /// The raw capabilities of the caller's client.
    pub(crate) fn capabilities(&self) -> Bytes {
        match &self.client {
            Client::Session(session) => session.capabilities().clone(),
            Client::Stateless => self.meta(CAPABILITIES_KEY).unwrap_or_default(),
        }
    }

    /// The caller's client.
    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    /// The level from which on the caller wants log messages, where it has said so.
    pub(crate) fn named_log_level(&self) -> Option<LogLevel> {
        match &self.client {
            Client::Session(session) => session.log_level(),
            Client::Stateless => {
                let raw = self.meta(LOG_LEVEL_KEY)?;
                LogLevel::parse(&serde_json::from_slice::<String>(&raw).ok()?)
            }
        }
    }

    /// The level from which on the caller wants log messages. A modern one that names none wants none; a session that
    /// has set none takes what is usual.
    pub(crate) fn log_level(&self) -> Option<LogLevel> {
        match &self.client {
            Client::Session(session) => Some(session.log_level().unwrap_or(LogLevel::Info)),
            Client::Stateless => {
                let raw = self.meta(LOG_LEVEL_KEY)?;
                let named: String = serde_json::from_slice(&raw).unwrap_or_default();
                Some(LogLevel::parse(&named).unwrap_or(LogLevel::Info))
            }
        }
    }

    /// Tells the caller without waiting; one that has left hears nothing.
    pub(crate) fn tell(&self, message: Bytes) -> Result<(), Slow> {
        match self.asides.try_send(Aside::notification(message)) {
            Err(TrySendError::Full(_)) => Err(Slow),
            Ok(()) | Err(TrySendError::Closed(_)) => Ok(()),
        }
    }

    /// Tells the caller a whole `notifications/message`, if it is grave enough for it.
    pub(crate) fn tell_log(&self, message: Bytes) -> Result<(), Slow> {
        match self.wants_log(&message) {
            true => self.tell(message),
            false => Ok(()),
        }
    }

    /// Whether the caller wants this whole `notifications/message`.
    pub(crate) fn wants_log(&self, message: &[u8]) -> bool {
        #[derive(Deserialize)]
        struct Params {
            #[serde(default)]
            level: String,
        }
        #[derive(Deserialize)]
        struct Message {
            params: Params,
        }
        let Some(wanted) = self.log_level() else {
            return false;
        };
        let level = serde_json::from_slice::<Message>(message)
            .ok()
            .and_then(|message| LogLevel::parse(&message.params.level));
        level.is_none_or(|level| level >= wanted)
    }

    /// Asks the caller's client, if it has said that it answers such requests.
    pub(crate) fn ask(&self, request: ServerRequest) {
        let can = ClientCapabilities::read(&self.capabilities());
        if !can.allow(&request.method, request.params.as_deref()) {
            let why = format!(
                "the caller's client has not declared that it answers {}",
                request.method
            );
            return request.refuse(&why);
        }
        if let Err(TrySendError::Full(Aside::Request(request))) =
            self.asides.try_send(Aside::Request(request))
        {
            request.refuse("the caller does not read what it is told");
        }
    }

    /// Tells the caller's client that a request which it was asked needs no answer any more; one that does not read what
    /// it is told answers it in vain.
    pub(crate) fn withdraw(&self, withdrawn: Withdrawn) {
        let _ = self.asides.try_send(Aside::Withdrawn(withdrawn));
    }

    fn meta(&self, key: &str) -> Option<Bytes> {
        let params = Params::scan(self.params.clone()).ok()?;
        params.meta_raw(key).map(Bytes::copy_from_slice)
    }

    fn is_same_client(&self, other: &Self) -> bool {
        match (&self.client, &other.client) {
            (Client::Session(one), Client::Session(other)) => one.number() == other.number(),
            _ => false,
        }
    }
}

/// Whom an upstream means that has these calls under way, the newest last.
pub(crate) fn meant<'a>(mut under_way: impl Iterator<Item = &'a Origin>) -> Meant<'a> {
    let Some(mut newest) = under_way.next() else {
        return Meant::Nobody;
    };
    for origin in under_way {
        if !origin.is_same_client(newest) {
            return Meant::Several;
        }
        newest = origin;
    }
    Meant::One(newest)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;
    use tokio::sync::mpsc;

    use super::*;
    use crate::gateway::client::ClientSession;

    fn origin(client: Client, params: &str) -> (Origin, mpsc::Receiver<Aside>) {
        let (asides, told) = mpsc::channel(1);
        let params = Bytes::copy_from_slice(params.as_bytes());
        let origin = Origin {
            client,
            params,
            asides,
        };
        (origin, told)
    }

    fn session(capabilities: &'static str) -> Client {
        let raw = Bytes::from_static(capabilities.as_bytes());
        Client::Session(ClientSession::new(raw, None).0)
    }

    #[test]
    fn one_clients_calls_are_one_and_two_clients_are_several() {
        let client = session("{}");
        let (one, _told) = origin(client.clone(), "{}");
        let (newer, _told) = origin(client, "{}");
        let (other, _told) = origin(session("{}"), "{}");
        let (stateless, _told) = origin(Client::Stateless, "{}");
        assert!(matches!(meant([].into_iter()), Meant::Nobody));
        assert!(
            matches!(meant([&one, &newer].into_iter()), Meant::One(found) if std::ptr::eq(found, &newer))
        );
        assert!(matches!(meant([&one, &other].into_iter()), Meant::Several));
        assert!(matches!(
            meant([&stateless, &stateless.clone()].into_iter()),
            Meant::Several
        ));
    }

    #[test]
    fn a_request_that_the_client_did_not_declare_is_refused_at_once() {
        let (origin, mut told) = origin(session(r#"{"roots":{}}"#), "{}");
        let (sampling, mut answered) = ServerRequest::new("sampling/createMessage", None);
        origin.ask(sampling);
        assert!(answered.try_recv().is_ok());
        assert!(told.try_recv().is_err());
        let (roots, _answered) = ServerRequest::new("roots/list", None);
        origin.ask(roots);
        assert!(matches!(told.try_recv(), Ok(Aside::Request(_))));
    }

    #[test]
    fn log_messages_below_the_callers_level_are_kept_from_it() {
        let message = |level: &str| json!({"params": {"level": level}}).to_string();
        let meta = r#"{"_meta":{"io.modelcontextprotocol/logLevel":"warning"}}"#;
        let (modern, _told) = origin(Client::Stateless, meta);
        assert!(!modern.wants_log(message("info").as_bytes()));
        assert!(modern.wants_log(message("error").as_bytes()));
        let (silent, _told) = origin(Client::Stateless, "{}");
        assert!(!silent.wants_log(message("emergency").as_bytes()));
        let (legacy, _told) = origin(session("{}"), "{}");
        assert!(legacy.wants_log(message("info").as_bytes()));
        assert!(!legacy.wants_log(message("debug").as_bytes()));
    }

    #[test]
    fn a_caller_that_does_not_read_is_slow_and_one_that_left_is_not() {
        let (origin, told) = origin(session("{}"), "{}");
        assert_eq!(origin.tell(Bytes::new()), Ok(()));
        assert_eq!(origin.tell(Bytes::new()), Err(Slow));
        drop(told);
        assert_eq!(origin.tell(Bytes::new()), Ok(()));
    }
}
