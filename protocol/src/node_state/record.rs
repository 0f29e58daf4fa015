//! What a node keeps on disk, one record a fact.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::address_book::KnownAddress;
use crate::consensus::proof::Proof;
use crate::consensus::proposal::ProposalId;
use crate::id::{MeshId, NodeId};
use crate::log::chain::Chain;
use crate::log::chain_id::ChainId;
use crate::log::entry::Entry;
use crate::log::fork::{Fork, ForkedEpoch};
use crate::log::own_epoch::EpochRecord;
use crate::membership::certificate::CertificateChain;
use crate::membership::issuer::TicketRecord;
use crate::membership::member::Member;
use crate::membership::revocation::{Revocation, RevocationId};
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
    /// Another member that has not said anything of itself yet.
    Member(Arc<CertificateChain>),
    /// Another member, or one that left, and what it said of itself.
    Peer(Arc<Member>),
    /// Somebody was put out of the mesh.
    Revocation(Arc<Revocation>),
    /// Where a node was seen.
    Addresses {
        /// The node.
        node: NodeId,
        /// Its addresses.
        addresses: Vec<KnownAddress>,
    },
    /// A chain of the log, without its entries.
    Chain(Chain),
    /// Evidence of a fork.
    Fork(Arc<Fork>),
    /// The epoch this node last wrote in.
    Epoch(EpochRecord),
    /// What was decided, as this node first knew it.
    Decision(Arc<Proof>),
}

/// Names a record; a later record under the same key replaces the earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RecordKey {
    /// Of [`Record::Home`].
    Home,
    /// Of [`Record::Ticket`].
    Ticket(TicketId),
    /// Of [`Record::Member`] and [`Record::Peer`].
    Member(NodeId),
    /// Of [`Record::Revocation`].
    Revocation(RevocationId),
    /// Of [`Record::Addresses`].
    Addresses(NodeId),
    /// Of [`Record::Chain`].
    Chain(ChainId),
    /// Of [`Record::Fork`].
    Fork(ForkedEpoch),
    /// Of [`Record::Epoch`].
    Epoch,
    /// Of [`Record::Decision`].
    Decision(ProposalId),
}

/// A change to what is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Keep this, in place of what its key named before.
    Put(Record),
    /// Forget this.
    Delete(RecordKey),
    /// Keep this entry of the log.
    Append(Arc<Entry>),
    /// Forget the entries of a chain before `first`, all but the header of the last of them.
    Prune {
        /// The chain.
        chain: ChainId,
        /// The first that is kept.
        first: u64,
    },
    /// Forget everything about the mesh this node was in.
    Clear,
}

impl Write {
    /// The key of the record that is written or forgotten; `None` where it is all of them, or entries of the log.
    pub fn key(&self) -> Option<RecordKey> {
        match self {
            Write::Put(record) => Some(record.key()),
            Write::Delete(key) => Some(*key),
            Write::Append(_) | Write::Prune { .. } | Write::Clear => None,
        }
    }
}

impl Record {
    /// What is kept of another member.
    pub fn of_member(member: &Arc<Member>) -> Self {
        match member.record() {
            Some(_) => Record::Peer(member.clone()),
            None => Record::Member(member.chain().clone()),
        }
    }

