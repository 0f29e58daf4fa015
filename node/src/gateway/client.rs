//! The client behind a call: what it can do, which log messages it wants, and how it is told things outside of calls.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::aside::{Aside, AsideSender};

/// Messages outside of calls that may wait for a client to read them; one more is dropped, a request refused.
pub const UNASKED_WAITING_MAX: usize = 256;
/// Resources that one session may be subscribed to.
pub const SUBSCRIPTIONS_PER_SESSION_MAX: usize = 256;

/// Who is behind a call, as far as MCP goes.
#[derive(Clone, Debug)]
pub enum Client {
    /// Says in the `_meta` of each request what there is to know (modern).
    Stateless,
    /// Has said it once, with `initialize` (legacy).
    Session(Arc<ClientSession>),
}

impl Client {
    /// The number of its session, if it has one.
    pub fn session_number(&self) -> Option<u64> {
        match self {
            Self::Stateless => None,
            Self::Session(session) => Some(session.number()),
        }
    }
}

/// A client that has initialized a session.
pub struct ClientSession {
    number: u64,
    capabilities: Bytes,
    info: Option<Bytes>,
    /// A [`LogLevel`] and one more; 0 while none was set.
    log_level: AtomicU8,
    /// How often its roots have changed.
    roots_version: AtomicU64,
    unasked: AsideSender,
    subscriptions: Mutex<BTreeMap<Box<str>, AbortHandle>>,
}

impl fmt::Debug for ClientSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSession")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl ClientSession {
    /// A session of a client with these raw `capabilities` and `clientInfo`; second, what it is to be told outside of
    /// its calls.
    pub fn new(capabilities: Bytes, info: Option<Bytes>) -> (Arc<Self>, mpsc::Receiver<Aside>) {
        Self::numbered(next_number(), capabilities, info)
    }

    /// A session that another node knows by `number`.
    pub fn numbered(
        number: u64,
        capabilities: Bytes,
        info: Option<Bytes>,
    ) -> (Arc<Self>, mpsc::Receiver<Aside>) {
        let (unasked, told) = mpsc::channel(UNASKED_WAITING_MAX);
        let session = Self {
            number,
            capabilities,
            info,
            log_level: AtomicU8::new(0),
            roots_version: AtomicU64::new(0),
            unasked,
            subscriptions: Mutex::default(),
        };
        (Arc::new(session), told)
    }

    /// Tells this session from every other of this node, also of its earlier runs.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// The raw `capabilities` that it sent.
    pub const fn capabilities(&self) -> &Bytes {
        &self.capabilities
    }

    /// The raw `clientInfo` that it sent.
    pub const fn info(&self) -> Option<&Bytes> {
        self.info.as_ref()
    }

    /// The level from which on it wants log messages; `None` while it has set none.
    pub fn log_level(&self) -> Option<LogLevel> {
        let stored = usize::from(self.log_level.load(Ordering::Relaxed));
        LogLevel::ALL.get(stored.checked_sub(1)?).copied()
    }

    /// Sets the level.
    pub fn set_log_level(&self, level: LogLevel) {
        self.log_level.store(level as u8 + 1, Ordering::Relaxed);
    }

    /// How often its roots have changed since it was opened.
    pub fn roots_version(&self) -> u64 {
        self.roots_version.load(Ordering::Relaxed)
    }

    /// The client's roots have changed.
    pub fn roots_changed(&self) {
        self.roots_version.fetch_add(1, Ordering::Relaxed);
    }

    /// The client's roots have changed this often, as another node says.
    pub fn set_roots_version(&self, version: u64) {
        self.roots_version.store(version, Ordering::Relaxed);
    }

    /// Tells the client something outside of its calls; false when it has not read for long, and the message is lost.
    pub fn tell(&self, aside: Aside) -> bool {
        self.unasked.try_send(aside).is_ok()
    }

    /// Keeps the task that follows the resource `uri` until [`unsubscribe`](Self::unsubscribe) or the session's end;
    /// false when there are too many.
    pub fn subscribe(&self, uri: &str, task: AbortHandle) -> bool {
        let mut subscriptions = self.lock_subscriptions();
        let full = subscriptions.len() >= SUBSCRIPTIONS_PER_SESSION_MAX;
        if full && !subscriptions.contains_key(uri) {
            task.abort();
            return false;
        }
        if let Some(before) = subscriptions.insert(uri.into(), task) {
            before.abort();
        }
        true
    }

    /// Ends the task that follows the resource `uri`, if there is one.
    pub fn unsubscribe(&self, uri: &str) {
        if let Some(task) = self.lock_subscriptions().remove(uri) {
            task.abort();
        }
    }

    fn lock_subscriptions(&self) -> std::sync::MutexGuard<'_, BTreeMap<Box<str>, AbortHandle>> {
        self.subscriptions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ClientSession {
    fn drop(&mut self) {
        for task in self.lock_subscriptions().values() {
            task.abort();
        }
    }
}

