//! What a node tells every node it is linked to: how to find it, what it offers, whom it knows.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{decode_cbor, encode_cbor};
use crate::id::Hash;
use crate::limits::{ADDRESS_BYTES_MAX, ADDRESSES_PER_NODE_MAX, OPENING_BYTES_MAX, ROSTER_MAX};
use crate::membership::certificate::CertificateChain;

/// Bytes of one encoded announcement: it travels inside an opening, whose own fields take the rest.
pub const ANNOUNCEMENT_BYTES_MAX: usize = OPENING_BYTES_MAX - 1024;

/// Most bytes by which the encoding of a list grows beyond its items: its count, for which an empty list has one.
const COUNT_BYTES_MAX: usize = 8;

/// A node's word about itself and the members it knows. Whoever receives it over a link knows who said it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// Where the sender listens, as textual multiaddresses.
    pub addresses: Vec<String>,
    /// The hash of the manifest that the receiver may fetch.
    pub manifest: Hash,
    /// Members the sender knows, itself first; as many as fit, the others in announcements that follow.
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

impl AnnouncedMember {
    /// A member with those of its `addresses` that may be told.
    pub fn new(chain: Arc<CertificateChain>, addresses: impl IntoIterator<Item = String>) -> Self {
        Self {
            chain,
            addresses: tellable(addresses),
        }
    }
}

/// The first of `addresses` that keep the bounds of an announcement: one beyond them would cost it all the others.
pub fn tellable(addresses: impl IntoIterator<Item = String>) -> Vec<String> {
    addresses
        .into_iter()
        .filter(|address| address.len() <= ADDRESS_BYTES_MAX)
        .take(ADDRESSES_PER_NODE_MAX)
        .collect()
}

impl Announcement {
    /// The CBOR encoding.
    pub fn encode(&self) -> Vec<u8> {
        encode_cbor(self)
    }

    /// Adds `members` in their order, for as long as the encoding keeps its bound; says how many were added.
    pub fn fill(&mut self, members: impl IntoIterator<Item = AnnouncedMember>) -> usize {
        let before = self.members.len();
        let mut bytes = self.encode().len() + COUNT_BYTES_MAX;
        for member in members {
            bytes += encode_cbor(&member).len();
            if bytes > ANNOUNCEMENT_BYTES_MAX {
                break;
            }
            self.members.push(member);
        }
        self.members.len() - before
    }

