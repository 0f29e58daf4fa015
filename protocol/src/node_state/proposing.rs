//! What this node's agents do about decisions: they propose, and they vote.

use std::collections::BTreeMap;
use std::time::Duration;

use super::NodeState;
use super::input::RequestId;
use super::output::Reply;
use crate::consensus::book::BookError;
use crate::consensus::electorate::{Elector, Electorate, ElectorateError, Voter};
use crate::consensus::item::DecisionItem;
use crate::consensus::proposal::{
    Choice, PROPOSAL_VERSION, ProposalBody, ProposalError, ProposalId,
};
use crate::consensus::threshold::Threshold;
use crate::consensus::vote::Vote;
use crate::id::{AgentName, NodeId};
use crate::log::{AppendError, Lane};
use crate::membership::certificate::Validity;
use crate::membership::roster::Roster;
use crate::time::Now;

/// Who is to vote on a proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Electors {
    /// Each machine that is a member or an admin, away or not, has one vote.
    Nodes,
    /// Each agent that is present at one of them, by its node's word; of each node the first by name, as many as are
    /// allowed.
    Agents,
    /// These alone.
    Named(Vec<Voter>),
}

/// A proposal before its electorate is frozen.
#[derive(Clone, Debug)]
pub struct ProposalDraft {
    /// The agent that proposes it, at this node.
    pub agent: AgentName,
    /// 16 random bytes, never used before.
    pub nonce: [u8; 16],
    /// What is to be decided.
    pub question: String,
    /// See [`ProposalBody::options`].
    pub options: Vec<String>,
    /// Who votes.
    pub electors: Electors,
    /// What votes weigh that weigh more than 1.
    pub weights: Vec<(Voter, u32)>,
    /// See [`Electorate::per_node`].
    pub per_node: u16,
    /// What an outcome needs.
    pub threshold: Threshold,
    /// How long votes are asked for.
    pub lifetime: Duration,
}

impl NodeState {
    /// Freezes the electorate of a proposal and puts it into the log.
    pub(super) fn propose(&mut self, now: Now, request: RequestId, draft: ProposalDraft) {
        if let Err(refused) = self.try_propose(now, request, draft) {
            self.reply(request, Reply::Proposed(Err(refused)));
        }
    }

    fn try_propose(
        &mut self,
        now: Now,
        request: RequestId,
        draft: ProposalDraft,
    ) -> Result<(), ProposeError> {
        let roster = self.roster.clone().ok_or(AppendError::NoMesh)?;
        let electors = self.electors(now, &roster, draft.electors, draft.per_node)?;
        let electors = weighted(electors, draft.weights)?;
        let body = ProposalBody {
            version: PROPOSAL_VERSION,
            mesh: roster.mesh,
            nonce: draft.nonce,
            node: self.me,
            agent: draft.agent,
            question: draft.question,
            options: draft.options,
            electorate: Electorate::new(draft.per_node, electors)?,
            threshold: draft.threshold,
            proposed: now.wall,
            lifetime: u32::try_from(draft.lifetime.as_secs()).unwrap_or(u32::MAX),
        };
        body.check()?;
        self.decisions.book.has_room(self.me)?;
        let id = body.id();
        let proposal = body.sign(&*self.keys.node);
        let item = DecisionItem::Proposed(proposal.into()).encode();
        self.append(now, Lane::DECISIONS, vec![item], None)?;
        self.decisions.proposing.insert(id, request);
        Ok(())
    }

    fn electors(
        &self,
        now: Now,
        roster: &Roster,
        electors: Electors,
        per_node: u16,
    ) -> Result<Vec<Voter>, ProposeError> {
        Ok(match electors {
            Electors::Nodes => self
                .voting_nodes(now, roster)
                .map(|node| Voter { node, agent: None })
                .collect(),
            Electors::Agents => {
                let here = self.voting_nodes(now, roster);
                let here = here.filter(|node| !self.presence.is_away(*node));
                here.flat_map(|node| self.agents_of(roster, node, per_node))
                    .collect()
            }
            Electors::Named(voters) => {
                let has_vote = |node| self.voting_nodes(now, roster).any(|known| known == node);
                let without = voters.iter().find(|voter| !has_vote(voter.node));
                match without.cloned() {
                    Some(voter) => return Err(ProposeError::NoVote { voter }),
                    None => voters,
                }
            }
        })
    }

