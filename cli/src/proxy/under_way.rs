//! The requests that the endpoint is answering.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use peerage_node::gateway::mcp::envelope::RequestId;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use crate::client::message::Head;

/// Requests that may be under way at a time, streams of subscriptions among them.
const REQUESTS_MAX: usize = 1_024;

/// The requests under way, each a task of its own. Dropping it ends them all.
#[derive(Default)]
pub(super) struct UnderWay {
    tasks: JoinSet<()>,
    by_id: BTreeMap<RequestId, AbortHandle>,
}

impl UnderWay {
    /// Whether one more may begin.
    pub(super) fn has_room(&mut self) -> bool {
        while self.tasks.try_join_next().is_some() {}
        self.by_id.retain(|_, task| !task.is_finished());
        self.tasks.len() < REQUESTS_MAX
    }

    /// Begins the task that answers the requests among `heads`.
    pub(super) fn begin(
        &mut self,
        heads: &[Head],
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let task = self.tasks.spawn(task);
        let ids = heads.iter().filter(|head| head.is_request());
        for id in ids.filter_map(|head| head.id.clone()) {
            self.by_id.insert(id, task.clone());
        }
    }

    /// Stops waiting for the answer to `id`. One that was not sent yet never is; to a modern endpoint, the response
    /// that is closed by this is the cancellation.
    pub(super) fn cancel(&mut self, id: &RequestId) {
        if let Some(task) = self.by_id.remove(id) {
            task.abort();
        }
    }

    /// Waits until all have ended, for at most `grace`.
    pub(super) async fn finish(&mut self, grace: Duration) {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        // Those that are left end with this value.
        let _ = timeout(grace, all).await;
    }
}
