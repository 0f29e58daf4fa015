//! Electorates: who may vote on a proposal, frozen when it is made.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{AgentName, NodeId};

/// Voters of one electorate: with so many, a decision's proof fits an item of the log.
pub const ELECTORS_MAX: usize = 100;
/// Voters at one node, unless the proposal says otherwise.
pub const PER_NODE: u16 = 4;
/// The most weight that one voter may have.
pub const WEIGHT_MAX: u32 = 1_000_000;

/// Who votes: an agent of a node, or where none is named the node itself, for which whichever of its agents is first
/// casts the vote. Either way the vote is the node's signature.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(
    into = "(NodeId, Option<AgentName>)",
    from = "(NodeId, Option<AgentName>)"
)]
pub struct Voter {
    /// The node that signs.
    pub node: NodeId,
    /// The agent at that node.
    pub agent: Option<AgentName>,
}

impl From<(NodeId, Option<AgentName>)> for Voter {
    fn from((node, agent): (NodeId, Option<AgentName>)) -> Self {
        Self { node, agent }
    }
}

impl From<Voter> for (NodeId, Option<AgentName>) {
    fn from(voter: Voter) -> Self {
        (voter.node, voter.agent)
    }
}

impl fmt::Display for Voter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.agent {
            Some(agent) => write!(f, "{agent}@{}", self.node),
            None => write!(f, "{}", self.node),
        }
    }
}

/// A voter and what its vote weighs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "(Voter, u32)", from = "(Voter, u32)")]
pub struct Elector {
    /// Who.
    pub voter: Voter,
    /// From 1 to [`WEIGHT_MAX`].
    pub weight: u32,
}

impl From<(Voter, u32)> for Elector {
    fn from((voter, weight): (Voter, u32)) -> Self {
        Self { voter, weight }
    }
}

impl From<Elector> for (Voter, u32) {
    fn from(elector: Elector) -> Self {
        (elector.voter, elector.weight)
    }
}

/// All who may vote on one proposal, in the order of [`Voter`], each once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Electorate {
    /// How many of them one node has at most: an agent is its node's word, so a node could make up any number of them.
    pub per_node: u16,
    /// The voters.
    pub electors: Vec<Elector>,
}

impl Electorate {
    /// Puts `electors` into their order.
    ///
    /// # Errors
    ///
    /// Names the bound that is broken.
    pub fn new(per_node: u16, mut electors: Vec<Elector>) -> Result<Self, ElectorateError> {
        electors.sort_by(|a, b| a.voter.cmp(&b.voter));
        let electorate = Self { per_node, electors };
        electorate.check()?;
        Ok(electorate)
    }

    /// Checks bounds and order.
    ///
    /// # Errors
    ///
    /// Names the first that is broken.
    pub fn check(&self) -> Result<(), ElectorateError> {
        let found = self.electors.len();
        if !(1..=ELECTORS_MAX).contains(&found) {
            return Err(ElectorateError::Size { found });
        }
        for elector in &self.electors {
            if !(1..=WEIGHT_MAX).contains(&elector.weight) {
                return Err(ElectorateError::Weight {
                    voter: elector.voter.clone(),
                    found: elector.weight,
                });
            }
        }
        for pair in self.electors.windows(2) {
            if pair[0].voter >= pair[1].voter {
                let voter = pair[1].voter.clone();
                return Err(ElectorateError::Repeated { voter });
            }
        }
        self.check_nodes()
    }

    /// A node votes by itself or by its agents, of which there are so many at most.
    fn check_nodes(&self) -> Result<(), ElectorateError> {
        let of_one_node = |a: &Elector, b: &Elector| a.voter.node == b.voter.node;
        for same in self.electors.chunk_by(of_one_node) {
            let (node, found) = (same[0].voter.node, same.len());
            if found > usize::from(self.per_node) {
                let limit = self.per_node;
                return Err(ElectorateError::PerNode { node, found, limit });
            }
            if found > 1 && same[0].voter.agent.is_none() {
                return Err(ElectorateError::NodeAndAgent { node });
            }
        }
        Ok(())
    }

