//! What nodes tell each other of members: as news by gossip, as an answer to a summary, as a goodbye over a link.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{decode_cbor, encode_cbor};
use crate::limits::{ADDRESS_BYTES_MAX, ADDRESSES_PER_NODE_MAX, OPENING_BYTES_MAX, ROSTER_MAX};
use crate::membership::member::Member;

/// Bytes of one encoded announcement: it travels inside an opening, whose own fields take the rest.
pub const ANNOUNCEMENT_BYTES_MAX: usize = OPENING_BYTES_MAX - 1024;

/// Most bytes by which the encoding of a list grows beyond its items: its count, for which an empty list has one.
const COUNT_BYTES_MAX: usize = 8;

/// Members as somebody knows them. Each proves itself, so it does not matter who passes it on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// The members.
    pub members: Vec<Arc<Member>>,
    /// There was more to tell than fits.
    #[serde(default)]
    pub more: bool,
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
        let mut announcement = Self::default();
        let mut bytes = encode_cbor(&announcement).len() + COUNT_BYTES_MAX;
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
    /// More than [`ROSTER_MAX`].
    #[error("an announcement of {found} members; at most {ROSTER_MAX} are allowed")]
    TooManyMembers {
        /// How many there are.
        found: usize,
    },
}
