//! What sets of votes come to, whatever the order, and what double voters can and cannot do.

use proptest::prelude::*;
use proptest::sample::subsequence;

use super::*;
use crate::consensus::tally::Added;
use crate::signature::Signature;

fn any_threshold() -> impl Strategy<Value = Threshold> {
    prop_oneof![
        Just(Threshold::Majority),
        Just(Threshold::TwoThirds),
        Just(Threshold::Unanimous)
    ]
}

/// A vote whose signature nobody looks at.
fn unsigned(proposal: &Proposal, member: u8, choice: Choice) -> Vote {
    Vote {
        proposal: proposal.body.id(),
        voter: Voter {
            node: Mesh::node(member),
            agent: None,
        },
        choice,
        signature: Signature([member; 64]),
    }
}

fn ballots(proposal: &Proposal, votes: &[(u8, u8)]) -> Ballots {
    let mut ballots = Ballots::default();
    for (member, choice) in votes {
        ballots.add(unsigned(proposal, *member, Choice(*choice)));
    }
    ballots
}

#[test]
fn what_is_needed_is_a_part_of_the_electorate_and_not_of_the_votes_cast() {
    let proposal = Mesh::new(99).propose(&[1; 9], Threshold::Majority);
    let four = ballots(&proposal, &[(0, 1), (1, 1), (2, 1), (3, 1)]);
    assert_eq!(four.tally(&proposal.body).outcome(), None);
    let five = ballots(&proposal, &[(0, 1), (1, 1), (2, 1), (3, 1), (4, 1)]);
    assert_eq!(five.tally(&proposal.body).outcome(), Some(YES));
}

#[test]
fn to_reject_takes_as_much_as_anything_else() {
    let proposal = Mesh::new(99).propose(&[1; 3], Threshold::TwoThirds);
    let one = ballots(&proposal, &[(0, 0)]);
    assert_eq!(one.tally(&proposal.body).outcome(), None);
    let two = ballots(&proposal, &[(0, 0), (1, 0)]);
    assert_eq!(two.tally(&proposal.body).outcome(), Some(Choice::REJECTED));
}

#[test]
fn a_proposal_that_nothing_can_decide_any_more_stays_undecided() {
    let proposal = Mesh::new(99).propose(&[1; 4], Threshold::Majority);
    let split = ballots(&proposal, &[(0, 1), (1, 1), (2, 2), (3, 2)]);
    let tally = split.tally(&proposal.body);
    assert_eq!((tally.outcome(), tally.is_open()), (None, false));
}

#[test]
fn a_third_vote_of_one_voter_proves_nothing_new() {
    let proposal = Mesh::new(99).propose(&[1; 3], Threshold::Majority);
    let mut votes = ballots(&proposal, &[(0, 1)]);
    assert_eq!(votes.add(unsigned(&proposal, 0, YES)), Added::Known);
    assert_eq!(votes.add(unsigned(&proposal, 0, NO)), Added::Contradicts);
    assert_eq!(
        votes.add(unsigned(&proposal, 0, Choice::REJECTED)),
        Added::Known
    );
    assert_eq!((votes.evidence().count(), votes.all().count()), (1, 2));
}

/// Two halves of a mesh in a partition, nobody of whom lies, under rules that are not ours.
#[test]
fn weaker_rules_decide_both_ways_in_a_partition_without_any_liar() {
    let proposal = Mesh::new(99).propose(&[1; 9], Threshold::Majority);
    let (left, right) = (
        ballots(&proposal, &[(0, 1), (1, 1), (2, 1), (3, 2)]),
        ballots(&proposal, &[(4, 2), (5, 2), (6, 2), (7, 1)]),
    );
    let (left, right) = (left.tally(&proposal.body), right.tally(&proposal.body));
    // By our rule neither decides.
    assert_eq!((left.outcome(), right.outcome()), (None, None));
    // "More than half of the votes cast".
    let of_cast = |tally: &super::super::tally::Tally| {
        let cast: u64 = tally.weights.iter().sum();
        tally.weights.iter().position(|weight| 2 * weight > cast)
    };
    assert_eq!((of_cast(&left), of_cast(&right)), (Some(1), Some(2)));
    // "Whatever leads when the deadline has passed".
    assert_eq!((left.leading(), right.leading()), (Some(YES), Some(NO)));
    // "A third of the electorate is enough".
    let third = |tally: &super::super::tally::Tally| tally.weights.iter().position(|w| *w >= 3);
    assert_eq!((third(&left), third(&right)), (Some(1), Some(2)));
    assert!(Threshold::Weight(3).needed(9).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_same_votes_in_any_order_come_to_the_same(
        votes in proptest::collection::vec((0..9_u8, 0..3_u8), 0..24),
        threshold in any_threshold(),
        seed in any::<u64>(),
    ) {
        let proposal = Mesh::new(99).propose(&[3, 1, 4, 1, 5, 9, 2], threshold);
        let mut shuffled = votes.clone();
        for at in (1..shuffled.len()).rev() {
            shuffled.swap(at, (seed.rotate_left(at as u32) % (at as u64 + 1)) as usize);
        }
        let (one, other) = (ballots(&proposal, &votes), ballots(&proposal, &shuffled));
        prop_assert_eq!(one.tally(&proposal.body), other.tally(&proposal.body));
        let who = |ballots: &Ballots| ballots.evidence().map(|e| e.one.voter).collect::<Vec<_>>();
        prop_assert_eq!(who(&one), who(&other));
    }

    #[test]
    fn a_double_voter_never_tips_the_scales(
        honest in proptest::collection::vec(0..3_u8, 0..7),
        liars in 1..4_u8,
        threshold in any_threshold(),
    ) {
        let proposal = Mesh::new(99).propose(&[1; 9], threshold);
        let honest: Vec<(u8, u8)> = (0..).zip(honest).collect();
        let without = ballots(&proposal, &honest).tally(&proposal.body);
        let mut votes = honest.clone();
        for liar in 0..liars {
            votes.extend([(8 - liar, 1), (8 - liar, 2)]);
        }
        votes.retain(|(member, _)| *member >= 9 - liars || usize::from(*member) < honest.len());
        let with = ballots(&proposal, &votes).tally(&proposal.body);
        if honest.len() + usize::from(liars) <= 9 {
            prop_assert_eq!(with.outcome(), without.outcome());
        }
    }

    /// Each side of a partition sees what the liars show it, and any part of what the honest ones said.
    #[test]
    fn with_fewer_double_voters_than_two_quorums_share_no_two_outcomes_are_reached(
        choices in proptest::collection::vec(0..3_u8, 9),
        (left, right) in (
            subsequence((0..9_u8).collect::<Vec<_>>(), 0..=9),
            subsequence((0..9_u8).collect::<Vec<_>>(), 0..=9),
        ),
        threshold in any_threshold(),
        liars in 0..9_u8,
    ) {
        let proposal = Mesh::new(99).propose(&[1; 9], threshold);
        let overlap = 2 * proposal.body.needed() - 9;
        prop_assume!(u64::from(liars) < overlap);
        let side = |seen: &[u8], lie: u8| {
            let votes = seen.iter().map(|member| match *member < liars {
                true => (*member, lie),
                false => (*member, choices[usize::from(*member)]),
            });
            ballots(&proposal, &votes.collect::<Vec<_>>()).tally(&proposal.body).outcome()
        };
        for (a, b) in [(0, 1), (1, 2), (2, 0)] {
            if let (Some(one), Some(other)) = (side(&left, a), side(&right, b)) {
                prop_assert_eq!(one, other);
            }
        }
    }
}
