//! The bytes of every released version are read for ever.

use super::*;
use crate::consensus::item::{DecisionItem, ItemError};
use crate::id::Hash;

#[test]
fn the_bytes_of_items_are_fixed() {
    let mesh = Mesh::new(99);
    let proposal = mesh.propose(&[1, 2], Threshold::Weight(2));
    let vote = mesh.vote(&proposal, 1, YES);
    let proof = mesh.prove(&proposal, &[(1, YES)], YES).unwrap();
    let items = [
        DecisionItem::Proposed(Arc::new(proposal)),
        DecisionItem::Voted(vote),
        DecisionItem::Decided(Arc::new(proof)),
    ];
    let hashes = items.map(|item| {
        let bytes = item.encode();
        assert_eq!(DecisionItem::decode(&bytes).as_ref(), Ok(&item));
        (bytes.len(), format!("{:?}", Hash::of(&bytes)))
    });
    let hashes: Vec<_> = hashes.iter().map(|(n, h)| (*n, h.as_str())).collect();
    let fixed = [
        (407, "4e2aad2e6c76e240"),
        (177, "aa7cd8fde1702777"),
        (1260, "c842d1c9341f190e"),
    ];
    assert_eq!(hashes, fixed);
}

#[test]
fn an_item_in_other_bytes_or_of_another_kind_is_refused() {
    let mesh = Mesh::new(99);
    let proposal = mesh.propose(&[1, 2], Threshold::Majority);
    let item = DecisionItem::Voted(mesh.vote(&proposal, 1, YES)).encode();
    // The choice 1, in two bytes.
    let at = item
        .windows(7)
        .position(|window| window == b"\x66choice")
        .unwrap()
        + 7;
    let longer = [&item[..at], &[0x18, 1], &item[at + 1..]].concat();
    assert_eq!(DecisionItem::decode(&longer), Err(ItemError::NotCanonical));
    assert!(DecisionItem::decode(b"\x65other").is_err());
    assert!(DecisionItem::decode(&[&item[..], &[0]].concat()).is_err());
}
