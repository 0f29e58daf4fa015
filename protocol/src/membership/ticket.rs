//! Tickets: one line that lets a new node ask an admin for a certificate.
//!
//! The secret in a ticket never travels. Its holder proves it with a keyed hash over both node ids and both
//! nonces of the gate handshake, so a proof is worth nothing to anyone else or at any other time.

use serde::{Deserialize, Serialize};

use crate::id::{MeshId, NodeId};
use crate::limits::{ADDRESS_BYTES_MAX, ADDRESSES_PER_NODE_MAX, TICKET_TEXT_MAX};
use crate::time::Timestamp;

/// What every ticket's text begins with; the digit is the version of the encoding.
pub const TICKET_PREFIX: &str = "peerage1";

/// Separates ticket proofs from every other keyed hash.
const PROOF_CONTEXT: &[u8] = b"peerage ticket proof v1\0";

/// Names a ticket at its issuer; random.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TicketId(#[serde(with = "serde_bytes")] pub [u8; 16]);

/// What proves possession of a ticket; random, never sent, never shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TicketSecret(#[serde(with = "serde_bytes")] pub [u8; 32]);

impl std::fmt::Debug for TicketSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TicketSecret(…)")
    }
}

/// What the holder of a ticket knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The mesh it leads into.
    pub mesh: MeshId,
    /// The admin that redeems it.
    pub issuer: NodeId,
    /// Its name at the issuer.
    pub id: TicketId,
    /// What proves possession.
    pub secret: TicketSecret,
    /// When it ends, by the issuer's clock.
    pub expires: Timestamp,
    /// Where the issuer listens, as textual multiaddresses.
    pub addresses: Vec<String>,
}

/// The keyed hash that shows possession of a ticket's secret in one handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TicketProof(#[serde(with = "serde_bytes")] pub [u8; 32]);

/// What both ends of a gate handshake have said and proved so far: a ticket proof is bound to all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transcript {
    /// The node that dialed, as the secure channel proved it.
    pub dialer: NodeId,
    /// The node that listens, as the secure channel proved it.
    pub listener: NodeId,
    /// Random, from the dialer.
    pub dialer_nonce: [u8; 32],
    /// Random, from the listener.
    pub listener_nonce: [u8; 32],
}

impl TicketSecret {
    /// The proof of this secret in the handshake `transcript`.
    pub fn prove(&self, id: TicketId, transcript: &Transcript) -> TicketProof {
        TicketProof(*self.keyed_hash(id, transcript).as_bytes())
    }

    /// Whether `proof` shows this secret in the handshake `transcript`; takes the same time either way.
    pub fn check(&self, id: TicketId, transcript: &Transcript, proof: &TicketProof) -> bool {
        self.keyed_hash(id, transcript) == blake3::Hash::from_bytes(proof.0)
    }

    fn keyed_hash(&self, id: TicketId, transcript: &Transcript) -> blake3::Hash {
        blake3::Hasher::new_keyed(&self.0)
            .update(PROOF_CONTEXT)
            .update(&id.0)
            .update(transcript.dialer.public_key())
            .update(transcript.listener.public_key())
            .update(&transcript.dialer_nonce)
            .update(&transcript.listener_nonce)
            .finalize()
    }
}

impl Ticket {
    /// The one line a person copies: [`TICKET_PREFIX`], then unpadded base64url of the CBOR encoding and a
    /// checksum of four bytes.
    pub fn to_text(&self) -> String {
        let mut bytes = Vec::new();
        ciborium::into_writer(self, &mut bytes).expect("writing to memory does not fail");
        let checksum = checksum(&bytes);
        bytes.extend_from_slice(&checksum);
        format!(
            "{TICKET_PREFIX}{}",
            data_encoding::BASE64URL_NOPAD.encode(&bytes)
        )
    }

    /// Reads a ticket; surrounding white space is forgiven, anything else is a named refusal.
    pub fn from_text(text: &str) -> Result<Self, TicketError> {
        let text = text.trim();
        if text.len() > TICKET_TEXT_MAX {
            return Err(TicketError::TooLong { found: text.len() });
        }
        let encoded = text
            .strip_prefix(TICKET_PREFIX)
            .ok_or(TicketError::NotATicket)?;
        let bytes = data_encoding::BASE64URL_NOPAD
            .decode(encoded.as_bytes())
            .map_err(|_| TicketError::Damaged)?;
        let split = bytes.len().checked_sub(4).ok_or(TicketError::Damaged)?;
        let (body, found) = bytes.split_at(split);
        if checksum(body) != found {
            return Err(TicketError::Damaged);
        }
        let ticket: Ticket = ciborium::from_reader(body).map_err(|_| TicketError::Damaged)?;
        ticket.check_addresses()?;
        Ok(ticket)
    }

    fn check_addresses(&self) -> Result<(), TicketError> {
        let too_long = |address: &String| address.len() > ADDRESS_BYTES_MAX;
        if self.addresses.len() > ADDRESSES_PER_NODE_MAX || self.addresses.iter().any(too_long) {
            return Err(TicketError::Addresses);
        }
        Ok(())
    }
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let hash = blake3::hash(bytes);
    let [a, b, c, d, ..] = *hash.as_bytes();
    [a, b, c, d]
}

/// Why a text is not a ticket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// It does not begin as a ticket does.
    #[error(
        "a ticket begins with {TICKET_PREFIX}; copy the whole line that `peerage invite` printed"
    )]
    NotATicket,
    /// The checksum or the encoding is off.
    #[error("the ticket is cut off or damaged; copy the whole line that `peerage invite` printed")]
    Damaged,
    /// Longer than [`TICKET_TEXT_MAX`].
    #[error("the ticket has {found} characters; at most {TICKET_TEXT_MAX} are allowed")]
    TooLong {
        /// Its length.
        found: usize,
    },
    /// Too many addresses, or one too long.
    #[error(
        "the ticket names more than {ADDRESSES_PER_NODE_MAX} addresses, or one over {ADDRESS_BYTES_MAX} bytes"
    )]
    Addresses,
}