    /// What all their votes weigh together.
    pub fn total(&self) -> u64 {
        let weights = self.electors.iter();
        weights.map(|elector| u64::from(elector.weight)).sum()
    }

    /// The place of a voter in it.
    pub fn index_of(&self, voter: &Voter) -> Option<usize> {
        let found = self
            .electors
            .binary_search_by(|elector| elector.voter.cmp(voter));
        found.ok()
    }

    /// As whom `agent` at `node` votes: by its own name, or for its node.
    pub fn voter_for(&self, node: NodeId, agent: &AgentName) -> Option<Voter> {
        let agent = Some(agent.clone());
        let named = [Voter { node, agent }, Voter { node, agent: None }];
        named
            .into_iter()
            .find(|voter| self.index_of(voter).is_some())
    }
}

/// What is wrong with an electorate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ElectorateError {
    /// Nobody, or too many.
    #[error(
        "an electorate of {found}; from 1 to {ELECTORS_MAX} voters are allowed, as a proof carries a few hundred bytes \
         for each: let nodes vote in place of agents, or name a committee"
    )]
    Size {
        /// How many.
        found: usize,
    },
    /// No weight, or too much.
    #[error("{voter} has the weight {found}; from 1 to {WEIGHT_MAX} are allowed")]
    Weight {
        /// Whose.
        voter: Voter,
        /// How much.
        found: u32,
    },
    /// Somebody is there twice, or not in order.
    #[error("{voter} is in the electorate twice, or out of order")]
    Repeated {
        /// Who.
        voter: Voter,
    },
    /// One node has more voters than the proposal says.
    #[error(
        "{node} has {found} voters and the proposal allows {limit} of one node: name fewer, or allow more"
    )]
    PerNode {
        /// Which.
        node: NodeId,
        /// How many.
        found: usize,
        /// How many are allowed.
        limit: u16,
    },
    /// A node votes for itself and by an agent as well.
    #[error("{node} is in the electorate as a node and with agents; choose one")]
    NodeAndAgent {
        /// Which.
        node: NodeId,
    },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn elector(node: u8, agent: Option<&str>) -> Elector {
        Elector {
            voter: Voter {
                node: NodeId::from_public_key([node; 32]),
                agent: agent.map(|agent| agent.parse().unwrap()),
            },
            weight: 1,
        }
    }

    #[test]
    fn every_bound_of_an_electorate_is_a_named_refusal() {
        let refused = |electors| Electorate::new(2, electors).unwrap_err();
        assert_eq!(refused(vec![]), ElectorateError::Size { found: 0 });
        let many = (0..=100).map(|node| elector(node, None)).collect();
        assert_eq!(refused(many), ElectorateError::Size { found: 101 });
        let twice = vec![elector(1, None), elector(1, None)];
        assert!(matches!(refused(twice), ElectorateError::Repeated { .. }));
        let crowd = ["a", "b", "c"].map(|agent| elector(1, Some(agent)));
        assert!(matches!(
            refused(crowd.to_vec()),
            ElectorateError::PerNode {
                found: 3,
                limit: 2,
                ..
            }
        ));
        let both = vec![elector(1, None), elector(1, Some("a"))];
        assert!(matches!(
            refused(both),
            ElectorateError::NodeAndAgent { .. }
        ));
        let weightless = Elector {
            weight: 0,
            ..elector(1, None)
        };
        assert!(matches!(
            refused(vec![weightless]),
            ElectorateError::Weight { found: 0, .. }
        ));
    }

    #[test]
    fn an_agent_votes_by_name_or_for_its_node() {
        let electors = vec![elector(2, None), elector(1, Some("coder"))];
        let electorate = Electorate::new(2, electors).unwrap();
        let (first, second) = (
            electorate.electors[0].voter.node,
            electorate.electors[1].voter.node,
        );
        let coder: AgentName = "coder".parse().unwrap();
        let voter = electorate.voter_for(first, &coder).unwrap();
        assert_eq!(voter.agent, Some(coder.clone()));
        let other: AgentName = "other".parse().unwrap();
        assert_eq!(electorate.voter_for(first, &other), None);
        assert_eq!(electorate.voter_for(second, &coder).unwrap().agent, None);
        assert_eq!(electorate.total(), 2);
    }
}
