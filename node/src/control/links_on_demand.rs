//! Substreams to any member: where no link stands, control is asked for one, and it is waited for a little.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use peerage_protocol::id::NodeId;
use peerage_protocol::node_state::Input;
use tokio::sync::broadcast;

use super::handle::ControlHandle;
use super::snapshots::Snapshots;
use crate::net::substream::OpenSubstream;
use crate::net::{Links, OpenError};

/// How long a link that is made for a call may take.
const LINK_WITHIN: Duration = Duration::from_secs(5);

/// The links that stand, and those that can be made.
pub struct LinksOnDemand {
    links: Links,
    control: ControlHandle,
    snapshots: Arc<Snapshots>,
}

impl LinksOnDemand {
    /// Uses `links` where they stand, and has `control` make the others.
    pub fn new(links: Links, control: ControlHandle, snapshots: Arc<Snapshots>) -> Self {
        Self {
            links,
            control,
            snapshots,
        }
    }

    async fn open_linked(&self, node: NodeId) -> Result<OpenedBy<Links>, OpenError> {
        match OpenSubstream::open(&self.links, node).await {
            Err(OpenError::NotConnected { .. }) if self.is_member(node) => {}
            opened => return opened,
        }
        // Whoever waits must not miss what the wish brings about.
        let failures = self.snapshots.dial_failures();
        self.control.tell(Input::LinkWanted { node }).await;
        let linked = tokio::time::timeout(LINK_WITHIN, self.linked(node, failures)).await;
        if linked != Ok(true) {
            tracing::debug!(%node, "no link for a call could be made in time");
        }
        OpenSubstream::open(&self.links, node).await
    }

    /// Whether a link to `node` stands at last; `false` as soon as a dial has failed.
    async fn linked(&self, node: NodeId, mut failures: broadcast::Receiver<NodeId>) -> bool {
        let mut links = self.snapshots.links();
        // A link that has just died is still up in the snapshot.
        let stands = |node| self.links.is_connected(node);
        let up =
            links.wait_for(|links| links.get(&node).is_some_and(|link| link.up) && stands(node));
        let failed = async {
            loop {
                match failures.recv().await {
                    Ok(failed) if failed != node => {}
                    // Whether one that was missed was ours, the time that is left will tell.
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Ok(_) | Err(broadcast::error::RecvError::Closed) => return,
                }
            }
        };
        tokio::select! {
            up = up => up.is_ok(),
            () = failed => false,
        }
    }

    fn is_member(&self, node: NodeId) -> bool {
        let roster = self.snapshots.roster();
        roster.is_some_and(|roster| roster.member(node).is_some())
    }
}

type OpenedBy<O> = <O as OpenSubstream>::Stream;

impl OpenSubstream for LinksOnDemand {
    type Stream = OpenedBy<Links>;

    fn open(&self, node: NodeId) -> BoxFuture<'_, Result<Self::Stream, OpenError>> {
        self.open_linked(node).boxed()
    }

    fn give_back(&self, stream: Self::Stream) {
        self.links.give_back(stream);
    }
}
