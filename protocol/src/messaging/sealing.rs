//! How a direct message is sealed to its recipient's node: HPKE (RFC 9180) in base mode with DHKEM(X25519,
//! HKDF-SHA256), HKDF-SHA256 and ChaCha20-Poly1305. The sender is proved by the entry's signature.
//!
//! A node tells of its key in the record that it signs of itself, makes a new one from time to time, and forgets the
//! old ones once nothing that was sealed to them can come any more.

use serde::{Deserialize, Serialize};

use crate::id::{Hash, MeshId, NodeId};
use crate::mutation::Mutation;

/// Separates these messages from anything else that is sealed to such a key.
const CONTEXT: &[u8] = b"peerage direct message v1\0";

/// The public X25519 key to which messages for a node's agents are sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageKey(#[serde(with = "serde_bytes")] pub [u8; 32]);

impl MessageKey {
    /// Tells it from the node's other keys.
    pub fn id(&self) -> KeyId {
        KeyId(Hash::of(&self.0).leading_u64())
    }
}

/// The first 8 bytes of a key's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(pub u64);

/// A message that only its recipient's node can read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedMessage {
    /// Which of the recipient's keys opens it.
    pub key: KeyId,
    /// The number of the message within.
    pub number: u64,
    /// The encapsulated key (RFC 9180, 4.1).
    #[serde(with = "serde_bytes")]
    pub encapsulated: [u8; 32],
    /// The message and its tag.
    #[serde(with = "serde_bytes")]
    pub ciphertext: Vec<u8>,
}

/// Seals the bytes of a message with this number to a key; `cipher` gives the encapsulated key and the ciphertext.
///
/// # Errors
///
/// Those of `cipher`.
pub fn seal<E>(
    to: &MessageKey,
    number: u64,
    plain: &[u8],
    cipher: impl FnOnce(&[u8]) -> Result<([u8; 32], Vec<u8>), E>,
) -> Result<SealedMessage, E> {
    let (encapsulated, ciphertext) = match Mutation::SendPlain.is_on() {
        true => ([0; 32], plain.to_vec()),
        false => cipher(plain)?,
    };
    Ok(SealedMessage {
        key: to.id(),
        number,
        encapsulated,
        ciphertext,
    })
}

/// What a sealed message is bound to: no other mesh, sender, recipient, lane or place in the sender's order has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The mesh.
    pub mesh: MeshId,
    /// The node of the agent that sends.
    pub sender: NodeId,
    /// The node of the agent that is to read; it names the lane too.
    pub recipient: NodeId,
    /// The number of the message.
    pub number: u64,
}

impl Binding {
    /// The `info` of the HPKE context (RFC 9180, 5.1).
    pub fn info(&self) -> Vec<u8> {
        [CONTEXT, self.mesh.public_key()].concat()
    }

    /// The associated data of the one message in that context.
    pub fn associated_data(&self) -> Vec<u8> {
        [
            CONTEXT,
            self.sender.public_key(),
            self.recipient.public_key(),
            b"direct",
            &self.number.to_be_bytes(),
        ]
        .concat()
    }
}
