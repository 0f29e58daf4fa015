//! Tells control which agents are at work, so that their leases go on.

use std::sync::Arc;
use std::time::Duration;

use peerage_protocol::node_state::Input;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::control::{ControlHandle, Snapshots};
use crate::gateway::directory::Directory;

/// How often: often enough for the shortest lease.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Tells `control` until `stop`; nothing, while no agent of this node has a task.
pub async fn tell_of_activity(
    directory: Directory,
    snapshots: Arc<Snapshots>,
    control: ControlHandle,
    stop: CancellationToken,
) {
    let me = directory.me();
    let mut told = Instant::now();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(LOOK_EVERY) => {}
        }
        let looked = Instant::now();
        let mut agents = directory.local().active_since(told);
        if agents.is_empty() {
            continue;
        }
        told = looked;
        let held = snapshots
            .tasks()
            .all(|task| task.held().is_some_and(|(holder, _)| holder.node == me));
        agents.retain(|agent| {
            let mut held = held.iter().filter_map(|posted| posted.task.held());
            held.any(|(holder, _)| holder.agent == *agent)
        });
        if !agents.is_empty() {
            control.tell(Input::AgentsActive { agents }).await;
        }
    }
}
