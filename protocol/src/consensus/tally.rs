//! The tally: what a set of votes comes to, whatever the order in which they came.

use std::collections::BTreeMap;

use super::electorate::Voter;
use super::evidence::Evidence;
use super::proposal::{Choice, ProposalBody};
use super::vote::Vote;
use crate::mutation::Mutation;

/// The votes on one proposal whose signatures are good. Of each voter as many as two are kept: a second for another
/// outcome proves all that a third could.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ballots {
    cast: BTreeMap<Voter, (Vote, Option<Vote>)>,
}

/// What became of a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is the voter's first.
    New,
    /// It says nothing new.
    Known,
    /// It contradicts the voter's first: neither counts.
    Contradicts,
}

impl Ballots {
    /// Adds a vote whose signature is good.
    pub fn add(&mut self, vote: Vote) -> Added {
        match self.cast.get_mut(&vote.voter) {
            None => {
                self.cast.insert(vote.voter.clone(), (vote, None));
                Added::New
            }
            Some((first, second @ None)) if first.choice != vote.choice => {
                *second = Some(vote);
                Added::Contradicts
            }
            Some(_) => Added::Known,
        }
    }

    /// The votes that count: those of voters that cast one alone.
    pub fn counted(&self) -> impl Iterator<Item = &Vote> {
        let single = self.cast.values().filter(|(_, second)| second.is_none());
        single.map(|(vote, _)| vote)
    }

    /// What one voter has cast first.
    pub fn of(&self, voter: &Voter) -> Option<&Vote> {
        self.cast.get(voter).map(|(vote, _)| vote)
    }

    /// Every vote that is kept.
    pub fn all(&self) -> impl Iterator<Item = &Vote> {
        let each = self.cast.values();
        each.flat_map(|(first, second)| std::iter::once(first).chain(second))
    }

    /// The double votes, by voter.
    pub fn evidence(&self) -> impl Iterator<Item = Evidence> {
        let both = self.cast.values();
        both.filter_map(|(one, other)| Evidence::of(one, other.as_ref()?))
    }

    /// What they come to: the same for the same votes, in whatever order they were added.
    pub fn tally(&self, proposal: &ProposalBody) -> Tally {
        let mut tally = Tally::empty(proposal);
        let electorate = &proposal.electorate;
        for (voter, (first, second)) in &self.cast {
            let listed = electorate.index_of(voter);
            let weight = listed.map(|at| u64::from(electorate.electors[at].weight));
            let weight = match Mutation::AcceptUnlistedVoter.is_on() {
                true => weight.or(Some(1)),
                false => weight,
            };
            let Some(weight) = weight else {
                continue;
            };
            match second {
                Some(second) if Mutation::CountDuplicateVotes.is_on() => {
                    tally.add(first.choice, weight);
                    tally.add(second.choice, weight);
                }
                Some(_) => tally.void += weight,
                None => tally.add(first.choice, weight),
            }
        }
        tally
    }
}

/// How the votes on a proposal stand, in weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// For each outcome, `rejected` first.
    pub weights: Vec<u64>,
    /// Of voters that cast two different votes: it counts for nobody.
    pub void: u64,
    /// Of the whole electorate.
    pub total: u64,
    /// What an outcome needs.
    pub needed: u64,
}

impl Tally {
    fn empty(proposal: &ProposalBody) -> Self {
        Self {
            weights: vec![0; proposal.outcomes()],
            void: 0,
            total: proposal.electorate.total(),
            needed: proposal.needed(),
        }
    }

    /// A vote for no outcome of this proposal counts nowhere.
    fn add(&mut self, choice: Choice, weight: u64) {
        if let Some(sum) = self.weights.get_mut(usize::from(choice.0)) {
            *sum += weight;
        }
    }

    /// The outcome that has what it needs; `None` while there is none.
    pub fn outcome(&self) -> Option<Choice> {
        let at = self
            .weights
            .iter()
            .position(|weight| *weight >= self.needed)?;
        u8::try_from(at).ok().map(Choice)
    }

    /// The outcome with the most votes, where there is one with more than any other.
    pub(crate) fn leading(&self) -> Option<Choice> {
        let most = self.weights.iter().max().filter(|most| **most > 0)?;
        let mut leading = self.weights.iter().enumerate().filter(|(_, w)| *w == most);
        let (at, _) = leading.next()?;
        let at = u8::try_from(at).ok().map(Choice);
        at.filter(|_| leading.next().is_none())
    }

    /// Weight of voters that have not voted.
    pub fn outstanding(&self) -> u64 {
        let cast: u64 = self.weights.iter().sum();
        self.total.saturating_sub(cast + self.void)
    }

    /// Whether some outcome may still get what it needs from those who have not voted.
    pub fn is_open(&self) -> bool {
        let most = self.weights.iter().max().copied().unwrap_or_default();
        most + self.outstanding() >= self.needed
    }
}
