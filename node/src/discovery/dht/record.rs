//! A record of the table: a member's certificate and what it signed of itself, under the key made of its id.

use std::sync::Arc;

use libp2p::kad::{Record, RecordKey};
use peerage_protocol::id::{MeshId, NodeId};
use peerage_protocol::membership::certificate::Validity;
use peerage_protocol::membership::member::Member;
use peerage_protocol::signature::Verifier;
use peerage_protocol::time::Timestamp;
use peerage_protocol::wire::announcement::Announcement;

use super::RECORD_BYTES_MAX;

/// The key under which the record of `node` is kept.
pub(super) fn key(node: NodeId) -> RecordKey {
    RecordKey::new(&node.to_peer_id_bytes())
}

/// Whose record is kept under a key; `None` where it is nobody's.
pub(super) fn node_of(key: &RecordKey) -> Option<NodeId> {
    NodeId::from_peer_id_bytes(key.as_ref())
}

/// The record of a member, to be kept by others; `None` where it is too large or says nothing of where it is.
pub(super) fn record_of(member: &Arc<Member>) -> Option<Record> {
    let says = member
        .record()
        .is_some_and(|record| !record.addresses.is_empty());
    let told = Announcement::of([member.clone()], RECORD_BYTES_MAX);
    let fits = !told.members.is_empty();
    (says && fits).then(|| Record::new(key(member.node()), told.encode()))
}

/// The member that a record is about, if all of it is that member's own word in `mesh` and of this time.
pub(super) fn read(
    record: &Record,
    mesh: MeshId,
    now: Timestamp,
    verifier: &dyn Verifier,
) -> Result<Arc<Member>, RecordRefused> {
    if record.value.len() > RECORD_BYTES_MAX {
        return Err(RecordRefused::TooLarge {
            bytes: record.value.len(),
        });
    }
    let told = Announcement::decode(&record.value).map_err(|error| RecordRefused::Unreadable {
        why: error.to_string(),
    })?;
    let [member] = &told.members[..] else {
        return Err(RecordRefused::NotOne {
            members: told.members.len(),
        });
    };
    if node_of(&record.key) != Some(member.node()) {
        return Err(RecordRefused::OtherNode);
    }
    if member.record().is_none() || member.has_left() {
        return Err(RecordRefused::SaysNothing);
    }
    if member.chain().validity(now) != Validity::Valid {
        return Err(RecordRefused::Expired);
    }
    member
        .check(mesh, verifier)
        .map_err(|refusal| RecordRefused::NotItsOwn {
            why: refusal.to_string(),
        })?;
    Ok(member.clone())
}

