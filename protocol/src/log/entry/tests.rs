//! The bytes of entries, and what is refused.

#![allow(clippy::unwrap_used)]

use ed25519_dalek::SigningKey;
use proptest::prelude::*;

use super::*;
use crate::signature::Ed25519;

fn mesh() -> MeshId {
    MeshId::from_public_key([1; 32])
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[2; 32])
}

fn draft(lane: Lane, sequence: u64) -> Draft {
    Draft {
        chain: ChainId {
            author: NodeId::from_public_key(key().public_key()),
            epoch: EpochId([3; 16]),
            lane,
        },
        sequence,
        previous: Hash::from([4; 32]),
        predecessor: None,
        time: Timestamp(1_800_000_000_000),
        live_from: 1,
    }
}

fn entry(items: &[&'static [u8]]) -> Entry {
    let items: Vec<Bytes> = items.iter().map(|item| Bytes::from_static(item)).collect();
    Entry::seal(draft(Lane::MESSAGES, 300), &items, mesh(), &key())
}

#[test]
fn the_bytes_of_an_entry_are_fixed() {
    let entry = entry(&[b"one", b"two"]);
    let body = b"\x82\x43one\x43two";
    let header = [
        b"\x8c\x01\x58\x20",
        &key().public_key()[..],
        b"\x50",
        &[3; 16],
        b"\x01\x19\x01\x2c\x58\x20",
        &[4; 32],
        b"\xf6\x1b\0\0\x01\xa3\x18\x5c\x50\0\x01\x02\x09\x58\x20",
        Hash::of(body).as_bytes(),
    ]
    .concat();
    assert_eq!(entry.sealed().header, header);
    let signature = key().sign(&[SIGNING_CONTEXT, &[1; 32], &header].concat());
    let golden = [
        &[0x83, 0x58, u8::try_from(header.len()).unwrap()][..],
        &header,
        b"\x58\x40",
        &signature.0,
        b"\x49",
        body,
    ]
    .concat();
    assert_eq!(entry.sealed().encode(), golden);
    let hash = Hash::of(&[&header[..], &signature.0].concat());
    assert_eq!(entry.hash(), hash);
}

#[test]
fn the_first_entry_of_an_epoch_names_where_the_earlier_one_ended() {
    let predecessor = Predecessor {
        epoch: EpochId([9; 16]),
        sequence: 7,
    };
    let direct = Lane::Direct(NodeId::from_public_key([8; 32]));
    let first = Draft {
        predecessor: Some(predecessor),
        ..draft(direct, 1)
    };
    let entry = Entry::seal(first, &[Bytes::from_static(b"x")], mesh(), &key());
    let named = [b"\x82\x50", &[9; 16][..], b"\x07"].concat();
    let header = &entry.sealed().header;
    assert!(header.windows(named.len()).any(|bytes| bytes == named));
    let opened = entry.sealed().clone().open(mesh(), &Ed25519).unwrap();
    assert_eq!(opened.header().predecessor, Some(predecessor));
}

#[test]
fn what_was_sealed_opens_and_has_its_items() {
    let entry = entry(&[b"one", b"", b"three"]);
    let bytes = entry.sealed().encode();
    let sealed = SealedEntry::decode(&bytes).unwrap();
    let opened = sealed.open(mesh(), &Ed25519).unwrap();
    assert_eq!(opened, entry);
    assert_eq!(opened.items(), [&b"one"[..], b"", b"three"]);
}

#[test]
fn an_entry_without_its_body_still_proves_its_place() {
    let entry = entry(&[b"one"]);
    let bare = entry.without_body();
    let sealed = SealedEntry::decode(&bare.sealed().encode()).unwrap();
    let opened = sealed.open(mesh(), &Ed25519).unwrap();
    assert_eq!(opened.hash(), entry.hash());
    assert!(opened.items().is_empty());
}

#[test]
fn another_mesh_key_or_body_is_refused() {
    let entry = entry(&[b"one"]);
    let other = MeshId::from_public_key([9; 32]);
    let author = entry.chain().author;
    let forged = Err(EntryError::Forged { author });
    assert_eq!(entry.sealed().clone().open(other, &Ed25519), forged);
    let mut sealed = entry.sealed().clone();
    sealed.body = Some(Bytes::from_static(b"\x81\x43two"));
    assert_eq!(sealed.open(mesh(), &Ed25519), Err(EntryError::OtherBody));
}

#[test]
fn what_no_chain_has_is_refused_by_name() {
    let item = [Bytes::from_static(b"x")];
    let sealed = |draft| Entry::seal(draft, &item, mesh(), &key()).sealed().clone();
    for (sequence, live_from) in [(0, 1), (u64::MAX, 1), (5, 0), (5, 6)] {
        let wrong = Draft {
            live_from,
            ..draft(Lane::MESSAGES, sequence)
        };
        let refused = Err(EntryError::Sequence {
            sequence,
            live_from,
        });
        assert_eq!(sealed(wrong).open(mesh(), &Ed25519), refused);
    }
    let none = Entry::seal(draft(Lane::MESSAGES, 1), &[], mesh(), &key());
    let refused = Err(EntryError::Items { found: 0 });
    assert_eq!(none.sealed().clone().open(mesh(), &Ed25519), refused);
    let many = vec![Bytes::new(); ITEMS_PER_ENTRY_MAX + 1];
    let many = Entry::seal(draft(Lane::MESSAGES, 1), &many, mesh(), &key());
    let found = ITEMS_PER_ENTRY_MAX + 1;
    let refused = Err(EntryError::Items { found });
    assert_eq!(many.sealed().clone().open(mesh(), &Ed25519), refused);
}

#[test]
fn a_number_that_is_longer_than_it_must_be_is_refused() {
    let entry = entry(&[b"one"]);
    let mut header = entry.sealed().header.to_vec();
    assert_eq!(header[..2], [0x8c, 1]);
    header.splice(1..2, [0x18, 1]);
    let signature = key().sign(&signing_bytes(mesh(), &header));
    let sealed = SealedEntry {
        header: header.into(),
        signature,
        body: entry.sealed().body.clone(),
    };
    let refused = sealed.open(mesh(), &Ed25519);
    assert_eq!(refused, Err(EntryError::NotCanonical));
}

proptest! {
    #[test]
    fn any_items_are_read_back(items in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..64), 1..20)) {
        let items: Vec<Bytes> = items.into_iter().map(Bytes::from).collect();
        let entry = Entry::seal(draft(Lane::TASKS, 1), &items, mesh(), &key());
        let sealed = SealedEntry::decode(&entry.sealed().encode()).unwrap();
        prop_assert_eq!(sealed.open(mesh(), &Ed25519).unwrap().items(), items);
    }

    #[test]
    fn any_bytes_are_an_entry_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(sealed) = SealedEntry::decode(&bytes) {
            let _ = sealed.open_unsigned();
        }
    }

    #[test]
    fn one_changed_byte_never_changes_what_is_read(at in any::<prop::sample::Index>(), change in 1..=255_u8) {
        let entry = entry(&[b"one", b"two"]);
        let mut bytes = entry.sealed().encode();
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        let opened = SealedEntry::decode(&bytes).and_then(|sealed| sealed.open(mesh(), &Ed25519));
        // The envelope around header, signature and body may be written in more ways than one.
        prop_assert!(opened.is_err() || opened == Ok(entry));
    }
}
