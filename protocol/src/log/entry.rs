//! Entries: signed links of a chain, each with up to [`ITEMS_PER_ENTRY_MAX`] items.
//!
//! An entry is a *header* that is signed and names the *body* by its hash, so that the body may be dropped and the
//! chain still be followed. Both are deterministic CBOR: arrays in a fixed order, numbers as short as can be; what
//! does not encode to the very bytes it came in is refused.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::chain_id::{ChainId, EpochId, Lane};
use crate::id::{Hash, MeshId, NodeId};
use crate::signature::{Signature, Signer, Verifier};
use crate::time::Timestamp;
use crate::wire::{CborError, decode_cbor, encode_cbor};

/// The version of entries that this program writes and reads.
pub const ENTRY_VERSION: u16 = 1;
/// Items of one entry.
pub const ITEMS_PER_ENTRY_MAX: usize = 256;
/// Bytes of one item.
pub const ITEM_BYTES_MAX: usize = 64 * 1024;
/// Bytes of an entry's encoded items.
pub const BODY_BYTES_MAX: usize = ITEM_BYTES_MAX + 1024;
/// Bytes of an encoded entry: the header is 300 at most.
pub const ENTRY_BYTES_MAX: usize = BODY_BYTES_MAX + 1024;

/// Separates signatures over entries from signatures over anything else.
const SIGNING_CONTEXT: &[u8] = b"peerage log entry v1\0";

/// The first entry of an epoch's chain names where the author's earlier one ended, as far as it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Predecessor {
    /// The earlier epoch.
    pub epoch: EpochId,
    /// Its last entry known to the author; [`Header::previous`] is that entry's hash.
    pub sequence: u64,
}

/// What is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The chain.
    pub chain: ChainId,
    /// From 1, without a gap.
    pub sequence: u64,
    /// The hash of the entry before, or of the predecessor's; all zero where there is none.
    pub previous: Hash,
    /// Only in the first entry, where the author knows of an earlier epoch.
    pub predecessor: Option<Predecessor>,
    /// The author's clock when it was sealed, never before the entry before.
    pub time: Timestamp,
    /// The author stands by entries from this sequence on: whoever holds earlier ones may drop them.
    pub live_from: u64,
    /// How many items the body has.
    pub items: u16,
    /// How long the body is.
    pub body_bytes: u32,
    /// The hash of the body.
    pub body: Hash,
}

/// As encoded: an array.
#[derive(Serialize, Deserialize)]
struct EncodedHeader(
    u16,
    NodeId,
    EpochId,
    Lane,
    u64,
    Hash,
    Option<(EpochId, u64)>,
    Timestamp,
    u64,
    u16,
    u32,
    Hash,
);

impl Header {
    fn encode(&self) -> Vec<u8> {
        let before = self.predecessor.map(|at| (at.epoch, at.sequence));
        encode_cbor(&EncodedHeader(
            ENTRY_VERSION,
            self.chain.author,
            self.chain.epoch,
            self.chain.lane,
            self.sequence,
            self.previous,
            before,
            self.time,
            self.live_from,
            self.items,
            self.body_bytes,
            self.body,
        ))
    }

    fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        let encoded: EncodedHeader = decode_cbor(bytes)?;
        if encoded.0 != ENTRY_VERSION {
            return Err(EntryError::Version { found: encoded.0 });
        }
        let header = Self {
            chain: ChainId {
                author: encoded.1,
                epoch: encoded.2,
                lane: encoded.3,
            },
            sequence: encoded.4,
            previous: encoded.5,
            predecessor: encoded
                .6
                .map(|(epoch, sequence)| Predecessor { epoch, sequence }),
            time: encoded.7,
            live_from: encoded.8,
            items: encoded.9,
            body_bytes: encoded.10,
            body: encoded.11,
        };
        match header.encode() == bytes {
            true => header.checked(),
            false => Err(EntryError::NotCanonical),
        }
    }

    fn checked(self) -> Result<Self, EntryError> {
        let Self {
            sequence,
            live_from,
            ..
        } = self;
        if sequence == 0 || sequence == u64::MAX || !(1..=sequence).contains(&live_from) {
            return Err(EntryError::Sequence {
                sequence,
                live_from,
            });
        }
        if self.predecessor.is_some() && sequence != 1 {
            return Err(EntryError::Sequence {
                sequence,
                live_from,
            });
        }
        let items = usize::from(self.items);
        if !(1..=ITEMS_PER_ENTRY_MAX).contains(&items) {
            return Err(EntryError::Items { found: items });
        }
        let bytes = self.body_bytes as usize;
        if bytes > BODY_BYTES_MAX {
            return Err(EntryError::BodyTooLarge { found: bytes });
        }
        Ok(self)
    }
}

