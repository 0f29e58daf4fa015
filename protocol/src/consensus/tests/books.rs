//! What a node takes of what it is told, in whatever order, and what it refuses by name.

use super::*;
use crate::consensus::book::{Book, BookError, Carried, PROPOSALS_PER_NODE_MAX, Taken};
use crate::consensus::proposal::ProposalId;
use crate::id::Hash;
use crate::log::retention::KEPT_FOR;
use crate::signature::Ed25519;

fn put(book: &mut Book, mesh: &Mesh, proposal: &Proposal) -> Result<Taken, BookError> {
    book.propose(&Arc::new(proposal.clone()), mesh.id(), &Ed25519)
}

#[test]
fn votes_that_come_before_their_proposal_count_once_it_is_here() {
    let mesh = Mesh::new(99);
    let proposal = mesh.propose(&[1, 1], Threshold::Majority);
    let id = proposal.body.id();
    let mut book = Book::default();
    for member in [0, 1] {
        let vote = mesh.vote(&proposal, member, YES);
        assert_eq!(
            book.vote(vote, carried(1), mesh.id(), &Ed25519),
            Ok(Taken::Nothing)
        );
    }
    assert_eq!(put(&mut book, &mesh, &proposal), Ok(Taken::New));
    assert_eq!(book.outcome(id, NOW), Some(YES));
    assert_eq!(put(&mut book, &mesh, &proposal), Ok(Taken::Nothing));
}

#[test]
fn votes_of_nodes_without_a_certificate_prove_nothing() {
    let mesh = Mesh::new(99);
    let proposal = mesh.propose(&[1, 1, 1], Threshold::Majority);
    let id = proposal.body.id();
    let mut book = Book::default();
    put(&mut book, &mesh, &proposal).unwrap();
    for member in [0, 2] {
        let vote = mesh.vote(&proposal, member, YES);
        book.vote(vote, carried(1), mesh.id(), &Ed25519).unwrap();
    }
    let refused = book.prove(id, YES, mesh.certificate(2)).unwrap_err();
    let (weight, needed) = (1, 2);
    assert_eq!(refused, ProofError::TooFew { weight, needed });
    assert!(book.prove(id, YES, mesh.certificate(3)).is_ok());
}

#[test]
fn a_vote_that_is_forged_or_of_nobody_in_the_electorate_is_refused() {
    let mesh = Mesh::new(99);
    let proposal = mesh.propose(&[1, 1], Threshold::Majority);
    let mut book = Book::default();
    put(&mut book, &mesh, &proposal).unwrap();
    let mut forged = mesh.vote(&proposal, 1, YES);
    forged.choice = NO;
    let forged = book.vote(forged, carried(1), mesh.id(), &Ed25519);
    assert!(matches!(forged, Err(BookError::Forged { .. })));
    let unlisted = book.vote(
        mesh.vote(&proposal, 7, YES),
        carried(1),
        mesh.id(),
        &Ed25519,
    );
    assert!(matches!(unlisted, Err(BookError::NoVote { .. })));
    let nothing = book.vote(
        mesh.vote(&proposal, 1, Choice(9)),
        carried(1),
        mesh.id(),
        &Ed25519,
    );
    assert!(matches!(nothing, Err(BookError::NoVote { .. })));
    let elsewhere = Mesh::new(98).propose(&[1, 1], Threshold::Majority);
    assert!(put(&mut book, &mesh, &elsewhere).is_err());
}

#[test]
fn one_node_has_so_many_proposals_known_and_no_more() {
    let mesh = Mesh::new(99);
    let mut book = Book::default();
    let numbered = |number: usize| {
        let mut body = mesh.propose(&[1], Threshold::Majority).body;
        body.nonce[..8].copy_from_slice(&number.to_be_bytes());
        body.sign(&Mesh::key(0))
    };
    for number in 0..PROPOSALS_PER_NODE_MAX {
        assert_eq!(put(&mut book, &mesh, &numbered(number)), Ok(Taken::New));
    }
    let refused = put(&mut book, &mesh, &numbered(PROPOSALS_PER_NODE_MAX));
    assert!(
        matches!(refused, Err(BookError::Full { .. })),
        "{refused:?}"
    );
    let later = NOW + KEPT_FOR * 2;
    assert_eq!(book.forget_old(later).len(), PROPOSALS_PER_NODE_MAX);
    assert_eq!(put(&mut book, &mesh, &numbered(0)), Ok(Taken::New));
}

