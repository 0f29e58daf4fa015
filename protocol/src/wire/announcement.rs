//! What nodes tell each other of members and of the log: as news by gossip, as an answer to a summary, as a goodbye over a link.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{decode_cbor, encode_cbor};
use crate::limits::{
    ACCUSATIONS_TOLD_MAX, ADDRESS_BYTES_MAX, ADDRESSES_PER_NODE_MAX, OPENING_BYTES_MAX,
    REVOCATIONS_MAX, REVOCATIONS_PER_BRANCH_MAX, ROSTER_MAX,
};
use crate::log::entry::SealedEntry;
use crate::log::fork::Fork;
use crate::membership::member::Member;
use crate::membership::revocation::Revocation;
use crate::presence::accusation::Accusation;

/// Bytes of one encoded announcement: it travels inside an opening, whose own fields take the rest.
pub const ANNOUNCEMENT_BYTES_MAX: usize = OPENING_BYTES_MAX - 1024;

/// Most bytes by which the encoding of a list grows beyond its items: its count, for which an empty list has one.
const COUNT_BYTES_MAX: usize = 8;

/// Bytes by which the encoding grows beyond the revocations themselves: the field's name and their count.
const REVOCATIONS_FIELD_BYTES: usize = 12 + COUNT_BYTES_MAX;

/// Bytes by which the encoding grows where it is [`Announcement::carried`].
const CARRIED_FIELD_BYTES: usize = 9;

/// Members as somebody knows them. Each proves itself, so it does not matter who passes it on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// The members.
    pub members: Vec<Arc<Member>>,
    /// Who was put out of the mesh. They too prove themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revocations: Vec<Arc<Revocation>>,
    /// Who does not answer any more. They too prove themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accusations: Vec<Arc<Accusation>>,
    /// Entries of public lanes of the log, bare where they are too large for gossip. They too prove themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<SealedEntry>,
    /// Evidence of forks in the log. It too proves itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forks: Vec<Arc<Fork>>,
    /// There was more to tell than fits.
    #[serde(default)]
    pub more: bool,
    /// It came from another region, which tells all others itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub carried: bool,
}

/// The first of `addresses` that keep the bounds of a record: one beyond them would cost it all the others.
pub fn tellable(addresses: impl IntoIterator<Item = String>) -> Vec<String> {
    addresses
        .into_iter()
        .filter(|address| address.len() <= ADDRESS_BYTES_MAX)
        .take(ADDRESSES_PER_NODE_MAX)
        .collect()
}

impl Announcement {
    /// The first of `members` whose encoding takes at most `bytes_max`; [`Announcement::more`] tells whether that is
    /// not all.
    pub fn of(members: impl IntoIterator<Item = Arc<Member>>, bytes_max: usize) -> Self {
        Self::telling([], members, bytes_max)
    }

