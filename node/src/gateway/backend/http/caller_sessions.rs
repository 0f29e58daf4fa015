//! Legacy sessions at one server, one for each client behind the callers: it is opened with what that client said of
//! itself, so that the server knows whom it serves, and what it says without naming a call finds its client.
//!
//! Each is opened by the first call that needs it. A server that does not know `initialize` is not asked again for
//! long; its legacy callers are translated for.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::{Mutex, oneshot};
use tokio::time::{Instant, timeout};

use super::greet::initialize;
use super::link::hear_unasked;
use super::session::{Over, Session};
use crate::gateway::backend::greeting::initialize_params_of;
use crate::gateway::backend::handshake::Ask;
use crate::gateway::backend::timing::Timing;
use crate::gateway::call::{Call, Era};
use crate::gateway::client::Client;
use crate::gateway::mcp::era::{CAPABILITIES_KEY, CLIENT_INFO_KEY};

/// Sessions of callers at one server; the one longest unused makes room.
const SESSIONS_MAX: usize = 256;
/// How long a session is kept without a call.
const KEPT_UNUSED: Duration = Duration::from_secs(30 * 60);
/// How long the first call of a session waits until what the server says unasked is heard; some servers do not answer
/// before they have something to say.
const HEARING_MAX: Duration = Duration::from_millis(250);

/// The sessions, and whether one more is worth trying.
#[derive(Debug, Default)]
pub(super) struct CallerSessions {
    open: std::sync::Mutex<HashMap<u64, Open>>,
    /// When to ask again whether the server speaks the legacy era.
    not_before: Mutex<Option<Instant>>,
}

#[derive(Debug)]
struct Open {
    session: Arc<Session>,
    used: Instant,
}

impl CallerSessions {
    fn find(&self, client: u64) -> Option<Arc<Session>> {
        let mut open = self.lock();
        let found = open.get_mut(&client)?;
        if found.session.over().is_some() {
            open.remove(&client);
            return None;
        }
        found.used = Instant::now();
        Some(Arc::clone(&found.session))
    }

    /// Keeps a session; gives those that make room for it.
    fn keep(&self, client: u64, session: Arc<Session>) -> Vec<Arc<Session>> {
        let now = Instant::now();
        let mut open = self.lock();
        let mut gone: Vec<u64> = open
            .iter()
            .filter(|(_, one)| now.duration_since(one.used) >= KEPT_UNUSED)
            .map(|(client, _)| *client)
            .collect();
        if gone.is_empty() && open.len() >= SESSIONS_MAX {
            let oldest = open.iter().min_by_key(|(_, one)| one.used);
            gone.extend(oldest.map(|(client, _)| *client));
        }
        let left = gone.iter().filter_map(|client| open.remove(client));
        let left = left.map(|one| one.session).collect();
        open.insert(client, Open { session, used: now });
        left
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// The session in which `call` is served: its client's own, unless both sides are modern or the server keeps none.
    pub(super) async fn for_caller(self: Arc<Self>, call: &Call) -> Arc<Self> {
        let both_modern = call.era == Era::Modern && self.era() == Era::Modern;
        if both_modern || (self.era() == Era::Legacy && !self.has_id()) {
            return self;
        }
        let client = number(call);
        let sessions = &self.caller_sessions;
        if let Some(own) = sessions.find(client) {
            return own;
        }
        let mut not_before = sessions.not_before.lock().await;
        if let Some(own) = sessions.find(client) {
            return own;
        }
        if not_before.is_some_and(|then| Instant::now() < then) {
            drop(not_before);
            return self;
        }
        match initialize(self.legacy_greeting(), initialize_params_of(call)).await {
            Ok(own) => {
                let own = Arc::new(own);
                for left in sessions.keep(client, Arc::clone(&own)) {
                    tokio::spawn(async move { left.finish().await });
                }
                drop(not_before);
                let (waiting, heard) = oneshot::channel();
                tokio::spawn(hear_unasked(Arc::downgrade(&own), waiting));
                let _ = timeout(HEARING_MAX, heard).await;
                own
            }
            Err(outage) => {
                tracing::debug!(target: "upstream", server = %self.server, why = %outage.why, "no session for a caller");
                *not_before = Some(Instant::now() + Timing::default().verdict);
                drop(not_before);
                self
            }
        }
    }

    /// Tells the server that the session is over, and whoever still hears it.
    async fn finish(&self) {
        self.delete().await;
        self.end(Over::Forgotten);
    }

    /// Ends the sessions of all callers.
    pub(super) async fn close_caller_sessions(&self) {
        let open = std::mem::take(&mut *self.caller_sessions.lock());
        join_all(open.values().map(|one| one.session.finish())).await;
    }
}

/// Tells one client from another: by its session, or by what it says in each request.
fn number(call: &Call) -> u64 {
    match &call.client {
        Client::Session(session) => session.number(),
        Client::Stateless => {
            let mut hasher = blake3::Hasher::new();
            hasher.update(format!("{:?}", call.caller).as_bytes());
            for key in [CAPABILITIES_KEY, CLIENT_INFO_KEY] {
                hasher.update(call.params.meta_raw(key).unwrap_or_default());
                hasher.update(b"\0");
            }
            let [a, b, c, d, e, f, g, h, ..] = *hasher.finalize().as_bytes();
            u64::from_be_bytes([a, b, c, d, e, f, g, h])
        }
    }
}
