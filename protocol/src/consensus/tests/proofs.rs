//! What a proof proves, and that nothing else passes for one.

use std::sync::Mutex;

use super::*;
use crate::signature::{Ed25519, Signature, Verifier};

fn decided() -> (Mesh, Proof) {
    let mesh = Mesh::new(99);
    let proposal = mesh.propose(&[1, 1, 2], Threshold::Majority);
    let proof = mesh.prove(&proposal, &[(1, YES), (2, YES)], YES).unwrap();
    (mesh, proof)
}

#[test]
fn a_proof_is_checked_with_the_id_of_the_mesh_alone() {
    let (mesh, proof) = decided();
    let bytes = proof.encode();
    let verified = Proof::decode(&bytes).unwrap().verify(mesh.id(), &Ed25519);
    let verified = verified.unwrap();
    assert_eq!((verified.choice, verified.weight), (YES, 3));
    assert_eq!(verified.voters.len(), 2);
    let names: Vec<_> = verified.names.values().map(String::as_str).collect();
    assert!(names.contains(&"node-1") && names.contains(&"node-2"));
}

#[test]
fn a_proof_of_another_mesh_is_refused() {
    let (_, proof) = decided();
    let refused = proof.verify(Mesh::new(98).id(), &Ed25519);
    assert!(
        matches!(refused, Err(ProofError::Proposal(_))),
        "{refused:?}"
    );
}

/// Who alone has voted for what does not suffice makes no proof that anybody takes.
#[test]
fn a_proof_with_too_few_votes_is_refused() {
    let mesh = Mesh::new(99);
    let proposal = mesh.propose(&[1, 1, 1], Threshold::Majority);
    let proof = mesh.prove(&proposal, &[(1, YES), (2, NO)], YES).unwrap();
    let refused = proof.verify(mesh.id(), &Ed25519);
    assert_eq!(
        refused,
        Err(ProofError::TooFew {
            weight: 1,
            needed: 2
        })
    );
}

#[test]
fn the_vote_of_whoever_voted_twice_is_in_no_proof() {
    let mesh = Mesh::new(99);
    let proposal = mesh.propose(&[1, 1, 1], Threshold::Majority);
    let votes = [(1, YES), (2, YES), (2, NO)];
    let proof = mesh.prove(&proposal, &votes, YES).unwrap();
    assert_eq!(proof.votes().count(), 1);
}

#[test]
fn the_votes_of_observers_are_in_no_proof() {
    let mut mesh = Mesh::new(99);
    mesh.role = Role::Observer;
    let proposal = mesh.propose(&[1, 1, 1], Threshold::Majority);
    let votes = [(0, YES), (1, YES), (2, YES)];
    let proof = mesh.prove(&proposal, &votes, YES).unwrap();
    assert_eq!(proof.votes().count(), 1);
}

#[test]
fn a_proof_needs_the_certificate_of_its_proposer() {
    let mesh = Mesh::new(99);
    let proposal = mesh.propose(&[1], Threshold::Majority);
    let ballots = mesh.ballots(&proposal, &[(0, YES)]);
    let refused = Proof::build(&proposal, YES, &ballots, |_| None);
    assert!(matches!(refused, Err(ProofError::NoCertificate { .. })));
}

#[test]
fn as_few_votes_as_suffice_are_in_a_proof() {
    let mesh = Mesh::new(99);
    let proposal = mesh.propose(&[1; 9], Threshold::Majority);
    let votes: Vec<_> = (0..9).map(|member| (member, YES)).collect();
    let proof = mesh.prove(&proposal, &votes, YES).unwrap();
    assert_eq!(proof.votes().count(), 5);
    let bytes = proof.encode().len();
    assert!((1_500..3_500).contains(&bytes), "{bytes}");
}

