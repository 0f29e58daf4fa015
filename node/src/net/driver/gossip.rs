//! The swarm's side of gossip: sends what control says, hands over what others say, passes on what control accepts.

use libp2p::gossipsub;
use peerage_protocol::limits::GOSSIP_BYTES_MAX;
use tokio::time::Instant;

use super::Driver;
use crate::net::door::Offence;
use crate::net::event::NetworkEvent;
use crate::net::gossip::{GossipId, GossipVerdict, PublishError, check_size, published};
use crate::net::peer_id::{node_id, peer_id};
use peerage_protocol::id::NodeId;

impl Driver {
    pub(super) fn publish(&mut self, data: Vec<u8>) -> Result<(), PublishError> {
        let bytes = data.len();
        check_size(bytes)?;
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        published(gossip.publish(self.topic.clone(), data), bytes)
    }

    /// Reports a verdict, unless one was reported or it comes too late to matter.
    pub(super) fn judge(&mut self, id: GossipId, from: NodeId, verdict: GossipVerdict) {
        if self.awaited.judge(id, Instant::now()) {
            if verdict == GossipVerdict::Reject {
                self.offended(from, Offence::BadGossip);
            }
            self.report(id, &peer_id(from), verdict);
        } else {
            tracing::debug!(?id, ?verdict, "a verdict that nobody waits for");
        }
    }

    pub(super) fn on_gossip(&mut self, event: gossipsub::Event) {
        match event {
            gossipsub::Event::Message {
                propagation_source,
                message_id,
                message,
            } => self.on_message(propagation_source, message_id, message.data),
            gossipsub::Event::GossipsubNotSupported { peer_id } => {
                tracing::debug!(%peer_id, "gossip does not work with this member");
            }
            gossipsub::Event::SlowPeer { peer_id, .. } => {
                tracing::debug!(%peer_id, "a member is too slow for gossip");
            }
            gossipsub::Event::Subscribed { .. } | gossipsub::Event::Unsubscribed { .. } => {}
        }
    }

    fn on_message(&mut self, from: libp2p::PeerId, id: gossipsub::MessageId, data: Vec<u8>) {
        self.gossip_counters.first_copy();
        let (Ok(bytes), Some(node)) = (id.0.try_into(), node_id(&from)) else {
            return tracing::debug!(%from, "a message without a name or a sender");
        };
        let id = GossipId(bytes);
        if data.len() > GOSSIP_BYTES_MAX {
            tracing::debug!(%node, bytes = data.len(), "a gossip message is too large");
            self.offended(node, Offence::BadGossip);
            return self.report(id, &from, GossipVerdict::Reject);
        }
        if !self.gossip_rates.take(node, Instant::now()) {
            tracing::debug!(%node, "a gossip message is ignored, for a member sends too many");
            self.offended(node, Offence::GossipFlood);
            return self.report(id, &from, GossipVerdict::Ignore);
        }
        if !self.awaited.wait(id, Instant::now()) {
            tracing::debug!(%node, "a gossip message is ignored, for control is far behind");
            return self.report(id, &from, GossipVerdict::Ignore);
        }
        let data = data.into();
        self.outbox.push(NetworkEvent::Gossip {
            id,
            from: node,
            data,
        });
    }

    fn offended(&self, node: NodeId, offence: Offence) {
        let door = self.swarm.behaviour().membership.door();
        door.member_offended(node, offence);
    }

    fn report(&mut self, id: GossipId, from: &libp2p::PeerId, verdict: GossipVerdict) {
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        gossip.report_message_validation_result(&id.0.into(), from, verdict.into());
    }
}