    /// Reads an announcement; what exceeds a bound is a named refusal.
    pub fn decode(bytes: &[u8]) -> Result<Self, AnnouncementError> {
        if bytes.len() > ANNOUNCEMENT_BYTES_MAX {
            return Err(AnnouncementError::TooLarge { found: bytes.len() });
        }
        let announcement: Self =
            decode_cbor(bytes).map_err(|_| AnnouncementError::NotAnAnnouncement)?;
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use ed25519_dalek::SigningKey;
    use proptest::prelude::*;

    use super::*;
    use crate::id::{MeshId, NodeId};
    use crate::membership::certificate::{CERTIFICATE_VERSION, CertificateBody, Role};
    use crate::signature::Signer;
    use crate::time::Timestamp;
    use crate::wire::call::{Exchange, Opening};

    fn chain() -> Arc<CertificateChain> {
        let root = SigningKey::from_bytes(&[1; 32]);
        let body = CertificateBody {
            version: CERTIFICATE_VERSION,
            mesh: MeshId::from_public_key(root.public_key()),
            serial: 7,
            subject: NodeId::from_public_key([2; 32]),
            name: "laptop".parse().unwrap(),
            role: Role::Member,
            not_before: Timestamp(1_000),
            expires: Timestamp(2_000),
        };
        Arc::new(body.sign(&root, Vec::new()))
    }

    fn member(addresses: &[String]) -> AnnouncedMember {
        AnnouncedMember {
            chain: chain(),
            addresses: addresses.to_vec(),
        }
    }

    fn announcement(members: Vec<AnnouncedMember>) -> Announcement {
        Announcement {
            addresses: vec!["/ip4/192.0.2.1/tcp/4001".to_owned()],
            manifest: Hash::of(b"manifest"),
            members,
            leaving: false,
        }
    }

    #[test]
    fn what_is_encoded_is_read_back() {
        let said = announcement(vec![member(&["/ip4/192.0.2.1/tcp/1".to_owned()])]);
        assert_eq!(Announcement::decode(&said.encode()), Ok(said));
    }

    #[test]
    fn an_announcement_without_a_goodbye_stays() {
        let mut bytes = announcement(vec![]).encode();
        let leaving = bytes.len() - b"gleaving\xf4".len();
        bytes.truncate(leaving);
        bytes[0] = 0xa3;
        assert!(!Announcement::decode(&bytes).unwrap().leaving);
    }

    #[test]
    fn five_thousand_members_are_cut_to_what_fits_an_opening() {
        let addresses = vec!["/ip4/192.0.2.1/udp/4001/quic-v1".to_owned(); 4];
        let mut said = announcement(vec![]);
        let told = said.fill(std::iter::repeat_n(member(&addresses), 5_000));
        assert_eq!(told, said.members.len());
        assert!((100..5_000).contains(&told), "{told}");
        let body = said.encode();
        let one_more = body.len() + encode_cbor(&member(&addresses)).len();
        assert!(body.len() <= ANNOUNCEMENT_BYTES_MAX);
        assert!(
            one_more > ANNOUNCEMENT_BYTES_MAX - COUNT_BYTES_MAX,
            "no room is wasted"
        );
        assert_eq!(Announcement::decode(&body), Ok(said));
        let kind = "k".repeat(crate::wire::call::METHOD_BYTES_MAX);
        let opening = Opening::Exchange(Exchange { kind, body });
        assert!(opening.encode().len() <= OPENING_BYTES_MAX);
    }

    #[test]
    fn what_is_over_its_bound_is_refused_by_name() {
        let found = ANNOUNCEMENT_BYTES_MAX + 1;
        let refused = Announcement::decode(&vec![0; found]);
        assert_eq!(refused, Err(AnnouncementError::TooLarge { found }));
        let many = vec![String::new(); ADDRESSES_PER_NODE_MAX + 1];
        let long = ["a".repeat(ADDRESS_BYTES_MAX + 1)];
        for addresses in [&many[..], &long[..]] {
            let told = announcement(vec![member(addresses)]);
            let mut own = announcement(vec![]);
            own.addresses = addresses.to_vec();
            for said in [told, own] {
                let refused = Announcement::decode(&said.encode());
                assert_eq!(refused, Err(AnnouncementError::Addresses));
            }
        }
    }

    #[test]
    fn bytes_after_the_announcement_are_refused() {
        let mut bytes = announcement(vec![]).encode();
        bytes.push(0);
        let refused = Announcement::decode(&bytes);
        assert_eq!(refused, Err(AnnouncementError::NotAnAnnouncement));
    }

    #[test]
    fn an_address_that_may_not_be_told_does_not_cost_the_others() {
        let many = (0..100).map(|port| format!("/ip4/192.0.2.1/tcp/{port}"));
        let addresses = std::iter::once("a".repeat(ADDRESS_BYTES_MAX + 1)).chain(many);
        let member = AnnouncedMember::new(chain(), addresses);
        assert_eq!(member.addresses.len(), ADDRESSES_PER_NODE_MAX);
        let said = announcement(vec![member]);
        assert_eq!(Announcement::decode(&said.encode()), Ok(said));
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_announcement_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _ = Announcement::decode(&bytes);
        }

        #[test]
        fn a_damaged_announcement_is_read_or_refused(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = announcement(vec![member(&["/ip4/192.0.2.1/tcp/1".to_owned()])]).encode();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(read) = Announcement::decode(&bytes) {
                prop_assert_eq!(Announcement::decode(&read.encode()), Ok(read));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn whatever_fills_an_announcement_the_other_end_reads_it(
            members in proptest::collection::vec(proptest::collection::vec("[ -~]{0,300}", 0..20), 0..200),
        ) {
            let (chain, mut said) = (chain(), announcement(vec![]));
            let member = |addresses| AnnouncedMember::new(chain.clone(), addresses);
            said.fill(members.into_iter().map(member));
            let bytes = said.encode();
            prop_assert!(bytes.len() <= ANNOUNCEMENT_BYTES_MAX);
            prop_assert_eq!(Announcement::decode(&bytes), Ok(said));
        }
    }
}
