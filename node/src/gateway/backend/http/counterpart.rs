//! The legacy session beside a modern one, for legacy callers of a server that speaks both eras.
//!
//! It is opened by the first call that needs it. A server that does not know `initialize` is not asked again for long;
//! its legacy callers are translated for.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::greet::initialize;
use super::link::hear_unasked;
use super::session::Session;
use crate::gateway::backend::handshake::Ask;
use crate::gateway::backend::timing::Timing;
use crate::gateway::call::Era;

/// The other session, if there is one, and whether it is worth trying.
#[derive(Debug, Default)]
pub(super) struct Counterpart {
    session: ArcSwapOption<Session>,
    /// When to ask again whether the server speaks the legacy era.
    not_before: Mutex<Option<Instant>>,
}

impl Session {
    /// The session in which a caller of `era` is served: this one, unless the server speaks the caller's era too.
    pub(super) async fn for_era(self: Arc<Self>, era: Era) -> Arc<Self> {
        if era == Era::Modern || self.era() == Era::Legacy {
            return self;
        }
        if let Some(legacy) = self.open_counterpart() {
            return legacy;
        }
        let mut not_before = self.counterpart.not_before.lock().await;
        if let Some(legacy) = self.open_counterpart() {
            return legacy;
        }
        if not_before.is_some_and(|then| Instant::now() < then) {
            drop(not_before);
            return self;
        }
        match initialize(self.legacy_greeting()).await {
            Ok(legacy) => {
                let legacy = Arc::new(legacy);
                self.counterpart.session.store(Some(Arc::clone(&legacy)));
                tokio::spawn(hear_unasked(Arc::clone(&legacy)));
                legacy
            }
            Err(outage) => {
                tracing::debug!(target: "upstream", server = %self.server, why = %outage.why, "it speaks one era");
                *not_before = Some(Instant::now() + Timing::default().verdict);
                drop(not_before);
                self
            }
        }
    }

    /// Ends the other session, if there is one.
    pub(super) async fn close_counterpart(&self) {
        if let Some(legacy) = self.counterpart.session.swap(None) {
            legacy.delete().await;
        }
    }

    fn open_counterpart(&self) -> Option<Arc<Self>> {
        let legacy = self.counterpart.session.load_full()?;
        legacy.over().is_none().then_some(legacy)
    }
}