    /// The same, with `revocations` before all else.
    pub fn telling<'a>(
        revocations: impl IntoIterator<Item = &'a Arc<Revocation>>,
        members: impl IntoIterator<Item = Arc<Member>>,
        bytes_max: usize,
    ) -> Self {
        let mut announcement = Self::default();
        let mut bytes = encode_cbor(&announcement).len() + COUNT_BYTES_MAX + CARRIED_FIELD_BYTES;
        for revocation in revocations {
            let first = announcement.revocations.is_empty();
            bytes += revocation.encoded_bytes() + if first { REVOCATIONS_FIELD_BYTES } else { 0 };
            if bytes > bytes_max {
                announcement.more = true;
                return announcement;
            }
            announcement.revocations.push(revocation.clone());
        }
        for member in members {
            bytes += member.encoded_bytes();
            if bytes > bytes_max {
                announcement.more = true;
                break;
            }
            announcement.members.push(member);
        }
        announcement
    }

    /// Nothing but these accusations.
    pub fn accusing(accusations: &[Arc<Accusation>]) -> Self {
        Self {
            accusations: accusations.to_vec(),
            ..Self::default()
        }
    }

    /// The CBOR encoding.
    pub fn encode(&self) -> Vec<u8> {
        encode_cbor(self)
    }

    /// Reads an announcement. Addresses are not looked at: they are checked with the record that holds them.
    ///
    /// # Errors
    ///
    /// What exceeds a bound, by name.
    pub fn decode(bytes: &[u8]) -> Result<Self, AnnouncementError> {
        if bytes.len() > ANNOUNCEMENT_BYTES_MAX {
            return Err(AnnouncementError::TooLarge { found: bytes.len() });
        }
        let announcement: Self =
            decode_cbor(bytes).map_err(|_| AnnouncementError::NotAnAnnouncement)?;
        if announcement.revocations.len() > REVOCATIONS_MAX + REVOCATIONS_PER_BRANCH_MAX {
            return Err(AnnouncementError::TooManyRevocations {
                found: announcement.revocations.len(),
            });
        }
        if announcement.accusations.len() > ACCUSATIONS_TOLD_MAX {
            return Err(AnnouncementError::TooManyAccusations {
                found: announcement.accusations.len(),
            });
        }
        if announcement.members.len() > ROSTER_MAX {
            return Err(AnnouncementError::TooManyMembers {
                found: announcement.members.len(),
            });
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
    /// More revocations than anybody keeps.
    #[error("an announcement of {found} revocations; no mesh has so many")]
    TooManyRevocations {
        /// How many there are.
        found: usize,
    },
    /// More than [`ACCUSATIONS_TOLD_MAX`].
    #[error("an announcement of {found} accusations; at most {ACCUSATIONS_TOLD_MAX} are allowed")]
    TooManyAccusations {
        /// How many there are.
        found: usize,
    },
    /// More than [`ROSTER_MAX`].
    #[error("an announcement of {found} members; at most {ROSTER_MAX} are allowed")]
    TooManyMembers {
        /// How many there are.
        found: usize,
    },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use ed25519_dalek::SigningKey;
    use proptest::prelude::*;

    use super::*;
    use crate::id::{Hash, MeshId, NodeId};
    use crate::membership::certificate::{
        CERTIFICATE_VERSION, CertificateBody, CertificateChain, Role,
    };
    use crate::membership::peer_record::PeerRecord;
    use crate::signature::Signer;
    use crate::time::Timestamp;
    use crate::wire::call::{Exchange, METHOD_BYTES_MAX, Opening};

    fn chain() -> Arc<CertificateChain> {
        let root = SigningKey::from_bytes(&[1; 32]);
        let body = CertificateBody {
            version: CERTIFICATE_VERSION,
            mesh: MeshId::from_public_key(root.public_key()),
            serial: 7,
            subject: NodeId::from_public_key(SigningKey::from_bytes(&[2; 32]).public_key()),
            name: "laptop".parse().unwrap(),
            role: Role::Member,
            not_before: Timestamp(1_000),
            expires: Timestamp(2_000),
            only: Vec::new(),
            replaces: None,
        };
        Arc::new(body.sign(&root, Vec::new()))
    }

    fn member(addresses: Vec<String>) -> Arc<Member> {
        let (key, chain) = (SigningKey::from_bytes(&[2; 32]), chain());
        let record = PeerRecord::sign(&key, &chain, 7, addresses, Hash::of(b"manifest"), false);
        Arc::new(Member::new(chain, Some(record)))
    }

    #[test]
    fn what_is_encoded_is_read_back() {
        let said = Announcement::of([member(vec!["/a".to_owned()])], ANNOUNCEMENT_BYTES_MAX);
        assert_eq!(Announcement::decode(&said.encode()), Ok(said));
    }

    #[test]
    fn five_thousand_members_are_cut_to_what_fits_an_opening() {
        let addresses = vec!["/ip4/192.0.2.1/udp/4001/quic-v1".to_owned(); 4];
        let member = member(addresses);
        let everybody = std::iter::repeat_n(member.clone(), 5_000);
        let said = Announcement::of(everybody, ANNOUNCEMENT_BYTES_MAX);
        assert!((100..5_000).contains(&said.members.len()) && said.more);
        let body = said.encode();
        assert!(body.len() <= ANNOUNCEMENT_BYTES_MAX);
        let room = ANNOUNCEMENT_BYTES_MAX - body.len();
        assert!(
            room < member.encoded_bytes() + COUNT_BYTES_MAX + CARRIED_FIELD_BYTES,
            "{room} bytes wasted"
        );
        assert_eq!(Announcement::decode(&body), Ok(said));
        let kind = "k".repeat(METHOD_BYTES_MAX);
        let opening = Opening::Exchange(Exchange { kind, body });
        assert!(opening.encode().len() <= OPENING_BYTES_MAX);
    }

    #[test]
    fn the_bytes_of_what_was_carried_are_fixed_and_kept_room_for() {
        let said = Announcement {
            carried: true,
            ..Announcement::default()
        };
        assert_eq!(said.encode(), b"\xa3gmembers\x80dmore\xf4gcarried\xf5");
        assert_eq!(Announcement::decode(&said.encode()), Ok(said.clone()));
        let usual = Announcement::default().encode();
        assert_eq!(usual, b"\xa2gmembers\x80dmore\xf4");
        assert_eq!(said.encode().len() - usual.len(), CARRIED_FIELD_BYTES);
    }

    #[test]
    fn more_than_fits_is_refused_by_name() {
        let found = ANNOUNCEMENT_BYTES_MAX + 1;
        let refused = Announcement::decode(&vec![0; found]);
        assert_eq!(refused, Err(AnnouncementError::TooLarge { found }));
    }

    #[test]
    fn bytes_after_the_announcement_are_refused() {
        let mut bytes = Announcement::default().encode();
        bytes.push(0);
        let refused = Announcement::decode(&bytes);
        assert_eq!(refused, Err(AnnouncementError::NotAnAnnouncement));
    }

    #[test]
    fn an_address_that_may_not_be_told_does_not_cost_the_others() {
        let many = (0..100).map(|port| format!("/ip4/192.0.2.1/tcp/{port}"));
        let addresses = std::iter::once("a".repeat(ADDRESS_BYTES_MAX + 1)).chain(many);
        assert_eq!(tellable(addresses).len(), ADDRESSES_PER_NODE_MAX);
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_announcement_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _ = Announcement::decode(&bytes);
        }

        #[test]
        fn a_damaged_announcement_is_read_or_refused(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = Announcement::of([member(vec!["/a".to_owned()])], ANNOUNCEMENT_BYTES_MAX).encode();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(read) = Announcement::decode(&bytes) {
                prop_assert_eq!(Announcement::decode(&read.encode()), Ok(read));
            }
        }
    }
}