/// An entry as it travels and is kept: anybody may have made these bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedEntry {
    /// The encoded header.
    pub header: Bytes,
    /// By the author, over mesh and header.
    pub signature: Signature,
    /// The encoded items; `None` where they were dropped.
    pub body: Option<Bytes>,
}

#[derive(Serialize, Deserialize)]
struct EncodedEntry(ByteBuf, Signature, Option<ByteBuf>);

impl Serialize for SealedEntry {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Borrowed<'a>(
            &'a serde_bytes::Bytes,
            Signature,
            Option<&'a serde_bytes::Bytes>,
        );
        let body = self.body.as_deref().map(serde_bytes::Bytes::new);
        let header = serde_bytes::Bytes::new(&self.header);
        Borrowed(header, self.signature, body).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SealedEntry {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let EncodedEntry(header, signature, body) = EncodedEntry::deserialize(deserializer)?;
        Ok(Self {
            header: header.into_vec().into(),
            signature,
            body: body.map(|body| body.into_vec().into()),
        })
    }
}

impl SealedEntry {
    /// The CBOR encoding: an array of header, signature and body or null.
    pub fn encode(&self) -> Vec<u8> {
        encode_cbor(self)
    }

    /// Reads an encoded entry, which proves nothing yet.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(EntryError::TooLarge { found: bytes.len() });
        }
        Ok(decode_cbor(bytes)?)
    }

    /// Bytes that it takes on disk and, within a few, on the wire.
    pub fn len(&self) -> usize {
        self.header.len() + 64 + self.body.as_ref().map_or(0, Bytes::len)
    }

    /// Never: there always is a header.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Checks everything that can be checked of an entry by itself: form, bounds, body and signature.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn open(self, mesh: MeshId, verifier: &dyn Verifier) -> Result<Entry, EntryError> {
        let entry = self.open_unsigned()?;
        let message = signing_bytes(mesh, &entry.sealed.header);
        let author = entry.header.chain.author;
        match verifier.verify(author.public_key(), &message, &entry.sealed.signature) {
            true => Ok(entry),
            false => Err(EntryError::Forged { author }),
        }
    }

    /// The same without the signature, for bytes that were checked before they were kept.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn open_unsigned(self) -> Result<Entry, EntryError> {
        let header = Header::decode(&self.header)?;
        if let Some(body) = &self.body {
            check_body(&header, body)?;
        }
        let hash = entry_hash(&self.header, &self.signature);
        Ok(Entry {
            header,
            sealed: self,
            hash,
        })
    }
}

fn check_body(header: &Header, body: &[u8]) -> Result<(), EntryError> {
    if body.len() != header.body_bytes as usize || Hash::of(body) != header.body {
        return Err(EntryError::OtherBody);
    }
    let items: Vec<ByteBuf> = decode_cbor(body)?;
    if items.len() != usize::from(header.items) {
        return Err(EntryError::Items { found: items.len() });
    }
    match items.iter().find(|item| item.len() > ITEM_BYTES_MAX) {
        Some(item) => Err(EntryError::ItemTooLarge { found: item.len() }),
        None if encode_cbor(&items) != body => Err(EntryError::NotCanonical),
        None => Ok(()),
    }
}

fn signing_bytes(mesh: MeshId, header: &[u8]) -> Vec<u8> {
    [SIGNING_CONTEXT, mesh.public_key(), header].concat()
}

/// Over the signature too: whoever names an entry as the one before stands by all its bytes.
fn entry_hash(header: &[u8], signature: &Signature) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(header);
    hasher.update(&signature.0);
    Hash::from(*hasher.finalize().as_bytes())
}

/// An entry whose form, bounds, body and signature are good. That it fits its chain is another question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    header: Header,
    sealed: SealedEntry,
    hash: Hash,
}

