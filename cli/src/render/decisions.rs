//! Decisions: what is proposed, how the votes stand, what was proved.

use std::path::Path;

use peerage_node::deciding::ShownProposal;
use peerage_protocol::consensus::electorate::Voter;
use peerage_protocol::consensus::proof::{Proof, Verified};
use serde::Serialize;

use super::time::from_now;
use super::{counted, one_line};

/// Cells of a bar.
const BAR: u64 = 24;
/// Digits of an id that are shown where it is not meant to be copied whole.
const ID_DIGITS: usize = 12;

/// What was proposed, and how to vote on it.
pub fn proposed(proposal: &ShownProposal) -> String {
    let names: Vec<&str> = proposal.options.iter().map(|o| o.name.as_str()).collect();
    let voters = counted(proposal.electorate.len(), "voter");
    let id = short(&proposal.id);
    format!(
        "Proposed to {voters}: {}\nVote: peerage vote {id} OPTION, one of: {}\nWatch: peerage proposal {id} --watch\n",
        proposal.id,
        one_line(&names.join(", ")),
    )
}

/// All proposals, each with its bars; `now` in milliseconds since the Unix epoch.
pub fn proposals(proposals: &[ShownProposal], now: u64) -> String {
    if proposals.is_empty() {
        return "Nothing is proposed. Ask: peerage propose QUESTION\n".to_owned();
    }
    let each = proposals.iter().map(|proposal| headed(proposal, now));
    each.collect::<Vec<_>>().join("\n")
}

/// One proposal, with who voted for what.
pub fn proposal(proposal: &ShownProposal, now: u64) -> String {
    let mut text = headed(proposal, now);
    text.push('\n');
    for elector in &proposal.electorate {
        let twice = proposal
            .double_votes
            .iter()
            .find(|double| double.voter == elector.voter);
        let vote = match (&elector.vote, twice) {
            (_, Some(double)) => format!(
                "voted twice, for {}: counted for nobody",
                double.options.join(" and for ")
            ),
            (Some(vote), None) => vote.clone(),
            (None, None) => "has not voted".to_owned(),
        };
        let weight = match elector.weight {
            1 => String::new(),
            weight => format!(" (weighs {weight})"),
        };
        let voter = one_line(&elector.voter);
        let vote = match elector.unknown {
            true => format!("{vote}; no member of that key is known here"),
            false => vote,
        };
        text.push_str(&format!("  {voter}{weight}: {}\n", one_line(&vote)));
    }
    text
}

fn headed(proposal: &ShownProposal, now: u64) -> String {
    let state = match (&proposal.outcome, proposal.state.as_str()) {
        (Some(outcome), _) => format!("decided: {}", one_line(outcome)),
        (None, "stuck") => "undecided, and nothing can decide it any more".to_owned(),
        (None, "expired") => "undecided; votes are not asked for any more".to_owned(),
        (None, _) => format!("open, ends {}", from_now(now, proposal.deadline)),
    };
    let mut text = format!(
        "{}  {}\n  {} · by {} · {} needed of {}\n",
        short(&proposal.id),
        one_line(&proposal.question),
        state,
        one_line(&proposal.by),
        proposal.needed,
        proposal.total,
    );
    if let Some(other) = &proposal.conflicting_outcome {
        let other = one_line(other);
        text.push_str(&format!(
            "  ! there is a valid proof of {other} as well: too many voters have voted twice\n"
        ));
    }
    let width = proposal
        .options
        .iter()
        .map(|o| one_line(&o.name).chars().count());
    let width = width.max().unwrap_or_default();
    for option in &proposal.options {
        let name = one_line(&option.name);
        let bar = bar(option.weight, proposal.needed, proposal.total);
        text.push_str(&format!("  {name:width$}  {bar}  {}\n", option.weight));
    }
    text
}

/// What there is of all there is, with a line where it suffices.
fn bar(weight: u64, needed: u64, total: u64) -> String {
    let cells = |part: u64| (part * BAR).div_ceil(total.max(1));
    let (full, enough) = (cells(weight), cells(needed));
    let cell = |at: u64| match (at < full, at + 1 == enough) {
        (true, _) => '█',
        (false, true) => '|',
        (false, false) => '·',
    };
    (0..BAR).map(cell).collect()
}

fn short(id: &str) -> &str {
    id.get(..ID_DIGITS).unwrap_or(id)
}

/// Where the proof is, and who can check it.
pub fn proof_written(proposal: &ShownProposal, file: &Path, bytes: usize) -> String {
    format!(
        "The proof that {} was decided as {:?} is in {} ({bytes} bytes).\n\
         Anybody checks it, without a node or a network: peerage verify {} --mesh ID\n",
        short(&proposal.id),
        one_line(proposal.outcome.as_deref().unwrap_or_default()),
        file.display(),
        file.display(),
    )
}

