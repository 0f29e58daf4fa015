//! Signed entries of one author in one mesh, for the tests of this room.

use bytes::Bytes;
use ed25519_dalek::SigningKey;

use super::chain_id::{ChainId, EpochId, Lane};
use super::entry::{Draft, Entry};
use crate::id::{Hash, MeshId, NodeId};
use crate::signature::Signer;
use crate::time::Timestamp;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[2; 32])
}

/// The author's chain of messages in an epoch.
pub(super) fn chain_in(epoch: u8) -> ChainId {
    ChainId {
        author: NodeId::from_public_key(key().public_key()),
        epoch: EpochId([epoch; 16]),
        lane: Lane::MESSAGES,
    }
}

/// The entry with one item that follows `previous`, written at the time 5.
pub(super) fn following(
    previous: Hash,
    chain: ChainId,
    sequence: u64,
    item: &'static [u8],
) -> Entry {
    let draft = Draft {
        chain,
        sequence,
        previous,
        predecessor: None,
        time: Timestamp(5),
        live_from: 1,
    };
    let mesh = MeshId::from_public_key([1; 32]);
    Entry::seal(draft, &[Bytes::from_static(item)], mesh, &key())
}

/// An entry that follows nothing, in the epoch 3.
pub(super) fn alone(sequence: u64, item: &'static [u8]) -> Entry {
    following(Hash::from([0; 32]), chain_in(3), sequence, item)
}