/// Why a record is neither kept nor believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordRefused {
    /// Longer than a member's record can be.
    #[error("it has {bytes} bytes, more than {RECORD_BYTES_MAX}")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// Not an announcement.
    #[error("it cannot be read: {why}")]
    Unreadable {
        /// What the decoder found wrong.
        why: String,
    },
    /// About nobody, or several.
    #[error("it is about {members} members, not one")]
    NotOne {
        /// How many.
        members: usize,
    },
    /// Under the key of somebody else.
    #[error("it is about another node than its key")]
    OtherNode,
    /// A certificate alone, or a goodbye.
    #[error("it does not say where the node is")]
    SaysNothing,
    /// Not of this time.
    #[error("the certificate in it is not valid now")]
    Expired,
    /// Not signed by the node, or not of this mesh.
    #[error("it is not the node's own word: {why}")]
    NotItsOwn {
        /// What is wrong.
        why: String,
    },
    /// An earlier one than what is kept.
    #[error("a later one is known")]
    Older,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use ed25519_dalek::SigningKey;
    use peerage_protocol::id::Hash;
    use peerage_protocol::limits::CERTIFICATE_LIFETIME;
    use peerage_protocol::membership::certificate::{
        CERTIFICATE_VERSION, CertificateBody, CertificateChain, Role,
    };
    use peerage_protocol::membership::peer_record::PeerRecord;
    use peerage_protocol::signature::{Ed25519, Signer};

    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn signer(byte: u8) -> SigningKey {
        SigningKey::from_bytes(&[byte; 32])
    }

    fn node(byte: u8) -> NodeId {
        NodeId::from_public_key(signer(byte).public_key())
    }

    fn mesh(byte: u8) -> MeshId {
        MeshId::from_public_key(signer(byte).public_key())
    }

    /// A certificate of `subject` by the root of the mesh whose key is made of 100.
    fn chain(subject: u8, not_before: Timestamp) -> Arc<CertificateChain> {
        let body = CertificateBody {
            version: CERTIFICATE_VERSION,
            mesh: mesh(100),
            serial: 1,
            subject: node(subject),
            name: "desk".parse().unwrap(),
            role: Role::Member,
            not_before,
            expires: not_before + CERTIFICATE_LIFETIME,
            only: Vec::new(),
            replaces: None,
        };
        Arc::new(body.sign(&signer(100), Vec::new()))
    }

    /// What `subject` says of itself, signed by `signed_by`.
    fn member(subject: u8, signed_by: u8, leaving: bool) -> Arc<Member> {
        let chain = chain(subject, NOW);
        let addresses = vec!["/ip4/192.0.2.1/tcp/1".to_owned()];
        let hash = Hash::of(b"");
        let key = signer(signed_by);
        let record = PeerRecord::sign(&key, &chain, 1, addresses, hash, leaving);
        Arc::new(Member::new(chain, Some(record)))
    }

    fn refused(record: &Record, mesh_byte: u8, now: Timestamp) -> Option<RecordRefused> {
        read(record, mesh(mesh_byte), now, &Ed25519).err()
    }

    #[test]
    fn a_members_own_word_is_read_back() {
        let record = record_of(&member(1, 1, false)).unwrap();
        let read = read(&record, mesh(100), NOW, &Ed25519).unwrap();
        assert_eq!(read, member(1, 1, false));
    }

    #[test]
    fn a_record_that_another_signed_or_put_under_another_key_is_refused() {
        let forged = record_of(&member(1, 2, false)).unwrap();
        let why = refused(&forged, 100, NOW);
        assert!(
            matches!(why, Some(RecordRefused::NotItsOwn { .. })),
            "{why:?}"
        );
        let mut moved = record_of(&member(1, 1, false)).unwrap();
        moved.key = key(node(2));
        assert_eq!(refused(&moved, 100, NOW), Some(RecordRefused::OtherNode));
    }

    #[test]
    fn records_of_another_mesh_or_time_and_goodbyes_are_refused() {
        let record = record_of(&member(1, 1, false)).unwrap();
        let why = refused(&record, 101, NOW);
        assert!(
            matches!(why, Some(RecordRefused::NotItsOwn { .. })),
            "{why:?}"
        );
        let late = NOW + CERTIFICATE_LIFETIME * 2;
        assert_eq!(refused(&record, 100, late), Some(RecordRefused::Expired));
        let goodbye = record_of(&member(1, 1, true)).unwrap();
        assert_eq!(
            refused(&goodbye, 100, NOW),
            Some(RecordRefused::SaysNothing)
        );
    }

    #[test]
    fn what_is_too_long_or_no_record_at_all_is_refused() {
        let long = Record::new(key(node(1)), vec![0; RECORD_BYTES_MAX + 1]);
        let why = refused(&long, 100, NOW);
        assert!(
            matches!(why, Some(RecordRefused::TooLarge { .. })),
            "{why:?}"
        );
        let noise = Record::new(key(node(1)), b"noise".to_vec());
        assert!(refused(&noise, 100, NOW).is_some());
        let empty = Record::new(key(node(1)), Announcement::default().encode());
        let why = refused(&empty, 100, NOW);
        assert_eq!(why, Some(RecordRefused::NotOne { members: 0 }));
    }
}
