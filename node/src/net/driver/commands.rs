//! What the handle asks of the swarm, one command at a time.

use std::sync::Arc;

use libp2p::Multiaddr;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use peerage_protocol::id::NodeId;
use peerage_protocol::limits::ADDRESSES_PER_NODE_MAX;
use peerage_protocol::membership::member::Member;
use tokio::sync::oneshot;

use super::Driver;
use crate::net::gatekeeper::Purpose;
use crate::net::gossip::{GossipId, GossipVerdict, PublishError};
use crate::net::peer_id::peer_id;

/// What the handle asks for.
pub(in crate::net) enum Command {
    /// Connect, unless a link stands that serves the purpose.
    Dial {
        node: NodeId,
        addresses: Vec<Multiaddr>,
    },
    /// Close every connection to a node.
    Disconnect { node: NodeId },
    /// Close every connection to a node on which no substream is open.
    Release { node: NodeId },
    /// Tell everybody.
    Publish {
        data: Vec<u8>,
        done: oneshot::Sender<Result<(), PublishError>>,
    },
    /// Tell the mesh's table where this node is.
    Provide { own: Arc<Member> },
    /// Ask the mesh's table where a member is.
    Seek { node: NodeId },
    /// What becomes of a message that was heard.
    Judge {
        id: GossipId,
        from: NodeId,
        verdict: GossipVerdict,
    },
    /// Close everything, then say so.
    ShutDown { done: oneshot::Sender<()> },
}

impl Driver {
    /// Whether to go on.
    pub(super) fn on_command(&mut self, command: Option<Command>) -> bool {
        match command {
            Some(Command::Dial { node, addresses }) => self.dial(node, addresses),
            Some(Command::Disconnect { node }) => self.disconnect(node),
            Some(Command::Release { node }) => self.release(node),
            Some(Command::Publish { data, done }) => {
                // Whoever asked may have gone.
                let _ = done.send(self.publish(data));
            }
            Some(Command::Provide { own }) => self.swarm.behaviour_mut().dht.provide(&own),
            Some(Command::Seek { node }) => self.swarm.behaviour_mut().dht.seek(node),
            Some(Command::Judge { id, from, verdict }) => self.judge(id, from, verdict),
            Some(Command::ShutDown { done }) => {
                self.leaving = Some(done);
                return false;
            }
            None => return false,
        }
        true
    }

    fn dial(&mut self, node: NodeId, mut addresses: Vec<Multiaddr>) {
        addresses.truncate(ADDRESSES_PER_NODE_MAX);
        // A renewal needs a handshake of its own even where a link stands.
        let condition = match self.gatekeeper.purpose(node) {
            // Control knows what it has dialed: a second dial has fresh addresses.
            Purpose::Member => PeerCondition::Disconnected,
            Purpose::Renew
            | Purpose::Redeem { .. }
            | Purpose::Ask { .. }
            | Purpose::Collect
            | Purpose::Rotate { .. } => PeerCondition::Always,
        };
        // Two nodes that dial each other from their listening ports at the same time would meet as two TCP dialers
        // on one connection, and both would fail: so each dial has a port of its own.
        let dial = DialOpts::peer_id(peer_id(node))
            .condition(condition)
            .addresses(addresses)
            .allocate_new_port()
            .build();
        if let Err(error) = self.swarm.dial(dial) {
            self.on_dial_error(node, &error);
        }
    }

    fn disconnect(&mut self, node: NodeId) {
        // An error says that there is nothing to close.
        let _ = self.swarm.disconnect_peer_id(peer_id(node));
    }

    fn release(&mut self, node: NodeId) {
        for connection in self.swarm.behaviour().calls.idle_connections(node) {
            self.swarm.close_connection(connection);
        }
    }
}
