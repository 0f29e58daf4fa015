//! Proposing, voting and looking, for the agents of this node.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use peerage_protocol::consensus::book::{Proposals, Standing};
use peerage_protocol::consensus::electorate::{PER_NODE, Voter};
use peerage_protocol::consensus::proposal::{ACCEPTED, LIFETIME, ProposalId, REJECTED};
use peerage_protocol::consensus::threshold::Threshold;
use peerage_protocol::id::AgentName;
use peerage_protocol::node_state::{Electors, Input, ProposalDraft, ProposeError, Reply};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::error::DecidingError;
use super::shown::{ShownProposal, voter_name};
use crate::control::{ControlClosed, ControlHandle, Snapshots, wall};
use crate::gateway::directory::Directory;

/// How long one wait for a decision lasts at most: shorter than the patience of common clients.
pub const WAIT_MAX: Duration = Duration::from_secs(50);
/// Digits of an id by which a proposal may be named, where no other has them.
pub(super) const ID_DIGITS_MIN: usize = 4;

/// Who is to vote, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Voters {
    /// One vote for each machine.
    #[default]
    Nodes,
    /// One vote for each agent that is present.
    Agents,
    /// `name@node`, or the name of a machine that votes as a whole.
    Named(Vec<String>),
}

/// What an agent asks to have decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProposalRequest {
    /// What is to be decided.
    pub question: String,
    /// Where there is none, `accepted`.
    pub options: Vec<String>,
    /// Who votes.
    pub voters: Voters,
    /// What votes weigh that weigh more than 1, by the voter's name.
    pub weights: BTreeMap<String, u32>,
    /// Agents of one machine at most, where not the common number.
    pub per_node: Option<u16>,
    /// What an outcome needs.
    pub threshold: Threshold,
    /// How long votes are asked for; a day where nothing is said.
    pub lifetime: Option<Duration>,
}

/// The decisions that one node takes part in.
pub struct Deciding {
    control: ControlHandle,
    snapshots: Arc<Snapshots>,
    directory: Directory,
}

impl Deciding {
    /// Decisions as `snapshots` show them, made through `control`, with names by `directory`.
    pub fn new(control: ControlHandle, snapshots: Arc<Snapshots>, directory: Directory) -> Self {
        Self {
            control,
            snapshots,
            directory,
        }
    }

