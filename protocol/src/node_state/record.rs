//! What a node keeps on disk, one record a fact.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::address_book::KnownAddress;
use crate::id::{MeshId, NodeId};
use crate::membership::certificate::CertificateChain;
use crate::membership::issuer::TicketRecord;
use crate::membership::ticket::TicketId;

/// A persisted fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// The mesh this node belongs to, and its own certificate.
    Home {
        /// The mesh.
        mesh: MeshId,
        /// The certificate.
        chain: Arc<CertificateChain>,
    },
    /// A ticket this node issued.
    Ticket(TicketRecord),
    /// Another member.
    Member(Arc<CertificateChain>),
    /// Where a node was seen.
    Addresses {
        /// The node.
        node: NodeId,
        /// Its addresses.
        addresses: Vec<KnownAddress>,
    },
}

/// Names a record; a later record under the same key replaces the earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RecordKey {
    /// Of [`Record::Home`].
    Home,
    /// Of [`Record::Ticket`].
    Ticket(TicketId),
    /// Of [`Record::Member`].
    Member(NodeId),
    /// Of [`Record::Addresses`].
    Addresses(NodeId),
}

/// A change to what is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Keep this, in place of what its key named before.
    Put(Record),
    /// Forget this.
    Delete(RecordKey),
    /// Forget everything about the mesh this node was in.
    Clear,
}

impl Record {
    /// The key it is kept under.
    pub fn key(&self) -> RecordKey {
        match self {
            Record::Home { .. } => RecordKey::Home,
            Record::Ticket(ticket) => RecordKey::Ticket(ticket.id),
            Record::Member(chain) => RecordKey::Member(chain.body().subject),
            Record::Addresses { node, .. } => RecordKey::Addresses(*node),
        }
    }
}
