//! Gossip as control hears and says it: what others say is judged before it is passed on.

use std::sync::Arc;

use bytes::Bytes;
use peerage_protocol::id::NodeId;
use peerage_protocol::node_state::{Input, Judgement, Reply};
use peerage_protocol::wire::announcement::Announcement;

use super::handle::ControlHandle;
use super::network::PeerNetwork;
use crate::net::{GossipId, GossipVerdict};

/// Has control judge one message, and reports what it decided.
///
/// The network hands over so many unjudged messages at a time and no more, so as many of these run at most.
pub(super) async fn judge_gossip(
    control: ControlHandle,
    network: Arc<dyn PeerNetwork>,
    id: GossipId,
    from: NodeId,
    data: Bytes,
) {
    let verdict = match Announcement::decode(&data) {
        Ok(announcement) => verdict(&control, from, announcement).await,
        Err(error) => {
            tracing::debug!(%from, %error, "a gossip message cannot be read");
            GossipVerdict::Reject
        }
    };
    network.judge(id, from, verdict).await;
}

async fn verdict(
    control: &ControlHandle,
    from: NodeId,
    announcement: Announcement,
) -> GossipVerdict {
    let judged = control.ask(move |request| Input::Gossiped {
        request,
        from,
        announcement,
    });
    match judged.await {
        Ok(Reply::Gossiped(Judgement::Accept)) => GossipVerdict::Accept,
        Ok(Reply::Gossiped(Judgement::Reject)) => GossipVerdict::Reject,
        // What could not be judged in time is not passed on; asking repairs it.
        Ok(_) | Err(_) => GossipVerdict::Ignore,
    }
}
