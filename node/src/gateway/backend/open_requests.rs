//! What one upstream has asked its callers and got no answer to: so that it can take a request back.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::origin::Origin;
use crate::gateway::aside::Withdrawn;
use crate::gateway::mcp::splice::request_id_of;

/// A server gives up a request of its own.
pub(crate) const CANCELLED: &str = "notifications/cancelled";

/// Whether a notification tells how a task fares. Its id is the server's own, which no caller knows; nobody may rely on
/// such notifications (2025-11-25, "Tasks"), so they go no further.
pub(crate) fn is_task_status(method: &str) -> bool {
    matches!(method, "notifications/tasks/status" | "notifications/tasks")
}

/// The open requests of one upstream, by its own raw ids. As many as may be unanswered at a time: whoever enters them
/// has that bound.
#[derive(Debug, Default)]
pub(crate) struct OpenRequests {
    open: Mutex<BTreeMap<Box<str>, Open>>,
}

#[derive(Debug)]
struct Open {
    number: u64,
    asked: Origin,
}

impl OpenRequests {
    /// The upstream has asked, under the raw `id`, the request `number` of `asked`.
    pub(crate) fn enter(&self, id: &str, number: u64, asked: Origin) {
        self.lock().insert(id.into(), Open { number, asked });
    }

    /// The request is answered; false where the upstream has taken it back and wants no answer.
    pub(crate) fn answered(&self, id: &str, number: u64) -> bool {
        let mut open = self.lock();
        let is_open = open.get(id).is_some_and(|open| open.number == number);
        if is_open {
            open.remove(id);
        }
        is_open
    }

    /// Takes in a whole `notifications/cancelled`: whoever was asked hears that no answer is wanted any more.
    pub(crate) fn withdraw(&self, message: &Bytes) {
        let id = request_id_of(message).and_then(|id| std::str::from_utf8(id).ok());
        let Some(open) = id.and_then(|id| self.lock().remove(id)) else {
            return;
        };
        open.asked.withdraw(Withdrawn {
            request: open.number,
            message: message.clone(),
        });
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Box<str>, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;
    use crate::gateway::aside::Aside;
    use crate::gateway::backend::test_upstream::call_with;

    #[test]
    fn only_the_request_that_is_named_is_taken_back_and_only_while_it_is_open() {
        let (call, mut told) = call_with(json!({}));
        let requests = OpenRequests::default();
        let origin = || Origin::of(&call, Bytes::new());
        requests.enter("\"a\"", 7, origin());
        requests.enter("2", 8, origin());
        let cancel = |id: &str| Bytes::from(format!(r#"{{"params":{{"requestId":{id}}}}}"#));
        requests.withdraw(&cancel("3"));
        requests.withdraw(&cancel("\"a\""));
        let Aside::Withdrawn(withdrawn) = told.try_recv().unwrap() else {
            panic!("something else");
        };
        assert_eq!(withdrawn.request, 7);
        assert!(!requests.answered("\"a\"", 7));
        assert!(requests.answered("2", 8));
        requests.withdraw(&cancel("2"));
        assert!(told.try_recv().is_err());
    }
}
