//! What is said of a register: its bytes, and what it comes to in whatever order it is heard.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::id::Hash;
use crate::tasks::record::Said;
use crate::tasks::{ClaimId, Fence, Grant, Holder, TaskId, TaskItem};
use crate::time::Timestamp;

const ARBITERS: [NodeId; 3] = [node(1), node(2), node(3)];
const CLAIMER: NodeId = node(9);
const EPOCH: EpochId = EpochId([9; 16]);

const fn node(byte: u8) -> NodeId {
    NodeId::from_public_key([byte; 32])
}

fn said(author: NodeId) -> Said {
    Said {
        author,
        epoch: EPOCH,
        time: Timestamp(1_800_000_000_000),
    }
}

fn ballot(number: u64) -> Ballot {
    Ballot {
        number,
        proposer: CLAIMER,
        epoch: EPOCH,
    }
}

fn held(number: u64) -> Standing {
    let grant = Grant {
        fence: Fence {
            round: 0,
            number,
            epoch: EPOCH,
        },
        claim: ClaimId([4; 16]),
        holder: Holder {
            node: CLAIMER,
            agent: "coder".parse().unwrap(),
        },
    };
    Standing {
        grant: Some(grant),
        step: 2,
        end: None,
    }
}

fn accepted(number: u64, value: Standing) -> RegisterWord {
    RegisterWord::Accepted {
        ballot: ballot(number),
        seat: EPOCH,
        value,
    }
}

fn every_kind() -> Vec<RegisterWord> {
    let epochs = vec![EPOCH; 3];
    let done = Standing {
        end: Some(End::Completed(Hash::of(b"merged"))),
        ..held(1)
    };
    vec![
        RegisterWord::Seated { turn: 1 },
        RegisterWord::Opened {
            epochs: epochs.clone(),
        },
        RegisterWord::Confirmed {
            node: ARBITERS[1],
            seat: Seat {
                turn: 1,
                epoch: EPOCH,
            },
            promised: Some(ballot(7)),
            accepted: Some((ballot(6), held(1))),
        },
        RegisterWord::Prepared {
            ballot: ballot(7),
            epochs: epochs.clone(),
        },
        RegisterWord::Promised {
            ballot: ballot(7),
            seat: EPOCH,
            accepted: Some((ballot(6), held(1))),
        },
        RegisterWord::Proposed {
            ballot: ballot(7),
            epochs,
            value: done.clone(),
        },
        accepted(7, done),
    ]
}

/// BLAKE3 over the encodings of [`every_kind`] as items, one after the other.
const GOLDEN: &str = "dca97d3219b69dd39d51af58bec836e57e9084acd08c71c496f504606f569dcb";

#[test]
fn the_bytes_of_what_is_said_of_a_register_are_fixed() {
    let items = every_kind().into_iter().map(|word| TaskItem::Register {
        task: TaskId([5; 16]),
        word,
    });
    let mut all = Vec::new();
    for item in items {
        let bytes = item.encode();
        assert_eq!(TaskItem::decode(&bytes), Ok(item));
        all.extend(bytes);
    }
    let hash = data_encoding::HEXLOWER.encode(Hash::of(&all).as_bytes());
    assert_eq!(hash, GOLDEN);
}

#[test]
fn what_was_sealed_in_another_epoch_than_it_says_is_void() {
    let mut record = RegisterRecord::default();
    let late = Said {
        epoch: EpochId([8; 16]),
        ..said(ARBITERS[0])
    };
    assert!(!record.apply(late, Some(&ARBITERS), false, accepted(1, held(1))));
    assert!(record.apply(
        said(ARBITERS[0]),
        Some(&ARBITERS),
        false,
        accepted(1, held(1))
    ));
    assert!(!record.apply(said(CLAIMER), Some(&ARBITERS), false, accepted(1, held(1))));
    assert_eq!(record.standing(), None, "a stranger is no majority");
}

/// What two acceptors of three have accepted stands, whatever a third one said alone and later.
fn story() -> Vec<(NodeId, RegisterWord)> {
    vec![
        (ARBITERS[0], RegisterWord::Seated { turn: 0 }),
        (
            CLAIMER,
            RegisterWord::Prepared {
                ballot: ballot(1),
                epochs: vec![EPOCH; 3],
            },
        ),
        (ARBITERS[0], accepted(1, held(1))),
        (ARBITERS[1], accepted(1, held(1))),
        (ARBITERS[1], accepted(2, held(2))),
        (ARBITERS[2], accepted(2, held(2))),
        (ARBITERS[0], accepted(3, held(3))),
        (node(7), accepted(3, held(3))),
    ]
}

proptest! {
    #[test]
    fn the_same_words_in_any_order_come_to_the_same_standing(
        order in Just((0..story().len()).collect::<Vec<_>>()).prop_shuffle(),
        named_after in 0..story().len(),
    ) {
        let mut record = RegisterRecord::default();
        for (place, which) in order.into_iter().enumerate() {
            if place == named_after {
                record.named(&ARBITERS);
            }
            let (author, word) = story()[which].clone();
            let known = (place >= named_after).then_some(&ARBITERS[..]);
            record.apply(said(author), known, false, word);
        }
        prop_assert_eq!(record.standing(), Some(&held(2)));
        prop_assert_eq!(record.last_number(), 3);
    }
}