/// What a proof proves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerifiedDecision {
    /// The proposal's id.
    pub id: String,
    /// What was asked.
    pub question: String,
    /// What was decided.
    pub outcome: String,
    /// By whom it was proposed.
    pub by: String,
    /// The weight of the votes in the proof.
    pub weight: u64,
    /// What was needed.
    pub needed: u64,
    /// The weight of the whole electorate.
    pub total: u64,
    /// Whose votes are in the proof.
    pub voters: Vec<String>,
}

impl VerifiedDecision {
    /// Of a proof that was verified.
    pub fn of(proof: &Proof, verified: &Verified) -> Self {
        let body = &proof.proposal().body;
        let node = |node| verified.names.get(&node).cloned().unwrap_or_default();
        let voter = |voter: &Voter| match &voter.agent {
            Some(agent) => format!("{agent}@{}", node(voter.node)),
            None => node(voter.node),
        };
        Self {
            id: verified.id.to_string(),
            question: body.question.clone(),
            outcome: body.name_of(verified.choice).to_owned(),
            by: format!("{}@{}", body.agent, node(body.node)),
            weight: verified.weight,
            needed: body.needed(),
            total: body.electorate.total(),
            voters: verified.voters.iter().map(voter).collect(),
        }
    }
}

/// What a proof proves, for people.
pub fn verified(decision: &VerifiedDecision) -> String {
    format!(
        "Proved: {:?} was decided as {:?}.\n  {} of {} voted so, {} needed: {}\n  proposed by {}, {}\n",
        one_line(&decision.question),
        one_line(&decision.outcome),
        decision.weight,
        decision.total,
        decision.needed,
        one_line(&decision.voters.join(", ")),
        one_line(&decision.by),
        decision.id,
    )
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use peerage_node::deciding::{ShownDoubleVote, ShownElector, ShownOption};

    use super::*;

    fn example() -> ShownProposal {
        let elector = |voter: &str, weight, vote: Option<&str>| ShownElector {
            voter: voter.to_owned(),
            weight,
            vote: vote.map(str::to_owned),
            unknown: voter == "phone",
        };
        let option = |name: &str, weight| ShownOption {
            name: name.to_owned(),
            weight,
        };
        ShownProposal {
            id: "3fa4".repeat(16),
            question: "Which parser?\u{1b}[2J".to_owned(),
            by: "coder@desk".to_owned(),
            state: "open".to_owned(),
            outcome: None,
            options: vec![
                option("rejected", 0),
                option("generated", 1),
                option("by hand", 2),
            ],
            needed: 3,
            total: 5,
            outstanding: 1,
            threshold: "majority".to_owned(),
            electorate: vec![
                elector("coder@desk", 2, Some("by hand")),
                elector("laptop", 1, Some("generated")),
                elector("server", 1, None),
                elector("phone", 1, None),
            ],
            double_votes: vec![ShownDoubleVote {
                voter: "server".to_owned(),
                options: vec!["rejected".to_owned(), "by hand".to_owned()],
            }],
            conflicting_outcome: None,
            proposed: 0,
            deadline: 3_600_000,
        }
    }

    #[test]
    fn an_open_proposal_shows_a_bar_for_each_option_and_who_voted_twice() {
        insta::assert_snapshot!(proposal(&example(), 0));
    }

    #[test]
    fn all_proposals_are_shown_with_what_became_of_them() {
        let decided = ShownProposal {
            state: "decided".to_owned(),
            outcome: Some("by hand".to_owned()),
            conflicting_outcome: Some("generated".to_owned()),
            ..example()
        };
        let expired = ShownProposal {
            state: "expired".to_owned(),
            ..example()
        };
        let stuck = ShownProposal {
            state: "stuck".to_owned(),
            ..example()
        };
        insta::assert_snapshot!(proposals(&[decided, expired, stuck], 0));
    }

    #[test]
    fn without_proposals_one_is_told_how_to_ask() {
        insta::assert_snapshot!(proposals(&[], 0));
    }

    #[test]
    fn what_was_proposed_says_how_to_vote() {
        insta::assert_snapshot!(proposed(&example()));
    }

    #[test]
    fn a_proof_says_what_it_proves_and_how_it_is_checked() {
        let decided = ShownProposal {
            outcome: Some("by hand".to_owned()),
            ..example()
        };
        let written = proof_written(&decided, &PathBuf::from("parser.proof"), 1_260);
        let decision = VerifiedDecision {
            id: "3fa4".repeat(16),
            question: "Which parser?".to_owned(),
            outcome: "by hand".to_owned(),
            by: "coder@desk".to_owned(),
            weight: 3,
            needed: 3,
            total: 5,
            voters: vec!["coder@desk".to_owned(), "laptop".to_owned()],
        };
        insta::assert_snapshot!(written + &verified(&decision));
    }
}