/// Begins anywhere, so that another node does not take a session for one of an earlier run.
fn next_number() -> u64 {
    static NEXT: OnceLock<AtomicU64> = OnceLock::new();
    let next = NEXT.get_or_init(|| AtomicU64::new(getrandom::u64().unwrap_or_default()));
    next.fetch_add(1, Ordering::Relaxed)
}

/// How grave a log message is (RFC 5424, as MCP names the levels), the least grave first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum LogLevel {
    /// `debug`.
    Debug,
    /// `info`.
    Info,
    /// `notice`.
    Notice,
    /// `warning`.
    Warning,
    /// `error`.
    Error,
    /// `critical`.
    Critical,
    /// `alert`.
    Alert,
    /// `emergency`.
    Emergency,
}

impl LogLevel {
    const ALL: [Self; 8] = [
        Self::Debug,
        Self::Info,
        Self::Notice,
        Self::Warning,
        Self::Error,
        Self::Critical,
        Self::Alert,
        Self::Emergency,
    ];

    /// The level with this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == text)
    }

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
            Self::Alert => "alert",
            Self::Emergency => "emergency",
        }
    }
}

/// What a client can do for a server, read from its raw capabilities.
#[derive(Debug, Default, Deserialize)]
pub struct ClientCapabilities {
    sampling: Option<IgnoredAny>,
    roots: Option<IgnoredAny>,
    elicitation: Option<Elicitation>,
}

#[derive(Debug, Deserialize)]
struct Elicitation {
    form: Option<IgnoredAny>,
    url: Option<IgnoredAny>,
}

impl ClientCapabilities {
    /// Reads raw JSON; what cannot be read is not there.
    pub fn read(raw: &[u8]) -> Self {
        serde_json::from_slice(raw).unwrap_or_default()
    }

    /// Whether the client has said that it answers `method` with these raw `params`. Methods that MCP does not name
    /// are the client's own business.
    pub fn allow(&self, method: &str, params: Option<&[u8]>) -> bool {
        match method {
            "sampling/createMessage" => self.sampling.is_some(),
            "roots/list" => self.roots.is_some(),
            "elicitation/create" => self.allow_elicitation(params),
            _ => true,
        }
    }

    /// An empty `elicitation` means forms, as before there was anything else.
    fn allow_elicitation(&self, params: Option<&[u8]>) -> bool {
        #[derive(Default, Deserialize)]
        struct Mode {
            #[serde(default)]
            mode: String,
        }
        let Some(elicitation) = &self.elicitation else {
            return false;
        };
        let mode: Mode = params
            .and_then(|raw| serde_json::from_slice(raw).ok())
            .unwrap_or_default();
        match &*mode.mode {
            "url" => elicitation.url.is_some(),
            _ => elicitation.form.is_some() || elicitation.url.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn allows(capabilities: &str, method: &str, params: &str) -> bool {
        ClientCapabilities::read(capabilities.as_bytes()).allow(method, Some(params.as_bytes()))
    }

    #[test]
    fn a_client_is_asked_for_what_it_declared_and_nothing_else() {
        assert!(allows(r#"{"sampling":{}}"#, "sampling/createMessage", "{}"));
        assert!(!allows("{}", "sampling/createMessage", "{}"));
        assert!(allows(r#"{"elicitation":{}}"#, "elicitation/create", "{}"));
        let url = r#"{"mode":"url"}"#;
        assert!(!allows(r#"{"elicitation":{}}"#, "elicitation/create", url));
        assert!(allows(
            r#"{"elicitation":{"url":{}}}"#,
            "elicitation/create",
            url
        ));
        assert!(!allows(
            r#"{"elicitation":{"url":{}}}"#,
            "elicitation/create",
            "{}"
        ));
        assert!(!allows("no json", "roots/list", "{}"));
    }

    #[test]
    fn the_log_level_is_the_one_set_last() {
        let (session, _told) = ClientSession::new(Bytes::new(), None);
        assert_eq!(session.log_level(), None);
        for level in LogLevel::ALL {
            session.set_log_level(level);
            assert_eq!(session.log_level(), Some(level));
            assert_eq!(LogLevel::parse(level.as_str()), Some(level));
        }
    }

    #[tokio::test]
    async fn one_subscription_too_many_is_refused_and_its_task_ended() {
        let (session, _told) = ClientSession::new(Bytes::new(), None);
        for number in 0..SUBSCRIPTIONS_PER_SESSION_MAX {
            let task = tokio::spawn(std::future::pending::<()>());
            assert!(session.subscribe(&number.to_string(), task.abort_handle()));
        }
        let task = tokio::spawn(std::future::pending::<()>());
        assert!(!session.subscribe("more", task.abort_handle()));
        assert!(task.await.unwrap_err().is_cancelled());
    }

    #[tokio::test]
    async fn the_end_of_a_session_ends_its_subscriptions() {
        let (session, _told) = ClientSession::new(Bytes::new(), None);
        let task = tokio::spawn(std::future::pending::<()>());
        session.subscribe("a:1", task.abort_handle());
        drop(session);
        assert!(task.await.unwrap_err().is_cancelled());
    }
}
