//! The requests that a child process has not answered yet.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use crate::gateway::backend::progress;
use crate::gateway::call::{CallError, Notification, NotificationSender, ReplyBody};

/// What the one who asked gets in the end.
pub(crate) type Outcome = Result<ReplyBody, CallError>;

/// Where the progress of one request goes.
#[derive(Debug)]
pub(crate) struct ProgressRoute {
    /// The caller's raw token.
    pub(crate) token: Bytes,
    /// The caller.
    pub(crate) to: NotificationSender,
}

#[derive(Debug)]
struct Waiting {
    progress: Option<ProgressRoute>,
    answer: oneshot::Sender<Outcome>,
}

/// Requests by our id, which is also their progress token upstream.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    last_id: u64,
    waiting: HashMap<u64, Waiting>,
    closed: Option<CallError>,
}

impl Pending {
    /// Enters a request; its id, and where its answer will come.
    pub(crate) fn enter(
        &self,
        progress: Option<ProgressRoute>,
    ) -> Result<(u64, oneshot::Receiver<Outcome>), CallError> {
        let mut table = self.lock();
        if let Some(error) = &table.closed {
            return Err(error.clone());
        }
        let (answer, answered) = oneshot::channel();
        table.last_id += 1;
        let id = table.last_id;
        table.waiting.insert(id, Waiting { progress, answer });
        Ok((id, answered))
    }

    /// Forgets a request; whether it was still waiting.
    pub(crate) fn forget(&self, id: u64) -> bool {
        self.lock().waiting.remove(&id).is_some()
    }

    /// Whether somebody still waits for the request.
    pub(crate) fn waits(&self, id: u64) -> bool {
        self.lock().waiting.contains_key(&id)
    }

    /// Ends the request with `outcome`; whether it was still waiting.
    pub(crate) fn settle(&self, id: u64, outcome: Outcome) -> bool {
        let waiting = self.lock().waiting.remove(&id);
        waiting.is_some_and(|waiting| waiting.answer.send(outcome).is_ok())
    }

    /// Brings a progress notification to the caller it is for. A caller that does not keep up loses its request:
    /// its id is returned, for the upstream to hear.
    pub(crate) fn progress(&self, message: &Bytes) -> Option<u64> {
        let id = progress::our_token(message)?;
        let sent = {
            let table = self.lock();
            let route = table.waiting.get(&id)?.progress.as_ref()?;
            let notification = progress::for_caller(message, &route.token)?;
            route.to.try_send(Notification(notification))
        };
        match sent {
            Err(TrySendError::Full(_)) => {
                let what = "the caller does not read its notifications".to_owned();
                self.settle(id, Err(CallError::Busy { what })).then_some(id)
            }
            Ok(()) | Err(TrySendError::Closed(_)) => None,
        }
    }

    /// Ends every request with `error`, and refuses new ones with it.
    pub(crate) fn close(&self, error: &CallError) {
        let waiting = {
            let mut table = self.lock();
            table.closed.get_or_insert_with(|| error.clone());
            std::mem::take(&mut table.waiting)
        };
        for (_, waiting) in waiting {
            let _ = waiting.answer.send(Err(error.clone()));
        }
    }

    /// Requests that wait.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::sync::mpsc;

    use super::*;

    fn progress_of(id: u64) -> Bytes {
        format!(r#"{{"method":"notifications/progress","params":{{"progressToken":{id}}}}}"#).into()
    }

    #[test]
    fn a_caller_that_does_not_read_loses_its_own_request_only() {
        let pending = Pending::default();
        let (to, mut slow) = mpsc::channel(1);
        let token = Bytes::from_static(b"\"slow\"");
        let (id, mut answered) = pending.enter(Some(ProgressRoute { token, to })).unwrap();
        let (_other, mut others) = pending.enter(None).unwrap();
        assert_eq!(pending.progress(&progress_of(id)), None);
        assert_eq!(pending.progress(&progress_of(id)), Some(id));
        assert!(matches!(
            answered.try_recv(),
            Ok(Err(CallError::Busy { .. }))
        ));
        assert!(others.try_recv().is_err(), "the other still waits");
        let Notification(first) = slow.try_recv().unwrap();
        assert!(first.ends_with(br#"{"progressToken":"slow"}}"#));
    }

    #[test]
    fn after_closing_nothing_waits_and_nothing_enters() {
        let pending = Pending::default();
        let (id, mut answered) = pending.enter(None).unwrap();
        let error = CallError::Loop;
        pending.close(&error);
        assert_eq!(answered.try_recv().unwrap(), Err(CallError::Loop));
        assert_eq!(pending.enter(None).unwrap_err(), CallError::Loop);
        assert!(!pending.forget(id));
    }
}
