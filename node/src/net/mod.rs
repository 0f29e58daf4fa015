//! The swarm: the gate that strangers do not pass, links to members, and substreams for calls.

pub mod asking;
pub mod framed;
pub mod gatekeeper;
pub mod substream;

use libp2p::Multiaddr;
use peerage_protocol::address_book::Source;
use peerage_protocol::id::NodeId;
pub enum NetworkEvent {
    Sighted {
        node: NodeId,
        addresses: Vec<Multiaddr>,
        source: Source,
    },
    LinkUp {
        node: NodeId,
        address: Multiaddr,
        dialed: bool,
    },
    LinkDown {
        node: NodeId,
        why: String,
    },
    DialFailed {
        node: NodeId,
        why: DialError,
    },
    ListenAddresses(Vec<Multiaddr>),
}
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct DialError;
impl DialError {
    pub fn is_refusal(&self) -> bool {
        false
    }
}
