//! The network as control uses it, and what it tells control.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use peerage_protocol::id::NodeId;
use peerage_protocol::membership::admission::Refusal;
use peerage_protocol::membership::member::Member;
use peerage_protocol::node_state::Input;
use tokio::sync::mpsc;

use super::gossip::judge_gossip;
use super::handle::ControlHandle;
use super::joining::{JoinError, Joined, Joining};
use super::sightings::{note_refused_record, tell_sighted};
use super::snapshots::Snapshots;
use crate::net::substream::exchange;
use crate::net::{DialFailure, GossipId, GossipVerdict, Network, NetworkEvent, PublishError};

/// How long another member's control may take to answer.
const EXCHANGE_WITHIN: Duration = Duration::from_secs(20);

/// What control wants of the network. Only an exchange waits for the other node.
pub trait PeerNetwork: Send + Sync + 'static {
    /// Tries to reach a node; the outcome comes as an event.
    fn dial(&self, node: NodeId, addresses: Vec<String>) -> BoxFuture<'_, ()>;

    /// Ends every connection to a node.
    fn disconnect(&self, node: NodeId) -> BoxFuture<'_, ()>;

    /// Ends the connections to a node on which nobody has anything in progress.
    fn release(&self, node: NodeId) -> BoxFuture<'_, ()>;

    /// Gossips this to everybody; the error says why nobody was told.
    fn publish(&self, data: Vec<u8>) -> BoxFuture<'static, Result<(), PublishError>>;

    /// Says whether a gossip message is passed on.
    fn judge(&self, id: GossipId, from: NodeId, verdict: GossipVerdict) -> BoxFuture<'_, ()>;

    /// Tells the mesh's table where this node is. A network without a table tells nobody.
    fn provide(&self, _own: Arc<Member>) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }

    /// Asks the mesh's table where a member is; what is found comes as an event. A network without a table finds
    /// nothing.
    fn seek(&self, _node: NodeId) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }

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
    network: Arc<dyn PeerNetwork>,
    control: ControlHandle,
    snapshots: Arc<Snapshots>,
    joining: JoiningDials,
) {
    while let Some(event) = events.recv().await {
        note(&event, &snapshots, &joining);
        match event {
            NetworkEvent::Gossip { id, from, data } => {
                let (control, network) = (control.clone(), network.clone());
                tokio::spawn(judge_gossip(control, network, id, from, data));
            }
            NetworkEvent::LinkUp {
                node,
                address,
                dialed,
            } => {
                let address = dialed.then(|| address.to_string());
                control.tell(Input::LinkUp { node, address }).await;
            }
            NetworkEvent::LinkDown { node, .. } => control.tell(Input::LinkDown { node }).await,
            NetworkEvent::DialFailed { node, why } => control.tell(dial_failed(node, &why)).await,
            NetworkEvent::Sighted {
                node,
                addresses,
                source,
            } => tell_sighted(&control, &snapshots, node, addresses, source).await,
            NetworkEvent::RecordRefused { node, why } => {
                note_refused_record(&snapshots, node, &why);
            }
            NetworkEvent::AddressesFailed { node, addresses } => {
                let addresses = texts(addresses);
                control
                    .tell(Input::AddressesFailed { node, addresses })
                    .await;
            }
            NetworkEvent::ListenAddresses(addresses) => {
                let addresses = texts(addresses);
                control.tell(Input::Listening { addresses }).await;
            }
        }
    }
}

