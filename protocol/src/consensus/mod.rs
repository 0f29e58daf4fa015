//! Decisions that prove themselves: proposals, votes, tallies, evidence of double votes, and proofs.
//!
//! - A [proposal](proposal) freezes who may vote, with what weight, and how much an outcome needs of the *whole* of
//!   that. There is one outcome more than options: `rejected`, which needs as much as any other.
//! - A [vote](vote) is the signature of the voter's node, and final. An agent has no key: what its node signs in its
//!   name is its node's word, so what is safe against how many liars is said in nodes.
//! - The [tally](tally) is a pure function of the set of votes. Whoever signs two different votes counts for nobody from
//!   then on, and the two are [evidence](evidence).
//! - Once an outcome has what it needs, its [proof](proof) is made: with the mesh's id alone anybody can check it. A
//!   valid proof stands whatever comes later. Nothing else decides: no deadline, no plurality, no lack of votes.
//!
//! Two conflicting proofs need double voters with a weight of at least twice what is needed less all there is: of nine
//! nodes one where a majority decides, three where two thirds do, nine where all must agree.
//!
//! Everything is an [item](item) of [`Lane::DECISIONS`](crate::log::Lane::DECISIONS). Votes and proofs are signed by
//! themselves, so it does not matter who put them into the log.

pub mod book;
pub mod early;
pub mod electorate;
pub mod evidence;
pub mod item;
pub mod proof;
mod proof_error;
pub mod proposal;
mod standing;
pub mod tally;
pub mod threshold;
pub mod vote;

#[cfg(test)]
mod tests;