    /// This node and the other members whose role has a vote and whose certificate is valid.
    fn voting_nodes<'a>(
        &'a self,
        now: Now,
        roster: &'a Roster,
    ) -> impl Iterator<Item = NodeId> + 'a {
        let own = (self.me, &roster.own);
        let all = roster.members().chain([own]);
        let voting = all.filter(move |(_, chain)| {
            chain.body().role.offers() && chain.validity(now.wall) == Validity::Valid
        });
        voting.map(|(node, _)| node)
    }

    fn agents_of(&self, roster: &Roster, node: NodeId, per_node: u16) -> Vec<Voter> {
        let member = match node == self.me {
            true => self.own.member(),
            false => roster.known(node),
        };
        let record = member.and_then(|member| member.record());
        let agents = record.map(|record| record.agents.as_slice());
        let mut names: Vec<AgentName> = agents
            .unwrap_or_default()
            .iter()
            .map(|agent| agent.name.clone())
            .collect();
        names.sort();
        names.truncate(usize::from(per_node));
        let voter = |agent| Voter {
            node,
            agent: Some(agent),
        };
        names.into_iter().map(voter).collect()
    }

    /// Signs the vote of an agent of this node and puts it into the log.
    pub(super) fn vote(
        &mut self,
        now: Now,
        request: RequestId,
        agent: AgentName,
        id: ProposalId,
        choice: Choice,
    ) {
        if let Err(refused) = self.try_vote(now, request, agent, id, choice) {
            self.reply(request, Reply::Voted(Err(refused)));
        }
    }

    fn try_vote(
        &mut self,
        now: Now,
        request: RequestId,
        agent: AgentName,
        id: ProposalId,
        choice: Choice,
    ) -> Result<(), VoteError> {
        let mesh = self.roster.as_ref().ok_or(AppendError::NoMesh)?.mesh;
        let known = self.decisions.book.get(id).ok_or(VoteError::Unknown)?;
        let body = known.body();
        if !body.has(choice) {
            return Err(VoteError::NoSuchOutcome);
        }
        let voter = body.electorate.voter_for(self.me, &agent);
        let voter = voter.ok_or(VoteError::NotListed { agent })?;
        let place = (id, voter.clone());
        let cast = known.ballots().of(&voter).map(|vote| vote.choice);
        let casting = self
            .decisions
            .casting
            .get(&place)
            .map(|(choice, _)| *choice);
        match cast.or(casting) {
            Some(before) if before != choice => {
                let before = body.name_of(before).to_owned();
                return Err(VoteError::Final { before });
            }
            // It stands already.
            Some(_) if cast.is_some() => {
                self.reply(request, Reply::Voted(Ok(())));
                return Ok(());
            }
            Some(_) => {}
            None if now.wall >= body.deadline() => return Err(VoteError::TooLate),
            None => {
                let vote = Vote::sign(mesh, id, voter, choice, &*self.keys.node);
                let item = DecisionItem::Voted(vote).encode();
                self.append(now, Lane::DECISIONS, vec![item], None)?;
            }
        }
        let casting = self.decisions.casting.entry(place);
        let (_, waiting) = casting.or_insert((choice, Vec::new()));
        waiting.push(request);
        Ok(())
    }
}

/// Everybody weighs 1 but those who are named.
fn weighted(voters: Vec<Voter>, weights: Vec<(Voter, u32)>) -> Result<Vec<Elector>, ProposeError> {
    let mut weights: BTreeMap<Voter, u32> = weights.into_iter().collect();
    let electors = voters.into_iter().map(|voter| Elector {
        weight: weights.remove(&voter).unwrap_or(1),
        voter,
    });
    let electors = electors.collect();
    match weights.pop_first() {
        Some((voter, _)) => Err(ProposeError::WeightOfNobody { voter }),
        None => Ok(electors),
    }
}

/// Why nothing was proposed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// Over a bound.
    #[error(transparent)]
    Proposal(#[from] ProposalError),
    /// The electorate is none.
    #[error(transparent)]
    Electorate(#[from] ElectorateError),
    /// Too many proposals are known.
    #[error(transparent)]
    Book(#[from] BookError),
    /// Somebody was named who may not vote.
    #[error(
        "{voter} has no vote: its node is no member or admin of this mesh with a valid certificate"
    )]
    NoVote {
        /// Who.
        voter: Voter,
    },
    /// A weight for somebody outside the electorate.
    #[error("{voter} has a weight and is not in the electorate")]
    WeightOfNobody {
        /// Who.
        voter: Voter,
    },
    /// The log does not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// Why a vote was not cast.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VoteError {
    /// There is no such proposal.
    #[error("no such proposal is known here")]
    Unknown,
    /// There is no such outcome.
    #[error("the proposal has no such option")]
    NoSuchOutcome,
    /// The agent is not in the electorate, which was frozen when the proposal was made.
    #[error("{agent} is not in the electorate of this proposal, which was frozen when it was made")]
    NotListed {
        /// Who.
        agent: AgentName,
    },
    /// A vote is final.
    #[error("this voter has voted for {before:?}, and a vote is final")]
    Final {
        /// For what.
        before: String,
    },
    /// By this node's clock no more votes are asked for.
    #[error("the deadline of this proposal has passed")]
    TooLate,
    /// The log does not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
}
