//! The network as control uses it, and what it tells control.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use peerage_protocol::id::NodeId;
use peerage_protocol::node_state::Input;
use tokio::sync::mpsc;

use super::handle::ControlHandle;
use super::joining::{JoinError, Joining};
use super::snapshots::Snapshots;
use crate::net::{DialError, NetworkEvent};

/// What control wants of the network. Nothing here waits, except the answer to an exchange.
pub trait PeerNetwork: Send + Sync + 'static {
    /// Tries to reach a node; the outcome comes as an event.
    fn dial(&self, node: NodeId, addresses: Vec<String>);

    /// Ends every connection to a node.
    fn disconnect(&self, node: NodeId);

    /// Asks a linked member one question of control's own; the error says why there is no answer.
    fn exchange(
        &self,
        node: NodeId,
        kind: &'static str,
        body: Vec<u8>,
    ) -> BoxFuture<'static, Result<Bytes, String>>;
}

/// Tells control what the network says, until the network ends.
pub async fn follow_network(
    mut events: mpsc::Receiver<NetworkEvent>,
    control: ControlHandle,
    snapshots: Arc<Snapshots>,
    joining: JoiningDials,
) {
    while let Some(event) = events.recv().await {
        match &event {
            NetworkEvent::LinkUp { node, .. } => snapshots.link_changed(*node, true),
            NetworkEvent::LinkDown { node, .. } => snapshots.link_changed(*node, false),
            NetworkEvent::DialFailed { node, why } => joining.failed(*node, why),
            NetworkEvent::Sighted { .. } | NetworkEvent::ListenAddresses(_) => {}
        }
        control.tell(as_input(event)).await;
    }
}

/// Lets a redemption know that its dial came to nothing.
pub struct JoiningDials(pub(super) Arc<Joining>);

impl JoiningDials {
    fn failed(&self, node: NodeId, why: &DialError) {
        // A refusal was told by the gate already, with its reason.
        if !why.is_refusal() {
            let why = why.to_string();
            self.0.end(node, Err(JoinError::Unreachable { why }));
        }
    }
}

fn as_input(event: NetworkEvent) -> Input {
    match event {
        NetworkEvent::Sighted {
            node,
            addresses,
            source,
        } => Input::Sighted {
            node,
            addresses: texts(addresses),
            source,
        },
        NetworkEvent::LinkUp {
            node,
            address,
            dialed,
        } => Input::LinkUp {
            node,
            address: dialed.then(|| address.to_string()),
        },
        NetworkEvent::LinkDown { node, .. } => Input::LinkDown { node },
        NetworkEvent::DialFailed { node, why } => Input::DialFailed {
            node,
            refused: why.is_refusal(),
        },
        NetworkEvent::ListenAddresses(addresses) => Input::Listening {
            addresses: texts(addresses),
        },
    }
}

fn texts(addresses: Vec<libp2p::Multiaddr>) -> Vec<String> {
    addresses.iter().map(ToString::to_string).collect()
}