    /// Asks the electorate; on this node's disk once this returns.
    ///
    /// # Errors
    ///
    /// Why it was not proposed.
    pub async fn propose(
        &self,
        agent: &AgentName,
        asked: ProposalRequest,
    ) -> Result<ShownProposal, DecidingError> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|_| DecidingError::NoRandomness)?;
        let electors = match asked.voters {
            Voters::Nodes => Electors::Nodes,
            Voters::Agents => Electors::Agents,
            Voters::Named(names) => {
                let voters = names.iter().map(|name| self.voter(name));
                Electors::Named(voters.collect::<Result<_, _>>()?)
            }
        };
        let weights = asked.weights.iter();
        let weights = weights.map(|(name, weight)| Ok((self.voter(name)?, *weight)));
        let options = match asked.options.is_empty() {
            true => vec![ACCEPTED.to_owned()],
            false => asked.options,
        };
        let draft = ProposalDraft {
            agent: agent.clone(),
            nonce,
            question: asked.question,
            options,
            electors,
            weights: weights.collect::<Result<_, DecidingError>>()?,
            per_node: asked.per_node.unwrap_or(PER_NODE),
            threshold: asked.threshold,
            lifetime: asked.lifetime.unwrap_or(LIFETIME),
        };
        let asked = self
            .control
            .ask(|request| Input::Propose { request, draft });
        match asked.await? {
            Reply::Proposed(Ok(id)) => self.shown(id),
            Reply::Proposed(Err(refused)) => Err(self.named(refused)),
            _ => Err(ControlClosed.into()),
        }
    }

    /// Votes in the name of an agent; on this node's disk once this returns. `proposal` is an id, or the first digits of
    /// one.
    ///
    /// # Errors
    ///
    /// Why the vote was not cast.
    pub async fn vote(
        &self,
        agent: &AgentName,
        proposal: &str,
        option: &str,
    ) -> Result<ShownProposal, DecidingError> {
        let standing = self.find(proposal)?;
        let id = standing.id();
        let body = standing.body();
        let choice = body.choice_called(option).ok_or_else(|| {
            let mut options = body.options.clone();
            options.push(REJECTED.to_owned());
            DecidingError::NoSuchOption {
                option: option.to_owned(),
                options,
            }
        })?;
        let agent = agent.clone();
        let asked = self.control.ask(move |request| Input::Vote {
            request,
            agent,
            proposal: id,
            choice,
        });
        match asked.await? {
            Reply::Voted(Ok(())) => self.shown(id),
            Reply::Voted(Err(refused)) => Err(refused.into()),
            _ => Err(ControlClosed.into()),
        }
    }

    /// One proposal.
    ///
    /// # Errors
    ///
    /// When it is not known, or not named well enough.
    pub fn status(&self, proposal: &str) -> Result<ShownProposal, DecidingError> {
        let standing = self.find(proposal)?;
        Ok(ShownProposal::of(&standing, &self.directory, wall()))
    }

    /// The same, once it is decided or after `patience`; [`WAIT_MAX`] at most.
    ///
    /// # Errors
    ///
    /// When it is not known, or not named well enough.
    pub async fn wait(
        &self,
        proposal: &str,
        patience: Duration,
    ) -> Result<ShownProposal, DecidingError> {
        let mut changes = self.changes();
        let until = Instant::now() + patience.min(WAIT_MAX);
        let id = self.find(proposal)?.id().to_string();
        loop {
            let shown = self.status(&id)?;
            if shown.state == "decided" || timeout_at(until, changes.changed()).await.is_err() {
                return Ok(shown);
            }
        }
    }

    /// All that are known, the latest first.
    pub fn all(&self) -> Vec<ShownProposal> {
        let now = wall();
        let proposals = self.proposals();
        let each = proposals.values();
        let mut all: Vec<ShownProposal> = each
            .map(|standing| ShownProposal::of(standing, &self.directory, now))
            .collect();
        all.sort_by(|a, b| (b.proposed, &b.id).cmp(&(a.proposed, &a.id)));
        all
    }

    /// The encoded proof of a decision; `None` while there is none.
    ///
    /// # Errors
    ///
    /// When the proposal is not known, or not named well enough.
    pub fn proof(&self, proposal: &str) -> Result<Option<Vec<u8>>, DecidingError> {
        let standing = self.find(proposal)?;
        Ok(standing.decision().map(|proof| proof.encode()))
    }

    /// Hears whenever anything about proposals has changed.
    pub fn changes(&self) -> watch::Receiver<Arc<Proposals>> {
        let mut changes = self.snapshots.proposals();
        changes.mark_unchanged();
        changes
    }

    fn proposals(&self) -> Arc<Proposals> {
        self.snapshots.proposals().borrow().clone()
    }

    fn shown(&self, id: ProposalId) -> Result<ShownProposal, DecidingError> {
        self.status(&id.to_string())
    }

    fn find(&self, named: &str) -> Result<Arc<Standing>, DecidingError> {
        let proposals = self.proposals();
        let digits = named.to_ascii_lowercase();
        let fits = |standing: &&Arc<Standing>| standing.id().to_string().starts_with(&digits);
        let mut found = proposals.values().filter(fits);
        let named = || DecidingError::UnknownProposal {
            proposal: named.to_owned(),
        };
        if digits.len() < ID_DIGITS_MIN {
            return Err(named());
        }
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(one.clone()),
            (Some(_), Some(_)) => Err(DecidingError::Ambiguous { digits }),
            (None, _) => Err(named()),
        }
    }

    fn voter(&self, named: &str) -> Result<Voter, DecidingError> {
        let unknown = || DecidingError::UnknownVoter {
            voter: named.to_owned(),
        };
        let (agent, node) = match named.split_once('@') {
            Some((agent, node)) => (Some(agent.parse().map_err(|_| unknown())?), node),
            None => (None, named),
        };
        let node = self.directory.node_named(node).ok_or_else(unknown)?;
        Ok(Voter { node, agent })
    }

    /// Refusals name voters by their keys; people know them by name.
    fn named(&self, refused: ProposeError) -> DecidingError {
        match refused {
            ProposeError::NoVote { voter } => DecidingError::NoVote {
                voter: voter_name(&voter, &self.directory),
            },
            ProposeError::WeightOfNobody { voter } => DecidingError::WeightOfNobody {
                voter: voter_name(&voter, &self.directory),
            },
            other => other.into(),
        }
    }
}
