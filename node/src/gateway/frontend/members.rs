//! Takes the substreams that members open and hands each to the peer frontend in a task of its own.

use std::sync::Arc;

use peerage_protocol::id::NodeId;

use super::peer::{Peer, PeerFrontend};
use crate::control::Snapshots;
use crate::net::{CallSubstream, InboundSubstreams};

/// Serves every inbound substream; a node that is no member any more is not heard.
pub struct MemberSubstreams {
    frontend: PeerFrontend,
    snapshots: Arc<Snapshots>,
}

impl MemberSubstreams {
    /// Serves through `frontend`, knows members' names by `snapshots`.
    pub fn new(frontend: PeerFrontend, snapshots: Arc<Snapshots>) -> Self {
        Self {
            frontend,
            snapshots,
        }
    }
}

impl InboundSubstreams for MemberSubstreams {
    fn accept(&self, from: NodeId, substream: CallSubstream) {
        let roster = self.snapshots.roster();
        let name = roster.as_ref().and_then(|roster| roster.name_of(from));
        let Some(name) = name else {
            return tracing::debug!(%from, "a substream of a node that is no member was dropped");
        };
        let frontend = self.frontend.clone();
        tokio::spawn(async move {
            frontend.serve(Peer { node: from, name }, substream).await;
        });
    }
}