#[test]
fn the_proof_of_the_largest_electorate_fits_an_item_of_the_log() {
    let mesh = Mesh::new(99);
    let mut proposal = mesh.propose(&[1_000_000; 100], Threshold::Unanimous);
    proposal.body.question = "?".repeat(crate::consensus::proposal::QUESTION_BYTES_MAX);
    let proposal = proposal.body.sign(&Mesh::key(0));
    let votes: Vec<_> = (0..100).map(|member| (member, YES)).collect();
    let ballots = mesh.ballots(&proposal, &votes);
    let proof = Proof::build(&proposal, YES, &ballots, mesh.certificate(100)).unwrap();
    let item = crate::consensus::item::DecisionItem::Decided(Arc::new(proof)).encode();
    assert!(
        item.len() < crate::log::entry::ITEM_BYTES_MAX * 4 / 5,
        "{}",
        item.len()
    );
}

/// With as many double voters as two quorums share, both sides have their proof: the bound is exact.
#[test]
fn as_many_double_voters_as_two_quorums_share_can_prove_both_ways() {
    let mesh = Mesh::new(99);
    let proposal = mesh.propose(&[1; 9], Threshold::TwoThirds);
    assert_eq!(2 * proposal.body.needed() - 9, 3);
    let liars = [0, 1, 2];
    let side = |honest: [u8; 3], choice| {
        let votes: Vec<_> = liars
            .into_iter()
            .chain(honest)
            .map(|m| (m, choice))
            .collect();
        mesh.prove(&proposal, &votes, choice).unwrap()
    };
    let (yes, no) = (side([3, 4, 5], YES), side([6, 7, 8], NO));
    assert!(yes.verify(mesh.id(), &Ed25519).is_ok() && no.verify(mesh.id(), &Ed25519).is_ok());
    // And the two proofs convict all three.
    let mut both = Ballots::default();
    for vote in yes.votes().chain(no.votes()) {
        both.add(vote);
    }
    assert_eq!(both.evidence().count(), 3);
    assert_eq!(both.tally(&proposal.body).outcome(), None);
}

/// Knows the signatures of one proof, and takes no other: as if none could be forged.
#[derive(Default)]
struct Known(Mutex<Vec<(Vec<u8>, Signature)>>);

impl Verifier for Known {
    fn verify(&self, key: &[u8; 32], message: &[u8], signature: &Signature) -> bool {
        let signed = ([&key[..], message].concat(), *signature);
        let mut known = self.0.lock().unwrap();
        if known.len() < 16 && Ed25519.verify(key, message, signature) {
            known.push(signed);
            return true;
        }
        known.contains(&signed)
    }
}

#[test]
fn no_proof_that_differs_in_one_byte_is_taken() {
    let (mesh, proof) = decided();
    let bytes = proof.encode();
    let known = Known::default();
    assert!(proof.verify(mesh.id(), &known).is_ok());
    // From here on it learns nothing more.
    let learnt = known.0.lock().unwrap().len();
    known
        .0
        .lock()
        .unwrap()
        .resize(16, (Vec::new(), Signature([0; 64])));
    assert!(learnt < 16);
    for at in 0..bytes.len() {
        for flip in [1, 2, 4, 8, 16, 32, 64, 128, 0xff, 0x55] {
            let mut other = bytes.clone();
            other[at] ^= flip;
            let taken = Proof::decode(&other).and_then(|other| other.verify(mesh.id(), &known));
            assert!(taken.is_err(), "byte {at} ^ {flip:#x} of {}", bytes.len());
        }
    }
}

#[test]
fn no_signature_in_a_proof_can_be_altered() {
    let (mesh, proof) = decided();
    let bytes = proof.encode();
    let votes = proof.votes().map(|vote| vote.signature.0);
    for signature in votes.chain([proof.proposal().signature.0]) {
        let at = bytes.windows(64).position(|window| window == signature);
        for offset in [0, 31, 32, 63] {
            let mut other = bytes.clone();
            other[at.unwrap() + offset] ^= 0x10;
            let other = Proof::decode(&other).unwrap();
            assert!(other.verify(mesh.id(), &Ed25519).is_err());
        }
    }
}

#[test]
fn what_is_too_long_for_a_proof_is_not_read() {
    let found = crate::consensus::proof::PROOF_BYTES_MAX + 1;
    let refused = Proof::decode(&vec![0; found]);
    assert_eq!(refused, Err(ProofError::TooLarge { found }));
}
