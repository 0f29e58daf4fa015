//! What the clients behind the callers have said and a legacy upstream must hear before their next call: which log
//! messages they want, and that their roots have changed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::gateway::client::{Client, LogLevel};

/// Clients of one upstream whose roots it has asked for, as far as they are remembered.
const ROOTS_ASKED_MAX: usize = 256;
/// Sets the level from which on a legacy server logs.
pub(crate) const SET_LEVEL: &str = "logging/setLevel";
/// A client's roots have changed.
pub(crate) const ROOTS_CHANGED: &str = "notifications/roots/list_changed";
/// Asks for a client's roots.
const ROOTS: &str = "roots/list";

/// Who shares what an upstream is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// It serves one client alone.
    One,
    /// It serves many, each of which is told of its own part.
    Many,
}

/// What one upstream has heard of its callers' clients.
#[derive(Debug)]
pub(crate) struct ClientNews {
    audience: Audience,
    level: Mutex<Option<LogLevel>>,
    /// The version of its roots when a client was asked for them last, by session.
    roots: Mutex<BTreeMap<u64, u64>>,
}

impl ClientNews {
    /// An upstream that has heard nothing yet.
    pub(crate) fn new(audience: Audience) -> Self {
        Self {
            audience,
            level: Mutex::default(),
            roots: Mutex::default(),
        }
    }

    /// The level to set, for a client that wants messages from `wanted` on. An upstream of many logs from the lowest
    /// level on that any of them ever wanted: what is too much for one of them is kept from it.
    pub(crate) fn level_to_set(&self, wanted: LogLevel) -> Option<LogLevel> {
        let mut level = lock(&self.level);
        let is_news = match self.audience {
            Audience::One => *level != Some(wanted),
            Audience::Many => level.is_none_or(|lowest| wanted < lowest),
        };
        is_news.then(|| *level.insert(wanted))
    }

    /// The upstream asks `client` something by `method`.
    pub(crate) fn asked(&self, client: &Client, method: &str) {
        let Client::Session(session) = client else {
            return;
        };
        if method != ROOTS {
            return;
        }
        let mut roots = lock(&self.roots);
        if roots.len() >= ROOTS_ASKED_MAX {
            roots.pop_first();
        }
        roots.insert(session.number(), session.roots_version());
    }

    /// Whether the upstream is to be told that the roots of `client` have changed: it has asked for them before they
    /// did. Says so once.
    pub(crate) fn roots_to_tell(&self, client: &Client) -> bool {
        let Client::Session(session) = client else {
            return false;
        };
        let version = session.roots_version();
        if version == 0 {
            return false;
        }
        let mut roots = lock(&self.roots);
        let known = roots.get_mut(&session.number());
        known.is_some_and(|known| std::mem::replace(known, version) != version)
    }
}

/// The params that set `level`.
pub(crate) fn level_params(level: LogLevel) -> Bytes {
    format!(r#"{{"level":"{}"}}"#, level.as_str()).into()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::client::ClientSession;

    #[test]
    fn many_clients_share_the_lowest_level_and_one_has_its_own() {
        let many = ClientNews::new(Audience::Many);
        assert_eq!(many.level_to_set(LogLevel::Error), Some(LogLevel::Error));
        assert_eq!(many.level_to_set(LogLevel::Alert), None);
        assert_eq!(many.level_to_set(LogLevel::Debug), Some(LogLevel::Debug));
        assert_eq!(many.level_to_set(LogLevel::Error), None);
        let one = ClientNews::new(Audience::One);
        assert_eq!(one.level_to_set(LogLevel::Debug), Some(LogLevel::Debug));
        assert_eq!(one.level_to_set(LogLevel::Debug), None);
        assert_eq!(one.level_to_set(LogLevel::Error), Some(LogLevel::Error));
    }

    #[test]
    fn changed_roots_are_told_once_and_only_to_who_has_asked_for_them() {
        let (session, _told) = ClientSession::new(Bytes::new(), None);
        let client = Client::Session(session.clone());
        let news = ClientNews::new(Audience::Many);
        session.roots_changed();
        assert!(!news.roots_to_tell(&client), "nobody has asked");
        news.asked(&client, "sampling/createMessage");
        assert!(!news.roots_to_tell(&client));
        news.asked(&client, ROOTS);
        assert!(!news.roots_to_tell(&client), "asked after the change");
        session.roots_changed();
        assert!(news.roots_to_tell(&client));
        assert!(!news.roots_to_tell(&client));
    }
}