    /// The key it is kept under.
    pub fn key(&self) -> RecordKey {
        match self {
            Record::Home { .. } => RecordKey::Home,
            Record::Ticket(ticket) => RecordKey::Ticket(ticket.id),
            Record::Member(chain) => RecordKey::Member(chain.body().subject),
            Record::Peer(member) => RecordKey::Member(member.node()),
            Record::Revocation(revocation) => RecordKey::Revocation(revocation.id()),
            Record::Addresses { node, .. } => RecordKey::Addresses(*node),
            Record::Chain(chain) => RecordKey::Chain(chain.id),
            Record::Fork(fork) => RecordKey::Fork(fork.forked),
            Record::Epoch(_) => RecordKey::Epoch,
            Record::Decision(proof) => RecordKey::Decision(proof.proposal().body.id()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::address_book::Source;
    use crate::id::Hash;
    use crate::log::chain_id::{EpochId, Lane};
    use crate::log::entry::SealedEntry;
    use crate::membership::certificate::{CERTIFICATE_VERSION, Certificate, CertificateBody, Role};
    use crate::membership::peer_record::PeerRecord;
    use crate::membership::ticket::TicketSecret;
    use crate::signature::Signature;
    use crate::time::Timestamp;
    use crate::wire::{decode_cbor, encode_cbor};

    fn certificate(byte: u8, role: Role) -> Certificate {
        let body = CertificateBody {
            version: CERTIFICATE_VERSION,
            mesh: MeshId::from_public_key([1; 32]),
            serial: 300,
            subject: NodeId::from_public_key([byte; 32]),
            name: "desk".parse().unwrap(),
            role,
            not_before: Timestamp(1_800_000_000_000),
            expires: Timestamp(1_801_209_600_000),
            only: Vec::new(),
            replaces: None,
        };
        Certificate {
            body,
            signature: Signature([9; 64]),
        }
    }

    fn chain() -> Arc<CertificateChain> {
        Arc::new(CertificateChain {
            certificate: certificate(2, Role::Member),
            issuers: vec![certificate(3, Role::Admin)],
        })
    }

    fn home() -> Record {
        Record::Home {
            mesh: MeshId::from_public_key([1; 32]),
            chain: chain(),
        }
    }

    fn ticket() -> Record {
        Record::Ticket(TicketRecord {
            id: TicketId([4; 16]),
            secret: TicketSecret([5; 32]),
            expires: Timestamp(1_800_000_900_000),
            uses: 2,
            role: Role::Member,
            only: Vec::new(),
            lifetime_ms: None,
            redeemed: BTreeMap::from([(NodeId::from_public_key([2; 32]), chain())]),
        })
    }

    fn peer() -> Record {
        let record = PeerRecord {
            sequence: 300,
            addresses: vec!["/a".to_owned()],
            manifest: Hash::of(b""),
            leaving: false,
            version: None,
            agents: Vec::new(),
            message_key: None,
            region: None,
            signature: Signature([6; 64]),
        };
        Record::Peer(Arc::new(Member::new(chain(), Some(record))))
    }

    fn addresses() -> Record {
        let entry = |source, succeeded| {
            let address = "/ip4/192.0.2.1/tcp/4001".to_owned();
            KnownAddress {
                succeeded,
                ..KnownAddress::told(address, source, Timestamp(7))
            }
        };
        Record::Addresses {
            node: NodeId::from_public_key([2; 32]),
            addresses: vec![
                entry(Source::Ticket, Some(Timestamp(8))),
                entry(Source::Announcement, None),
                entry(Source::Member, None),
                entry(Source::Mdns, None),
                entry(Source::Bootstrap, None),
            ],
        }
    }

    fn certificate_bytes(byte: u8, role: &[u8]) -> Vec<u8> {
        [
            b"\xa2dbody\xa8gversion\x01dmesh\x58\x20",
            &[1; 32][..],
            b"fserial\x19\x01\x2cgsubject\x58\x20",
            &[byte; 32],
            b"dnameddeskdrole",
            role,
            b"jnot_before\x1b\0\0\x01\xa3\x18\x5c\x50\0gexpires\x1b\0\0\x01\xa3\x60\x75\x58\0",
            b"isignature\x58\x40",
            &[9; 64],
        ]
        .concat()
    }

    fn chain_bytes() -> Vec<u8> {
        let certificate = certificate_bytes(2, b"fmember");
        let issuer = certificate_bytes(3, b"eadmin");
        [
            b"\xa2kcertificate",
            &certificate[..],
            b"gissuers\x81",
            &issuer,
        ]
        .concat()
    }

    fn assert_golden(record: &Record, key: &[&[u8]], golden: &[&[u8]]) {
        let (key, golden) = (key.concat(), golden.concat());
        let shown = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
        assert_eq!(shown(&encode_cbor(record)), shown(&golden), "{record:?}");
        assert_eq!(decode_cbor::<Record>(&golden).as_ref(), Ok(record));
        assert_eq!(
            shown(&encode_cbor(&record.key())),
            shown(&key),
            "{record:?}"
        );
        assert_eq!(decode_cbor::<RecordKey>(&key), Ok(record.key()));
    }

    #[test]
    fn the_bytes_of_home_are_fixed() {
        let golden = [
            b"\xa1dHome\xa2dmesh\x58\x20",
            &[1; 32][..],
            b"echain",
            &chain_bytes(),
        ];
        assert_golden(&home(), &[b"dHome"], &golden);
    }

    #[test]
    fn the_bytes_of_a_ticket_are_fixed() {
        let golden = [
            b"\xa1fTicket\xa6bid\x50",
            &[4; 16][..],
            b"fsecret\x58\x20",
            &[5; 32],
            b"gexpires\x1b\0\0\x01\xa3\x18\x6a\x0b\xa0duses\x02drolefmemberhredeemed\xa1\x58\x20",
            &[2; 32],
            &chain_bytes(),
        ];
        assert_golden(&ticket(), &[b"\xa1fTicket\x50", &[4; 16]], &golden);
    }

    #[test]
    fn the_bytes_of_a_member_are_fixed() {
        let key = [b"\xa1fMember\x58\x20", &[2; 32][..]];
        let golden = [b"\xa1fMember", &chain_bytes()[..]];
        assert_golden(&Record::Member(chain()), &key, &golden);
    }

    #[test]
    fn the_bytes_of_a_member_that_has_spoken_are_fixed() {
        let key = [b"\xa1fMember\x58\x20", &[2; 32][..]];
        let manifest = Hash::of(b"");
        let golden = [
            b"\xa1dPeer\xa2echain",
            &chain_bytes()[..],
            b"frecord\xa5hsequence\x19\x01\x2ciaddresses\x81b/ahmanifest\x58\x20",
            manifest.as_bytes(),
            b"gleaving\xf4isignature\x58\x40",
            &[6; 64],
        ];
        assert_golden(&peer(), &key, &golden);
    }

    #[test]
    fn the_bytes_of_a_member_that_says_its_region_are_fixed() {
        let Record::Peer(member) = peer() else {
            panic!("it is a peer");
        };
        let record = PeerRecord {
            region: Some("eu-west".parse().unwrap()),
            ..member.record().unwrap().clone()
        };
        let record = Record::Peer(Arc::new(Member::new(chain(), Some(record))));
        let key = [b"\xa1fMember\x58\x20", &[2; 32][..]];
        let manifest = Hash::of(b"");
        let golden = [
            b"\xa1dPeer\xa2echain",
            &chain_bytes()[..],
            b"frecord\xa6hsequence\x19\x01\x2ciaddresses\x81b/ahmanifest\x58\x20",
            manifest.as_bytes(),
            b"gleaving\xf4fregiongeu-westisignature\x58\x40",
            &[6; 64],
        ];
        assert_golden(&record, &key, &golden);
    }

    #[test]
    fn the_bytes_of_addresses_are_fixed() {
        let key = [b"\xa1iAddresses\x58\x20", &[2; 32][..]];
        let entry = |source: &[u8], succeeded: &[u8]| {
            [
                b"\xa4gaddress\x77/ip4/192.0.2.1/tcp/4001fsource",
                source,
                b"isucceeded",
                succeeded,
                b"dtold\x07",
            ]
            .concat()
        };
        let golden = [
            b"\xa1iAddresses\xa2dnode\x58\x20",
            &[2; 32][..],
            b"iaddresses\x85",
            &entry(b"fticket", b"\x08"),
            &entry(b"lannouncement", b"\xf6"),
            &entry(b"fmember", b"\xf6"),
            &entry(b"dmdns", b"\xf6"),
            &entry(b"ibootstrap", b"\xf6"),
        ];
        assert_golden(&addresses(), &key, &golden);
    }

    fn chain_id() -> ChainId {
        ChainId {
            author: NodeId::from_public_key([2; 32]),
            epoch: EpochId([7; 16]),
            lane: Lane::TASKS,
        }
    }

    fn chain_id_bytes() -> Vec<u8> {
        [
            b"\xa3fauthor\x58\x20",
            &[2; 32][..],
            b"eepoch\x50",
            &[7; 16],
            b"dlane\x02",
        ]
        .concat()
    }

    #[test]
    fn the_bytes_of_a_chain_of_the_log_are_fixed() {
        let chain = Chain {
            head: 300,
            head_hash: Hash::from([8; 32]),
            head_time: Timestamp(7),
            first: 2,
            live_from: 1,
            bytes: 9,
            ..Chain::new(chain_id())
        };
        let golden = [
            b"\xa1eChain\xa7bid",
            &chain_id_bytes()[..],
            b"dhead\x19\x01\x2cihead_hash\x58\x20",
            &[8; 32],
            b"ihead_time\x07efirst\x02ilive_from\x01ebytes\x09",
        ];
        let key = [b"\xa1eChain", &chain_id_bytes()[..]];
        assert_golden(&Record::Chain(chain), &key, &golden);
    }

    #[test]
    fn the_bytes_of_an_epoch_of_the_log_are_fixed() {
        let record = Record::Epoch(EpochRecord {
            epoch: EpochId([7; 16]),
            closed_cleanly: true,
        });
        let golden = [
            b"\xa1eEpoch\xa2eepoch\x50",
            &[7; 16][..],
            b"nclosed_cleanly\xf5",
        ];
        assert_golden(&record, &[b"eEpoch"], &golden);
    }

    #[test]
    fn the_bytes_of_a_fork_of_the_log_are_fixed() {
        let sealed = |byte: u8| SealedEntry {
            header: vec![byte; 3].into(),
            signature: Signature([byte; 64]),
            body: None,
        };
        let forked = ForkedEpoch::from(chain_id());
        let (one, other) = (sealed(1), sealed(2));
        let record = Record::Fork(Arc::new(Fork { forked, one, other }));
        let forked = [
            b"\xa2fauthor\x58\x20",
            &[2; 32][..],
            b"eepoch\x50",
            &[7; 16],
        ]
        .concat();
        let bytes = |byte: u8| {
            [
                b"\x83\x43",
                &[byte; 3][..],
                b"\x58\x40",
                &[byte; 64],
                b"\xf6",
            ]
            .concat()
        };
        let golden = [
            b"\xa1dFork\xa3fforked",
            &forked[..],
            b"cone",
            &bytes(1),
            b"eother",
            &bytes(2),
        ];
        assert_golden(&record, &[b"\xa1dFork", &forked[..]], &golden);
    }

    prop_compose! {
        fn any_certificate()(
            keys in any::<[[u8; 32]; 2]>(),
            signature in any::<[[u8; 32]; 2]>(),
            numbers in any::<[u64; 3]>(),
            version in any::<u16>(),
            name in "[a-z0-9-]{1,20}",
            admin in any::<bool>(),
        ) -> Certificate {
            let body = CertificateBody {
                version,
                mesh: MeshId::from_public_key(keys[0]),
                serial: numbers[0],
                subject: NodeId::from_public_key(keys[1]),
                name: name.parse().unwrap(),
                role: if admin { Role::Admin } else { Role::Member },
                not_before: Timestamp(numbers[1]),
                expires: Timestamp(numbers[2]),
                only: Vec::new(),
                replaces: None,
            };
            let signature = Signature(signature.concat().try_into().unwrap());
            Certificate { body, signature }
        }
    }

    prop_compose! {
        fn any_chain()(
            certificate in any_certificate(),
            issuers in proptest::collection::vec(any_certificate(), 0..4),
        ) -> Arc<CertificateChain> {
            Arc::new(CertificateChain { certificate, issuers })
        }
    }

    prop_compose! {
        fn any_ticket()(
            id in any::<[u8; 16]>(),
            secret in any::<[u8; 32]>(),
            expires in any::<u64>(),
            uses in any::<u32>(),
            redeemed in proptest::collection::btree_map(any::<[u8; 32]>(), any_chain(), 0..4),
        ) -> TicketRecord {
            let by_node = |(key, chain)| (NodeId::from_public_key(key), chain);
            TicketRecord {
                id: TicketId(id),
                secret: TicketSecret(secret),
                expires: Timestamp(expires),
                uses,
                role: Role::Member,
                only: Vec::new(),
                lifetime_ms: None,
                redeemed: redeemed.into_iter().map(by_node).collect(),
            }
        }
    }

    prop_compose! {
        fn any_address()(
            address in any::<String>(),
            source in proptest::sample::select(vec![Source::Ticket, Source::Member, Source::Mdns]),
            succeeded in proptest::option::of(any::<u64>()),
            failed in proptest::option::of(any::<u64>()),
            (successes, failures, failures_in_a_row) in any::<(u32, u32, u32)>(),
            told in any::<u64>(),
        ) -> KnownAddress {
            let (succeeded, failed) = (succeeded.map(Timestamp), failed.map(Timestamp));
            let told = KnownAddress::told(address, source, Timestamp(told));
            KnownAddress { succeeded, failed, successes, failures, failures_in_a_row, ..told }
        }
    }

    fn any_record() -> impl Strategy<Value = Record> {
        let key = any::<[u8; 32]>();
        let seen = proptest::collection::vec(any_address(), 0..8);
        prop_oneof![
            (key, any_chain()).prop_map(|(key, chain)| Record::Home {
                mesh: MeshId::from_public_key(key),
                chain,
            }),
            any_ticket().prop_map(Record::Ticket),
            any_chain().prop_map(Record::Member),
            (key, seen).prop_map(|(key, addresses)| Record::Addresses {
                node: NodeId::from_public_key(key),
                addresses,
            }),
        ]
    }

    proptest! {
        #[test]
        fn every_record_and_its_key_are_read_back(record in any_record()) {
            let key = record.key();
            prop_assert_eq!(decode_cbor::<RecordKey>(&encode_cbor(&key)), Ok(key));
            prop_assert_eq!(decode_cbor::<Record>(&encode_cbor(&record)), Ok(record));
        }

        #[test]
        fn a_damaged_record_is_read_or_refused(
            record in any_record(),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let mut bytes = encode_cbor(&record);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = decode_cbor::<Record>(&bytes);
        }
    }
}
