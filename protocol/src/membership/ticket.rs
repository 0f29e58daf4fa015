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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn ticket()(
            keys in any::<[[u8; 32]; 2]>(),
            id in any::<[u8; 16]>(),
            secret in any::<[u8; 32]>(),
            expires in any::<u64>(),
            addresses in proptest::collection::vec("[ -~]{0,200}", 0..8),
        ) -> Ticket {
            Ticket {
                mesh: MeshId::from_public_key(keys[0]),
                issuer: NodeId::from_public_key(keys[1]),
                id: TicketId(id),
                secret: TicketSecret(secret),
                expires: Timestamp(expires),
                addresses,
            }
        }
    }

    fn example() -> Ticket {
        Ticket {
            mesh: MeshId::from_public_key([1; 32]),
            issuer: NodeId::from_public_key([2; 32]),
            id: TicketId([3; 16]),
            secret: TicketSecret([4; 32]),
            expires: Timestamp(1_800_000_000_000),
            addresses: vec!["/ip4/192.0.2.1/udp/4001/quic-v1".to_owned()],
        }
    }

    #[test]
    fn the_text_of_version_one_is_fixed() {
        let golden = "peerage1pmRtZXNoWCABAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAWZpc3N1ZXJYIAICAgICAgICAgICAgICAgIC\
            AgICAgICAgICAgICAgICYmlkUAMDAwMDAwMDAwMDAwMDAwNmc2VjcmV0WCAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\
            BAQEBGdleHBpcmVzGwAAAaMYXFAAaWFkZHJlc3Nlc4F4Hy9pcDQvMTkyLjAuMi4xL3VkcC80MDAxL3F1aWMtdjHpyoct";
        assert_eq!(example().to_text(), golden);
        assert_eq!(
            Ticket::from_text(&format!(" \t{golden}\r\n")),
            Ok(example())
        );
    }

    #[test]
    fn the_proof_of_version_one_is_fixed_and_holds_in_its_own_handshake_only() {
        let ticket = example();
        let transcript = Transcript {
            dialer: NodeId::from_public_key([5; 32]),
            listener: ticket.issuer,
            dialer_nonce: [6; 32],
            listener_nonce: [7; 32],
        };
        let proof = ticket.secret.prove(ticket.id, &transcript);
        assert_eq!(
            data_encoding::HEXLOWER.encode(&proof.0),
            "45f90f1844957060eccb30e285f31b29c02111ca2c702dd698c24ef7044f8e23"
        );
        assert!(ticket.secret.check(ticket.id, &transcript, &proof));
        let others = [
            Transcript {
                dialer: transcript.listener,
                ..transcript
            },
            Transcript {
                listener: transcript.dialer,
                ..transcript
            },
            Transcript {
                dialer_nonce: [0; 32],
                ..transcript
            },
            Transcript {
                listener_nonce: [0; 32],
                ..transcript
            },
        ];
        for other in others {
            assert!(!ticket.secret.check(ticket.id, &other, &proof));
        }
        assert!(!ticket.secret.check(TicketId([0; 16]), &transcript, &proof));
        assert!(!TicketSecret([0; 32]).check(ticket.id, &transcript, &proof));
    }

    #[test]
    fn what_is_no_ticket_is_refused_by_name() {
        let text = example().to_text();
        let cut = &text[..text.len() - 1];
        assert_eq!(Ticket::from_text("hello"), Err(TicketError::NotATicket));
        assert_eq!(Ticket::from_text(TICKET_PREFIX), Err(TicketError::Damaged));
        assert_eq!(Ticket::from_text(cut), Err(TicketError::Damaged));
        let found = TICKET_TEXT_MAX + 1;
        let long = "p".repeat(found);
        assert_eq!(
            Ticket::from_text(&long),
            Err(TicketError::TooLong { found })
        );
        let many = Ticket {
            addresses: vec![String::new(); ADDRESSES_PER_NODE_MAX + 1],
            ..example()
        };
        assert_eq!(
            Ticket::from_text(&many.to_text()),
            Err(TicketError::Addresses)
        );
    }

    proptest! {
        #[test]
        fn any_text_is_a_ticket_or_a_named_refusal(text in any::<String>(), body in "[A-Za-z0-9_-]{0,200}") {
            let _ = Ticket::from_text(&text);
            let _ = Ticket::from_text(&format!("{TICKET_PREFIX}{text}"));
            let _ = Ticket::from_text(&format!("{TICKET_PREFIX}{body}"));
        }

        #[test]
        fn any_bytes_with_a_right_checksum_are_a_ticket_or_a_named_refusal(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let sum = checksum(&bytes);
            bytes.extend_from_slice(&sum);
            let text = data_encoding::BASE64URL_NOPAD.encode(&bytes);
            let _ = Ticket::from_text(&format!("{TICKET_PREFIX}{text}"));
        }

        #[test]
        fn a_ticket_is_read_back_from_its_text(ticket in ticket()) {
            let text = ticket.to_text();
            prop_assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'));
            prop_assert_eq!(Ticket::from_text(&text), Ok(ticket));
        }

        #[test]
        fn any_one_character_changed_is_refused(
            ticket in ticket(),
            at in any::<prop::sample::Index>(),
            other in prop_oneof!["[A-Za-z0-9_-]", "\\PC"],
        ) {
            let text = ticket.to_text();
            let at = at.index(text.len());
            prop_assume!(text[at..=at] != *other);
            let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            let refusal = Ticket::from_text(&changed).unwrap_err();
            prop_assert!(matches!(refusal, TicketError::NotATicket | TicketError::Damaged), "{refusal}");
        }

        #[test]
        fn nothing_that_is_shown_depends_on_the_secret(ticket in ticket(), secret in any::<[u8; 32]>()) {
            let other = Ticket { secret: TicketSecret(secret), ..ticket.clone() };
            prop_assert_eq!(format!("{ticket:?}"), format!("{other:?}"));
            prop_assert_eq!(format!("{ticket:#?}"), format!("{other:#?}"));
        }
    }
}
