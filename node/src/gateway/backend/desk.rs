//! Where callers meet an upstream: its phase, and how many are being served.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use peerage_protocol::id::ServerName;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::upstream::UpstreamState;
use crate::gateway::call::CallError;

/// Calls that one upstream may have in flight; one more is refused.
pub(crate) const IN_FLIGHT_MAX: usize = 1_024;

/// Why an upstream does not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outage {
    /// Fit for any caller's eyes.
    pub(crate) why: String,
    /// For the owner alone: the last lines of standard error, oldest first.
    pub(crate) stderr: Vec<String>,
}

impl Outage {
    /// An outage without more to tell.
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            stderr: Vec::new(),
        }
    }

    fn for_owner(&self) -> String {
        match self.stderr.as_slice() {
            [] => self.why.clone(),
            lines => format!("{}; it last said: {}", self.why, lines.join(" | ")),
        }
    }
}

/// A phase in an upstream's life; `Session` is what a call needs while it is up.
#[derive(Debug)]
enum Phase<Session> {
    Starting,
    Ready(Arc<Session>),
    Idle,
    Down(Outage),
}

/// The counter between callers, who read, and the one task that runs the upstream, which writes.
#[derive(Debug)]
pub(crate) struct Desk<Session> {
    server: ServerName,
    phase: watch::Sender<Phase<Session>>,
    wake: Notify,
    in_flight: AtomicUsize,
    last_call: Mutex<Instant>,
}

impl<Session> Desk<Session> {
    pub(crate) fn new(server: ServerName) -> Self {
        Self {
            server,
            phase: watch::Sender::new(Phase::Starting),
            wake: Notify::new(),
            in_flight: AtomicUsize::new(0),
            last_call: Mutex::new(Instant::now()),
        }
    }

    pub(crate) fn server(&self) -> &ServerName {
        &self.server
    }

    /// How the upstream fares, as its owner may see it.
    pub(crate) fn state(&self) -> UpstreamState {
        match &*self.phase.borrow() {
            Phase::Starting => UpstreamState::Starting,
            Phase::Ready(_) => UpstreamState::Ready,
            Phase::Idle => UpstreamState::Idle,
            Phase::Down(outage) => UpstreamState::Down {
                why: outage.for_owner(),
            },
        }
    }

    /// The session, where there is one now.
    pub(crate) fn current(&self) -> Option<Arc<Session>> {
        match &*self.phase.borrow() {
            Phase::Ready(session) => Some(Arc::clone(session)),
            Phase::Starting | Phase::Idle | Phase::Down(_) => None,
        }
    }

    /// Counts one call in; it is counted out when the guard is dropped.
    pub(crate) fn enter(self: &Arc<Self>) -> Result<Entered<Session>, CallError> {
        let entered = Entered(Arc::clone(self));
        if self.in_flight.fetch_add(1, Ordering::SeqCst) >= IN_FLIGHT_MAX {
            return Err(CallError::Busy {
                what: format!("{} has {IN_FLIGHT_MAX} calls in flight", self.server),
            });
        }
        *self
            .last_call
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Instant::now();
        Ok(entered)
    }

    /// Waits until the upstream can answer; wakes it when it is idle. Fails at once while it is down.
    pub(crate) async fn session(&self) -> Result<Arc<Session>, CallError> {
        let mut phase = self.phase.subscribe();
        loop {
            match &*phase.borrow_and_update() {
                Phase::Ready(session) => return Ok(Arc::clone(session)),
                Phase::Down(outage) => return Err(self.down(&outage.why)),
                Phase::Idle => self.wake.notify_one(),
                Phase::Starting => {}
            }
            if phase.changed().await.is_err() {
                return Err(self.down("it was stopped"));
            }
        }
    }

    /// The error of a call that the upstream did not answer.
    pub(crate) fn down(&self, why: &str) -> CallError {
        CallError::UpstreamDown {
            server: self.server.to_string(),
            why: why.to_owned(),
        }
    }

    /// The next caller wakes the upstream.
    pub(crate) fn set_idle(&self) {
        self.phase.send_replace(Phase::Idle);
    }

    /// Callers wait from now on.
    pub(crate) fn set_starting(&self) {
        self.phase.send_replace(Phase::Starting);
    }

    /// Callers are served from now on.
    pub(crate) fn set_ready(&self, session: Arc<Session>) {
        self.phase.send_replace(Phase::Ready(session));
    }

    /// Callers are refused from now on.
    pub(crate) fn set_down(&self, outage: Outage) {
        self.phase.send_replace(Phase::Down(outage));
    }

    /// Callers wait for another session, unless they already have one.
    pub(crate) fn expire(&self, session: &Arc<Session>) {
        self.phase.send_if_modified(|phase| match phase {
            Phase::Ready(current) if Arc::ptr_eq(current, session) => {
                *phase = Phase::Starting;
                true
            }
            _ => false,
        });
    }

    /// Goes idle unless a call is being served: callers count themselves in before they look at the phase, so one
    /// of the two sees the other.
    pub(crate) fn try_idle(&self, session: &Arc<Session>) -> bool {
        self.phase.send_replace(Phase::Idle);
        let idle = self.in_flight.load(Ordering::SeqCst) == 0;
        if !idle {
            self.set_ready(Arc::clone(session));
        }
        idle
    }

    /// When the last call came in.
    pub(crate) fn last_call(&self) -> Instant {
        *self
            .last_call
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a caller who found the upstream idle.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }
}

/// One call being served.
#[derive(Debug)]
pub(crate) struct Entered<Session>(Arc<Desk<Session>>);

impl<Session> Drop for Entered<Session> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn desk() -> Arc<Desk<u8>> {
        Arc::new(Desk::new("files".parse().unwrap()))
    }

    #[tokio::test]
    async fn a_caller_waits_while_starting_and_fails_at_once_while_down() {
        let desk = desk();
        let waiting = tokio::spawn({
            let desk = Arc::clone(&desk);
            async move { desk.session().await }
        });
        desk.set_ready(Arc::new(1));
        assert_eq!(waiting.await.unwrap().as_deref(), Ok(&1));
        desk.set_down(Outage::new("it exited"));
        assert_eq!(desk.session().await, Err(desk.down("it exited")));
    }

    #[tokio::test]
    async fn an_upstream_does_not_go_idle_under_a_call() {
        let desk = desk();
        let session = Arc::new(1);
        desk.set_ready(Arc::clone(&session));
        let entered = desk.enter().unwrap();
        assert!(!desk.try_idle(&session));
        assert_eq!(desk.state(), UpstreamState::Ready);
        drop(entered);
        assert!(desk.try_idle(&session));
        assert_eq!(desk.state(), UpstreamState::Idle);
    }

    #[test]
    fn one_call_more_than_the_bound_is_refused_and_leaves_no_trace() {
        let desk = desk();
        let entered: Vec<_> = (0..IN_FLIGHT_MAX).map(|_| desk.enter().unwrap()).collect();
        assert!(matches!(desk.enter(), Err(CallError::Busy { .. })));
        drop(entered);
        assert_eq!(desk.in_flight.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn the_owner_sees_standard_error_and_callers_do_not() {
        let desk = desk();
        desk.set_down(Outage {
            why: "it exited".to_owned(),
            stderr: vec!["password: hunter2".to_owned()],
        });
        let UpstreamState::Down { why } = desk.state() else {
            panic!("not down");
        };
        assert!(why.contains("hunter2"));
        assert!(!desk.down("it exited").to_string().contains("hunter2"));
    }
}
