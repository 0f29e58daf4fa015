//! What a node tells every node it is linked to: how to find it, what it offers, whom it knows.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::{Hash, NodeId};
use crate::limits::{ADDRESS_BYTES_MAX, ADDRESSES_PER_NODE_MAX, ROSTER_MAX};
use crate::membership::certificate::CertificateChain;

/// Bytes of one encoded announcement.
pub const ANNOUNCEMENT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A node's word about itself and the members it knows. Whoever receives it over a link knows who said it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// Where the sender listens, as textual multiaddresses.
    pub addresses: Vec<String>,
    /// The hash of the manifest that the receiver may fetch.
    pub manifest: Hash,
    /// The members the sender knows, itself included.
    pub members: Vec<AnnouncedMember>,
    /// The sender leaves the mesh.
    #[serde(default)]
    pub leaving: bool,
}

/// A member somebody knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnouncedMember {
    /// Its certificate.
    pub chain: Arc<CertificateChain>,
    /// Where it was reached or said to listen.
    pub addresses: Vec<String>,
}

impl Announcement {
    /// The CBOR encoding.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        ciborium::into_writer(self, &mut bytes).expect("writing to memory does not fail");
        bytes
    }

    /// Reads an announcement; what exceeds a bound is a named refusal.
    pub fn decode(bytes: &[u8]) -> Result<Self, AnnouncementError> {
        if bytes.len() > ANNOUNCEMENT_BYTES_MAX {
            return Err(AnnouncementError::TooLarge { found: bytes.len() });
        }
        let announcement: Self =
            ciborium::from_reader(bytes).map_err(|_| AnnouncementError::NotAnAnnouncement)?;
        if announcement.members.len() > ROSTER_MAX {
            return Err(AnnouncementError::TooManyMembers {
                found: announcement.members.len(),
            });
        }
        let told = announcement.members.iter().map(|member| &member.addresses);
        for addresses in told.chain([&announcement.addresses]) {
            let long = |address: &String| address.len() > ADDRESS_BYTES_MAX;
            if addresses.len() > ADDRESSES_PER_NODE_MAX || addresses.iter().any(long) {
                return Err(AnnouncementError::Addresses);
            }
        }
        Ok(announcement)
    }

    /// The certificate of `node`, where it is told.
    pub fn member(&self, node: NodeId) -> Option<&AnnouncedMember> {
        self.members
            .iter()
            .find(|member| member.chain.body().subject == node)
    }
}

/// Why bytes are no announcement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnnouncementError {
    /// More than [`ANNOUNCEMENT_BYTES_MAX`].
    #[error("an announcement of {found} bytes; at most {ANNOUNCEMENT_BYTES_MAX} are allowed")]
    TooLarge {
        /// How many there are.
        found: usize,
    },
    /// Not the encoding of one.
    #[error("not an announcement")]
    NotAnAnnouncement,
    /// More than [`ROSTER_MAX`].
    #[error("an announcement of {found} members; at most {ROSTER_MAX} are allowed")]
    TooManyMembers {
        /// How many there are.
        found: usize,
    },
    /// More than [`ADDRESSES_PER_NODE_MAX`] addresses of one node, or one over [`ADDRESS_BYTES_MAX`] bytes.
    #[error("an announcement with too many or too long addresses")]
    Addresses,
}
