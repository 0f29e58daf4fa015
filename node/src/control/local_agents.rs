//! Tells control which agents are present at this node: when somebody comes or goes, and seldom.

use std::time::Duration;

use peerage_protocol::node_state::Input;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::handle::ControlHandle;
use crate::identity::Agents;

/// The mesh is told at most as often: each time is a signed record that every node checks, keeps and passes on.
const TELL_EVERY: Duration = Duration::from_secs(3);
/// How often those are looked for who have fallen silent.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Tells `control` until `stop`.
pub async fn tell_of_agents(agents: Agents, control: ControlHandle, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = follow(agents, control) => {}
    }
}

async fn follow(agents: Agents, control: ControlHandle) {
    let mut changes = agents.changes();
    let mut told = Vec::new();
    loop {
        // A change or the time: either way it is looked again.
        let changed = timeout(LOOK_EVERY, changes.changed()).await.is_ok();
        let present = agents.told();
        if present == told {
            continue;
        }
        if !changed {
            agents.told_of_change();
            changes.mark_unchanged();
        }
        told.clone_from(&present);
        control.tell(Input::LocalAgents { agents: present }).await;
        sleep(TELL_EVERY).await;
    }
}