/// What the rest of the node is to know of links, before control hears of it.
fn note(event: &NetworkEvent, snapshots: &Snapshots, joining: &JoiningDials) {
    match event {
        NetworkEvent::LinkUp { node, address, .. } => {
            tracing::info!(%node, %address, "linked");
            snapshots.link_up(*node, address.to_string());
            snapshots.told_put_out(None);
        }
        NetworkEvent::LinkDown { node, why } => {
            tracing::info!(%node, %why, "link lost");
            snapshots.link_down(*node);
        }
        NetworkEvent::DialFailed { node, why } => {
            tracing::debug!(%node, %why, "a dial brought no link");
            joining.failed(*node, why);
            note_put_out(why, snapshots);
            if *why != DialFailure::Issued {
                snapshots.dial_failed(*node);
            }
        }
        NetworkEvent::Sighted {
            node, addresses, ..
        } => {
            // A member finds others through control; who is none yet must know whom to ask.
            if snapshots.roster().is_none() {
                joining.0.sighted(*node, texts(addresses.clone()));
            }
        }
        NetworkEvent::ListenAddresses(addresses) => snapshots.set_listening(addresses.clone()),
        NetworkEvent::RecordRefused { .. }
        | NetworkEvent::AddressesFailed { .. }
        | NetworkEvent::Gossip { .. } => {}
    }
}

fn note_put_out(why: &DialFailure, snapshots: &Snapshots) {
    if let DialFailure::Refused(refusal) = why
        && matches!(refusal, Refusal::Revoked | Refusal::IssuerRevoked { .. })
    {
        if snapshots.put_out().is_none() {
            tracing::warn!(%refusal, "this node was put out of its mesh");
        }
        snapshots.told_put_out(Some(refusal.clone()));
    }
}

fn dial_failed(node: NodeId, why: &DialFailure) -> Input {
    match why {
        DialFailure::Issued => Input::DialAgain { node },
        _ => Input::DialFailed {
            node,
            refused: why.is_refusal(),
        },
    }
}

/// Lets a redemption know that its dial came to nothing.
pub struct JoiningDials(pub(super) Arc<Joining>);

impl JoiningDials {
    fn failed(&self, node: NodeId, why: &DialFailure) {
        // A refusal was told by the gate already, with its reason.
        match why {
            DialFailure::Issued => self.0.end(node, Ok(Joined::Certified)),
            DialFailure::Unreachable { why } => {
                let why = why.clone();
                self.0.end(node, Err(JoinError::Unreachable { why }));
            }
            DialFailure::Refused(_) | DialFailure::Distrusted(_) | DialFailure::NothingToShow => {}
        }
    }
}

fn texts(addresses: Vec<libp2p::Multiaddr>) -> Vec<String> {
    addresses.iter().map(ToString::to_string).collect()
}

impl PeerNetwork for Network {
    fn dial(&self, node: NodeId, addresses: Vec<String>) -> BoxFuture<'_, ()> {
        let readable = |address: &String| match address.parse() {
            Ok(address) => Some(address),
            Err(error) => {
                tracing::debug!(%node, address, %error, "an address cannot be read and is not dialed");
                None
            }
        };
        let addresses = addresses.iter().filter_map(readable).collect();
        Network::dial(self, node, addresses).boxed()
    }

    fn disconnect(&self, node: NodeId) -> BoxFuture<'_, ()> {
        Network::disconnect(self, node).boxed()
    }

    fn release(&self, node: NodeId) -> BoxFuture<'_, ()> {
        Network::release(self, node).boxed()
    }

    fn publish(&self, data: Vec<u8>) -> BoxFuture<'static, Result<(), PublishError>> {
        let network = self.clone();
        async move { Network::publish(&network, data).await }.boxed()
    }

    fn provide(&self, own: Arc<Member>) -> BoxFuture<'_, ()> {
        Network::provide(self, own).boxed()
    }

    fn seek(&self, node: NodeId) -> BoxFuture<'_, ()> {
        Network::seek(self, node).boxed()
    }

    fn judge(&self, id: GossipId, from: NodeId, verdict: GossipVerdict) -> BoxFuture<'_, ()> {
        Network::judge(self, id, from, verdict).boxed()
    }

    fn exchange(
        &self,
        node: NodeId,
        kind: &'static str,
        body: Vec<u8>,
    ) -> BoxFuture<'static, Result<Bytes, String>> {
        let links = self.links().clone();
        async move {
            exchange(&links, node, kind, body, EXCHANGE_WITHIN)
                .await
                .map_err(|error| error.to_string())
        }
        .boxed()
    }
}
