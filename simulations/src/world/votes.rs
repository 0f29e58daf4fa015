//! Proposals and votes in a world: who proposes, who votes, and who signs what it must not.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use peerage_protocol::consensus::book::Proposals;
use peerage_protocol::consensus::electorate::Voter;
use peerage_protocol::consensus::item::DecisionItem;
use peerage_protocol::consensus::proposal::{Choice, ProposalId};
use peerage_protocol::consensus::threshold::Threshold;
use peerage_protocol::consensus::vote::Vote;
use peerage_protocol::id::AgentName;
use peerage_protocol::log::Lane;
use peerage_protocol::node_state::{Electors, Input, ProposalDraft};

use super::World;
use super::machine::{Machine, Request};
use crate::action::Needed;
use crate::checks::Observation;
use crate::randomness::derive;

/// Options of every proposal, beside that to reject it.
const OPTIONS: [&str; 2] = ["yes", "no"];

impl World {
    /// An agent of a node asks all nodes that it knows.
    pub(crate) fn propose(&mut self, node: usize, number: u32, needed: Needed, lifetime_us: u64) {
        let nonce = derive(self.plan.seed, &format!("proposal {number}"));
        let (nonce, _) = nonce.split_at(16);
        let Ok(agent) = "agent".parse() else {
            return;
        };
        let draft = ProposalDraft {
            agent,
            nonce: nonce.try_into().unwrap_or_default(),
            question: format!("proposal {number}"),
            options: OPTIONS.map(str::to_owned).to_vec(),
            electors: Electors::Nodes,
            weights: Vec::new(),
            per_node: 1,
            threshold: match needed {
                Needed::Majority => Threshold::Majority,
                Needed::TwoThirds => Threshold::TwoThirds,
            },
            lifetime: Duration::from_micros(lifetime_us),
        };
        self.ask(node, Request::Propose { number }, |request| {
            Input::Propose { request, draft }
        });
    }

    /// A node says that its proposal is on its disk.
    pub(crate) fn proposed(&mut self, number: u32, id: ProposalId) {
        self.proposals.insert(number, id);
    }

    /// An agent of a node votes, where the node knows the proposal.
    pub(crate) fn vote(&mut self, node: usize, number: u32, choice: u8) {
        let (Some(proposal), Ok(agent)) = (self.proposals.get(&number), "agent".parse()) else {
            return;
        };
        let (proposal, agent): (ProposalId, AgentName) = (*proposal, agent);
        self.ask(node, Request::Vote, |request| Input::Vote {
            request,
            agent,
            proposal,
            choice: Choice(choice),
        });
    }

    /// A node signs a vote for each option, one of them twice, and one more for somebody who has none.
    pub(crate) fn vote_twice(&mut self, node: usize, number: u32) {
        let machine = &self.machines[node];
        let roster = machine
            .process
            .as_ref()
            .and_then(|process| process.roster.clone());
        let (Some(id), Some(roster)) = (self.proposals.get(&number).copied(), roster) else {
            return;
        };
        let nobody = Voter {
            node: machine.id,
            agent: "nobody".parse().ok(),
        };
        let itself = Voter {
            node: machine.id,
            agent: None,
        };
        let votes = [(&itself, 1), (&itself, 2), (&itself, 1), (&nobody, 1)];
        let items: Vec<Bytes> = votes
            .into_iter()
            .map(|(voter, choice)| {
                let choice = Choice(choice);
                let vote = Vote::sign(roster.mesh, id, voter.clone(), choice, &*machine.key);
                DecisionItem::Voted(vote).encode()
            })
            .collect();
        self.truth.double_voters.insert((id, machine.id));
        let lane = Lane::DECISIONS;
        self.ask(node, Request::Append, |request| Input::Append {
            request,
            lane,
            items,
        });
    }

    /// A node shows what it knows of proposals.
    pub(crate) fn proposals_seen(&mut self, node: usize, proposals: Arc<Proposals>) {
        self.observe(&Observation::ProposalsPublished {
            node,
            proposals: &proposals,
        });
        if let Some(process) = &mut self.machines[node].process {
            process.proposals = proposals;
        }
    }

    /// Where two members show different decisions or different double voters, in a sentence.
    pub(crate) fn decisions_differ(&self) -> Option<String> {
        let mut members = self.machines.iter().filter(|machine| {
            let process = machine.process.as_ref();
            process.is_some_and(|process| process.roster.is_some())
        });
        let first = members.next()?;
        members.find_map(|machine| {
            let (here, there) = (first.plan.number.0, machine.plan.number.0);
            let (ours, theirs) = (shown(first), shown(machine));
            let different = ours.symmetric_difference(&theirs).next()?;
            let (id, decided, twice) = different;
            Some(format!(
                "#{here} and #{there} do not show the same of {id:?}: decided as {decided:?}, {twice} double voters"
            ))
        })
    }
}

/// What a member shows: each proposal that is decided, or on which somebody voted twice.
fn shown(machine: &Machine) -> BTreeSet<(ProposalId, Option<Choice>, usize)> {
    let process = machine.process.as_ref();
    let standing = process
        .into_iter()
        .flat_map(|process| process.proposals.values());
    let each = standing.map(|standing| {
        let decided = standing.decision().map(|proof| proof.choice());
        (standing.id(), decided, standing.evidence().len())
    });
    each.filter(|(_, decided, twice)| decided.is_some() || *twice > 0)
        .collect()
}
