//! The gate handshake: what two nodes say before either lets the other in.
//!
//! Four messages on the first substream of a fresh connection: [`DialerHello`], [`ListenerHello`], [`Claim`],
//! [`Answer`]. Each is a big-endian `u32` length and that many bytes: one CBOR item, then zero bytes of padding.
//! The listener's hello says nothing about mesh, name or role, and a refusal without a reason is the same bytes
//! whatever the cause, so a stranger learns nothing.

mod codec;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::{MeshId, NodeId};
pub use crate::membership::admission::{Claim, Refusal};
use crate::membership::certificate::CertificateChain;
use crate::membership::revocation::Revocation;

pub use codec::{GateCodecError, GateMessage, LENGTH_PREFIX_BYTES, body_length, decode, encode};

/// The oldest gate protocol this node speaks.
pub const VERSION_MIN: u16 = 1;
/// The newest gate protocol this node speaks.
pub const VERSION_MAX: u16 = 1;

/// The body of every refusal is padded to this many bytes; only a told reason with long text exceeds it.
pub const REFUSED_BODY_BYTES: usize = 256;

/// The first field of the first message; anything else is not a Peerage node.
const MAGIC: [u8; 8] = *b"peerage\0";

/// Separates mesh tags from every other keyed hash.
const TAG_CONTEXT: &[u8] = b"peerage mesh tag v1\0";

/// What the dialer says first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialerHello {
    #[serde(with = "serde_bytes")]
    magic: [u8; 8],
    /// The oldest version the dialer speaks.
    pub min_version: u16,
    /// The newest version the dialer speaks.
    pub max_version: u16,
    /// Random; half of what a ticket proof is bound to.
    #[serde(with = "serde_bytes")]
    pub nonce: [u8; 32],
    /// Names the mesh to those who know it, and to nobody else.
    pub mesh_tag: MeshTag,
}

impl DialerHello {
    /// A hello for this node's own range of versions.
    pub fn new(nonce: [u8; 32], mesh_tag: MeshTag) -> Self {
        Self {
            magic: MAGIC,
            min_version: VERSION_MIN,
            max_version: VERSION_MAX,
            nonce,
            mesh_tag,
        }
    }

    /// The newest version both ends speak, if any.
    pub fn common_version(&self) -> Option<u16> {
        let newest = self.max_version.min(VERSION_MAX);
        (newest >= self.min_version.max(VERSION_MIN)).then_some(newest)
    }
}

/// What the listener answers to any dialer's hello.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerHello {
    /// The version to go on with; the listener's newest when there is none in common.
    pub version: u16,
    /// Random; half of what a ticket proof is bound to.
    #[serde(with = "serde_bytes")]
    pub nonce: [u8; 32],
}

/// A keyed hash of the mesh id over both node ids and the dialer's nonce: two handshakes of one mesh cannot be
/// linked by it, and it cannot be replayed to another listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MeshTag(#[serde(with = "serde_bytes")] [u8; 32]);

impl MeshTag {
    /// The tag of `mesh` for one handshake.
    pub fn new(mesh: MeshId, dialer: NodeId, listener: NodeId, dialer_nonce: &[u8; 32]) -> Self {
        let hash = blake3::Hasher::new_keyed(mesh.public_key())
            .update(TAG_CONTEXT)
            .update(dialer.public_key())
            .update(listener.public_key())
            .update(dialer_nonce)
            .finalize();
        Self(*hash.as_bytes())
    }

    /// Whether both tags are the same; takes the same time either way.
    pub fn matches(&self, other: &MeshTag) -> bool {
        blake3::Hash::from_bytes(self.0) == blake3::Hash::from_bytes(other.0)
    }
}

/// What the listener answers to a claim; the last message of every handshake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Come in.
    Accept {
        /// The listener's certificate with its issuers.
        chain: Arc<CertificateChain>,
        /// Revocations that the dialer may not know, as far as they fit.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        revocations: Vec<Arc<Revocation>>,
    },
    /// Here is your certificate; the handshake ends, dial again with it.
    Issue {
        /// The listener's certificate with its issuers.
        own: Arc<CertificateChain>,
        /// The dialer's fresh certificate with its issuers.
        issued: Arc<CertificateChain>,
    },
    /// No.
    Refused {
        /// Told only to the holder of a valid ticket proof, and to who was put out of the mesh.
        reason: Option<Refusal>,
    },
}

impl GateMessage for DialerHello {
    const NAME: &'static str = "hello";

    fn check(&self) -> Result<(), GateCodecError> {
        if self.magic == MAGIC {
            Ok(())
        } else {
            Err(GateCodecError::NotPeerage)
        }
    }
}

impl GateMessage for ListenerHello {
    const NAME: &'static str = "listener's hello";
}

impl GateMessage for Claim {
    const NAME: &'static str = "claim";
}

impl GateMessage for Answer {
    const NAME: &'static str = "answer";

    fn padded_length(&self) -> usize {
        match self {
            Answer::Refused { .. } => REFUSED_BODY_BYTES,
            Answer::Accept { .. } | Answer::Issue { .. } => 0,
        }
    }
}

#[cfg(test)]
mod tests;