/// What an author puts into its next entry.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The chain.
    pub chain: ChainId,
    /// See [`Header::sequence`].
    pub sequence: u64,
    /// See [`Header::previous`].
    pub previous: Hash,
    /// See [`Header::predecessor`].
    pub predecessor: Option<Predecessor>,
    /// See [`Header::time`].
    pub time: Timestamp,
    /// See [`Header::live_from`].
    pub live_from: u64,
}

impl Entry {
    /// Seals `items`, which keep their bounds, into the entry that `draft` describes.
    pub fn seal(draft: Draft, items: &[Bytes], mesh: MeshId, signer: &dyn Signer) -> Self {
        let items: Vec<&serde_bytes::Bytes> = items
            .iter()
            .map(|item| serde_bytes::Bytes::new(item))
            .collect();
        let body = encode_cbor(&items);
        let header = Header {
            chain: draft.chain,
            sequence: draft.sequence,
            previous: draft.previous,
            predecessor: draft.predecessor,
            time: draft.time,
            live_from: draft.live_from,
            items: u16::try_from(items.len()).unwrap_or(u16::MAX),
            body_bytes: u32::try_from(body.len()).unwrap_or(u32::MAX),
            body: Hash::of(&body),
        };
        let encoded = header.encode();
        let signature = signer.sign(&signing_bytes(mesh, &encoded));
        let hash = entry_hash(&encoded, &signature);
        let sealed = SealedEntry {
            header: encoded.into(),
            signature,
            body: Some(body.into()),
        };
        Self {
            header,
            sealed,
            hash,
        }
    }

    /// What is signed.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The chain it belongs to.
    pub fn chain(&self) -> ChainId {
        self.header.chain
    }

    /// Its place in the chain, from 1.
    pub fn sequence(&self) -> u64 {
        self.header.sequence
    }

    /// What the next entry names it by.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// As it travels.
    pub fn sealed(&self) -> &SealedEntry {
        &self.sealed
    }

    /// The same without its items.
    #[must_use]
    pub fn without_body(&self) -> Self {
        let mut bare = self.clone();
        bare.sealed.body = None;
        bare
    }

    /// Its items in order; none where the body was dropped.
    pub fn items(&self) -> Vec<Bytes> {
        let body = self.sealed.body.as_ref();
        let items = body.and_then(|body| decode_cbor::<Vec<ByteBuf>>(body).ok());
        let items = items.unwrap_or_default().into_iter();
        items.map(|item| Bytes::from(item.into_vec())).collect()
    }
}

/// Why bytes are no entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Not CBOR, or not the parts of an entry.
    #[error("not an entry: {0}")]
    NotAnEntry(#[from] CborError),
    /// The same could be said in other bytes.
    #[error("not in the one encoding that entries have")]
    NotCanonical,
    /// From a later version.
    #[error("an entry of version {found}; this program reads {ENTRY_VERSION}")]
    Version {
        /// Which.
        found: u16,
    },
    /// Numbers that no chain has.
    #[error("entry {sequence}, live from {live_from}: no chain has that")]
    Sequence {
        /// Its place.
        sequence: u64,
        /// From where on it is live.
        live_from: u64,
    },
    /// None, or more than [`ITEMS_PER_ENTRY_MAX`], or not as many as the header says.
    #[error(
        "an entry of {found} items; from 1 to {ITEMS_PER_ENTRY_MAX} are allowed, as the header says"
    )]
    Items {
        /// How many.
        found: usize,
    },
    /// Over [`ITEM_BYTES_MAX`].
    #[error("an item of {found} bytes; at most {ITEM_BYTES_MAX} are allowed")]
    ItemTooLarge {
        /// How large.
        found: usize,
    },
    /// Over [`BODY_BYTES_MAX`].
    #[error("a body of {found} bytes; at most {BODY_BYTES_MAX} are allowed")]
    BodyTooLarge {
        /// How large.
        found: usize,
    },
    /// Over [`ENTRY_BYTES_MAX`].
    #[error("an entry of {found} bytes; at most {ENTRY_BYTES_MAX} are allowed")]
    TooLarge {
        /// How large.
        found: usize,
    },
    /// Not the body that the header names.
    #[error("the body is not the one that the header names")]
    OtherBody,
    /// Not signed by its author, for this mesh.
    #[error("{author} did not sign this for this mesh")]
    Forged {
        /// Who is said to have written it.
        author: NodeId,
    },
}

#[cfg(test)]
mod tests;
