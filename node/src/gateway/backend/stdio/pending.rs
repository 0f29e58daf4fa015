//! The requests that a child process has not answered yet.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::gateway::backend::origin::{Meant, Origin, Slow, meant};
use crate::gateway::backend::progress;
use crate::gateway::call::{CallError, ReplyBody};

/// What the one who asked gets in the end.
pub(crate) type Outcome = Result<ReplyBody, CallError>;

/// Whoever waits for a call, and how it knows its progress.
#[derive(Debug)]
pub(crate) struct Caller {
    /// The caller.
    pub(crate) origin: Origin,
    /// Its raw progress token.
    pub(crate) token: Option<Bytes>,
}

#[derive(Debug)]
struct Waiting {
    /// None for requests of our own.
    caller: Option<Caller>,
    answer: oneshot::Sender<Outcome>,
}

/// Why a request of the child goes to no caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unasked {
    /// No call is under way.
    Nobody,
    /// Calls of several clients are.
    Several,
}

/// Requests by our id, which is also their progress token upstream.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    last_id: u64,
    waiting: BTreeMap<u64, Waiting>,
    closed: Option<CallError>,
}

impl Table {
    /// The callers, the newest last.
    fn origins(&self) -> impl Iterator<Item = &Origin> {
        let callers = self.waiting.values().filter_map(|one| one.caller.as_ref());
        callers.map(|caller| &caller.origin)
    }

    /// The newest call.
    fn newest(&self) -> Option<u64> {
        let mut calls = self.waiting.iter().rev();
        calls
            .find(|(_, one)| one.caller.is_some())
            .map(|(id, _)| *id)
    }
}

impl Pending {
    /// Enters a request; its id, and where its answer will come.
    pub(crate) fn enter(
        &self,
        caller: Option<Caller>,
    ) -> Result<(u64, oneshot::Receiver<Outcome>), CallError> {
        let mut table = self.lock();
        if let Some(error) = &table.closed {
            return Err(error.clone());
        }
        let (answer, answered) = oneshot::channel();
        table.last_id += 1;
        let id = table.last_id;
        table.waiting.insert(id, Waiting { caller, answer });
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
        let told = {
            let table = self.lock();
            let caller = table.waiting.get(&id)?.caller.as_ref()?;
            let message = progress::for_caller(message, caller.token.as_ref()?)?;
            caller.origin.tell(message)
        };
        self.lose(id, told)
    }

    /// Brings a notification that names no call to the one client that has calls under way, to its newest; nobody
    /// else may see it. Like [`progress`](Self::progress) for a caller that does not keep up.
    pub(crate) fn tell(&self, message: Bytes, is_log: bool) -> Option<u64> {
        let (id, told) = {
            let table = self.lock();
            let Meant::One(origin) = meant(table.origins()) else {
                return None;
            };
            let told = match is_log {
                true => origin.tell_log(message),
                false => origin.tell(message),
            };
            (table.newest()?, told)
        };
        self.lose(id, told)
    }

    /// The one client that has calls under way; its newest call.
    pub(crate) fn meant(&self) -> Result<Origin, Unasked> {
        match meant(self.lock().origins()) {
            Meant::One(origin) => Ok(origin.clone()),
            Meant::Nobody => Err(Unasked::Nobody),
            Meant::Several => Err(Unasked::Several),
        }
    }

    fn lose(&self, id: u64, told: Result<(), Slow>) -> Option<u64> {
        told.err()?;
        let what = "the caller does not read its notifications".to_owned();
        self.settle(id, Err(CallError::Busy { what })).then_some(id)
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

    use super::*;
    use crate::gateway::aside::{Aside, ServerRequest};
    use crate::gateway::backend::test_upstream::call_with;
    use crate::gateway::call::{ASIDES_WAITING_MAX, Notification};

    fn progress_of(id: u64) -> Bytes {
        format!(r#"{{"method":"notifications/progress","params":{{"progressToken":{id}}}}}"#).into()
    }

    fn caller() -> (Caller, tokio::sync::mpsc::Receiver<Aside>) {
        let (call, heard) = call_with(serde_json::json!({}));
        let caller = Caller {
            origin: Origin::of(&call, Bytes::new()),
            token: Some(Bytes::from_static(b"\"slow\"")),
        };
        (caller, heard)
    }

    #[test]
    fn a_caller_that_does_not_read_loses_its_own_request_only() {
        let pending = Pending::default();
        let (slow, mut heard) = caller();
        let (id, mut answered) = pending.enter(Some(slow)).unwrap();
        let (_other, mut others) = pending.enter(None).unwrap();
        for _ in 0..ASIDES_WAITING_MAX {
            assert_eq!(pending.progress(&progress_of(id)), None);
        }
        assert_eq!(pending.progress(&progress_of(id)), Some(id));
        assert!(matches!(
            answered.try_recv(),
            Ok(Err(CallError::Busy { .. }))
        ));
        assert!(others.try_recv().is_err(), "the other still waits");
        let Aside::Notification(Notification(first)) = heard.try_recv().unwrap() else {
            panic!("not a notification");
        };
        assert!(first.ends_with(br#"{"progressToken":"slow"}}"#));
    }

    #[test]
    fn what_names_no_call_reaches_the_only_client_and_none_of_several() {
        let pending = Pending::default();
        assert_eq!(pending.meant().unwrap_err(), Unasked::Nobody);
        let (one, mut heard) = caller();
        pending.enter(Some(one)).unwrap();
        pending
            .meant()
            .unwrap()
            .ask(ServerRequest::new("x/unknown", None).0);
        assert!(matches!(heard.try_recv(), Ok(Aside::Request(_))));
        let (other, _heard) = caller();
        pending.enter(Some(other)).unwrap();
        assert_eq!(pending.meant().unwrap_err(), Unasked::Several);
        assert_eq!(pending.tell(Bytes::new(), false), None);
        assert!(heard.try_recv().is_err());
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
