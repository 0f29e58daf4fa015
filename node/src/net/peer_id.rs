//! Conversions between our identifiers and libp2p's.

use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use peerage_protocol::id::NodeId;
use zeroize::Zeroizing;

/// The node that `peer` names; `None` unless its key is Ed25519.
pub fn node_id(peer: &PeerId) -> Option<NodeId> {
    NodeId::from_peer_id_bytes(&peer.to_bytes())
}

/// The libp2p name of `node`.
pub fn peer_id(node: NodeId) -> PeerId {
    // 38 bytes of identity multihash always form a peer id.
    PeerId::from_bytes(&node.to_peer_id_bytes()).expect("an inlined Ed25519 key is a peer id")
}

/// The address alone, where it ends with whose it is.
pub fn without_node(mut address: Multiaddr) -> Multiaddr {
    if let Some(Protocol::P2p(_)) = address.iter().last() {
        address.pop();
    }
    address
}

/// The libp2p key of the node whose Ed25519 secret key (RFC 8032 seed) is `secret`.
pub fn keypair(secret: &Zeroizing<[u8; 32]>) -> Keypair {
    // The copy that is handed over is zeroed by its reader.
    let mut copy = **secret;
    Keypair::ed25519_from_bytes(&mut copy).expect("32 bytes are an Ed25519 secret key")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_node_and_its_peer_id_name_each_other() {
        let keypair = keypair(&Zeroizing::new([7; 32]));
        let peer = keypair.public().to_peer_id();
        let node = node_id(&peer).unwrap();
        assert_eq!(peer_id(node), peer);
        assert_eq!(node.to_string(), peer.to_string());
    }

    #[test]
    fn an_address_is_the_same_with_and_without_its_node() {
        let alone: Multiaddr = "/ip4/192.0.2.1/tcp/1".parse().unwrap();
        let full = alone.clone().with(Protocol::P2p(PeerId::random()));
        assert_eq!(without_node(full), alone);
        assert_eq!(without_node(alone.clone()), alone);
    }

    #[test]
    fn a_peer_without_an_ed25519_key_is_no_node() {
        assert_eq!(node_id(&PeerId::random()), None);
    }
}
