//! What the network tells control.

use bytes::Bytes;
use libp2p::Multiaddr;
use peerage_protocol::address_book::Source;
use peerage_protocol::id::NodeId;

use super::gatekeeper::Refusal;
use super::gossip::GossipId;
use crate::discovery::dht::RecordRefused;

/// Something happened on the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkEvent {
    /// A node may be found at these addresses. Says nothing about whether it is a member.
    Sighted {
        /// Who it says it is.
        node: NodeId,
        /// At most [`peerage_protocol::limits::ADDRESSES_PER_NODE_MAX`].
        addresses: Vec<Multiaddr>,
        /// Who saw it.
        source: Source,
    },
    /// The first connection to a member stands.
    LinkUp {
        /// The member.
        node: NodeId,
        /// Its address; of an inbound connection, the one it came from, which may not be dialable.
        address: Multiaddr,
        /// Whether this node dialed.
        dialed: bool,
    },
    /// The last connection to a member is gone.
    LinkDown {
        /// The member.
        node: NodeId,
        /// How it ended.
        why: LinkEnd,
    },
    /// Somebody told the mesh's table a record that is not believed.
    RecordRefused {
        /// About whom.
        node: NodeId,
        /// What is wrong with it.
        why: RecordRefused,
    },
    /// Dials of these addresses brought no link, whatever others did: nobody is there, or somebody else.
    AddressesFailed {
        /// Who was looked for there.
        node: NodeId,
        /// As they were dialed.
        addresses: Vec<Multiaddr>,
    },
    /// A dial that control asked for came to nothing.
    DialFailed {
        /// Who was dialed.
        node: NodeId,
        /// What came of it.
        why: DialFailure,
    },
    /// A member passes on what somebody says to all. It goes no further until [`super::Network::judge`] is told.
    Gossip {
        /// Which message.
        id: GossipId,
        /// Who passed it on; whoever said it signs inside.
        from: NodeId,
        /// At most [`peerage_protocol::limits::GOSSIP_BYTES_MAX`].
        data: Bytes,
    },
    /// Where this node listens now; replaces what was said before.
    ListenAddresses(Vec<Multiaddr>),
}

/// How a link ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkEnd {
    /// Nothing was heard for [`peerage_protocol::limits::LINK_SILENCE_MAX`].
    #[error("nothing was heard from it any more")]
    Silent,
    /// This node closed it.
    #[error("this node closed the link")]
    ClosedHere,
    /// The other end closed it, or it broke.
    #[error("the link broke: {why}")]
    Broken {
        /// What the transport says.
        why: String,
    },
}

/// What came of a dial, when no link did.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialFailure {
    /// A certificate was issued and is kept: dial again as a member.
    #[error("a certificate was issued; dial again as a member")]
    Issued,
    /// The other node answered and refused.
    #[error("{0}")]
    Refused(Refusal),
    /// The other node accepted, and this node did not accept it.
    #[error("the node that answered is not accepted: {0}")]
    Distrusted(Refusal),
    /// This node has neither a certificate nor a ticket to show.
    #[error("this node belongs to no mesh yet; redeem a ticket first with `peerage join`")]
    NothingToShow,
    /// Nobody who speaks the gate's protocol as this node answered.
    #[error("it cannot be reached: {why}")]
    Unreachable {
        /// What became of each address.
        why: String,
    },
}

impl DialFailure {
    /// Whether the other node was reached and said no: it, or this node, must change before another try is worth it.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Distrusted(_))
    }
}