#[test]
fn a_proof_is_taken_without_any_vote_and_convicts_who_told_others_another_vote() {
    let mesh = Mesh::new(99);
    let proposal = mesh.propose(&[1, 1, 1], Threshold::Majority);
    let id = proposal.body.id();
    let proof = mesh.prove(&proposal, &[(1, YES), (2, YES)], YES).unwrap();
    let mut book = Book::default();
    put(&mut book, &mesh, &proposal).unwrap();
    book.vote(mesh.vote(&proposal, 2, NO), carried(1), mesh.id(), &Ed25519)
        .unwrap();
    let taken = book.decided(&Arc::new(proof), mesh.id(), &Ed25519);
    assert_eq!(taken, Ok(Taken::New));
    let standing = book.get(id).unwrap();
    assert_eq!(standing.decision().unwrap().choice(), YES);
    assert_eq!(standing.evidence().len(), 1);
}

#[test]
fn the_first_of_two_conflicting_proofs_stands_and_the_other_is_shown_beside_it() {
    let mesh = Mesh::new(99);
    let proposal = mesh.propose(&[1, 1, 1], Threshold::Majority);
    let prove = |votes: &[(u8, Choice)], choice| {
        let proof = mesh.prove(&proposal, votes, choice).unwrap();
        Arc::new(proof)
    };
    let yes = prove(&[(0, YES), (1, YES)], YES);
    let no = prove(&[(1, NO), (2, NO)], NO);
    let mut book = Book::default();
    book.decided(&yes, mesh.id(), &Ed25519).unwrap();
    book.decided(&no, mesh.id(), &Ed25519).unwrap();
    let standing = book.get(proposal.body.id()).unwrap();
    assert_eq!(standing.decision(), Some(&yes));
    assert_eq!(standing.conflicting(), Some(&no));
    assert_eq!(standing.evidence().len(), 1, "who signed both is named");
}

/// As node number `by` put it into its log.
fn carried(by: u8) -> Carried {
    Carried {
        by: Mesh::node(by),
        at: Timestamp(1_800_000_000_000),
    }
}

#[test]
fn whoever_repeats_the_votes_of_others_before_their_proposals_takes_no_room_from_them() {
    let mesh = Mesh::new(99);
    let proposal = mesh.propose(&[1, 1, 1], Threshold::Majority);
    let mut book = Book::default();
    let vote = |number: u32| {
        let id = ProposalId(Hash::of(&number.to_be_bytes()));
        let (node, agent) = (Mesh::node(1), None);
        Vote::sign(mesh.id(), id, Voter { node, agent }, YES, &Mesh::key(1))
    };
    // One vote again and again, and then as many as there are: all signed by node 1, and told by node 2.
    for number in (0..1_000).map(|_| 0).chain(1..512) {
        let taken = book.vote(vote(number), carried(2), mesh.id(), &Ed25519);
        assert_eq!(taken, Ok(Taken::Nothing), "{number}");
    }
    let more = book.vote(vote(600), carried(2), mesh.id(), &Ed25519);
    assert_eq!(
        more,
        Err(BookError::TooEarly {
            node: Mesh::node(2)
        })
    );
    let own = mesh.vote(&proposal, 1, YES);
    assert_eq!(
        book.vote(own, carried(1), mesh.id(), &Ed25519),
        Ok(Taken::Nothing)
    );
    // They age as the log does.
    book.forget_old(Timestamp(1_800_000_000_001) + KEPT_FOR);
    let more = book.vote(vote(600), carried(2), mesh.id(), &Ed25519);
    assert_eq!(more, Ok(Taken::Nothing));
}
