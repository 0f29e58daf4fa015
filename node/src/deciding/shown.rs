//! A proposal as agents and people are shown it.

use std::collections::BTreeMap;

use peerage_protocol::consensus::book::Standing;
use peerage_protocol::consensus::electorate::Voter;
use peerage_protocol::consensus::proposal::Choice;
use peerage_protocol::consensus::threshold::Threshold;
use peerage_protocol::id::NodeId;
use peerage_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::gateway::directory::Directory;

/// One proposal, and how it stands here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownProposal {
    /// Its id: 64 hexadecimal digits.
    pub id: String,
    /// What is to be decided.
    pub question: String,
    /// Who proposed it: `name@node`.
    pub by: String,
    /// `open`; `decided`; `expired`, by this node's clock, which decides nothing; or `stuck`, where those who have not
    /// voted could not bring any outcome what it needs.
    pub state: String,
    /// What was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The outcomes, `rejected` first, with the votes for each.
    pub options: Vec<ShownOption>,
    /// The weight that an outcome needs.
    pub needed: u64,
    /// The weight of the whole electorate.
    pub total: u64,
    /// The weight of those who have not voted.
    pub outstanding: u64,
    /// `majority`, `two-thirds`, `unanimous`, or a weight.
    pub threshold: String,
    /// Who may vote.
    pub electorate: Vec<ShownElector>,
    /// Who signed two different votes, and so counts for nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub double_votes: Vec<ShownDoubleVote>,
    /// Another outcome of which there is a valid proof as well: more voters have voted twice than the threshold bears.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflicting_outcome: Option<String>,
    /// When it was made, by its node's clock: milliseconds since the Unix epoch.
    pub proposed: u64,
    /// Until when votes are asked for.
    pub deadline: u64,
}

/// One outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownOption {
    /// What it is called.
    pub name: String,
    /// The weight of the votes for it.
    pub weight: u64,
}

/// One voter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownElector {
    /// `name@node`, or the node's name where it votes as a whole.
    pub voter: String,
    /// What its vote weighs.
    pub weight: u32,
    /// For what it has voted; absent where it has not, or twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vote: Option<String>,
    /// No member of that key is known here: without its certificate its vote brings no outcome nearer to a proof.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unknown: bool,
}

/// Two signed votes of one voter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownDoubleVote {
    /// Whose.
    pub voter: String,
    /// For what.
    pub options: Vec<String>,
}

impl ShownProposal {
    /// With the names that nodes have now.
    pub fn of(standing: &Standing, directory: &Directory, now: Timestamp) -> Self {
        let body = standing.body();
        let tally = standing.tally();
        let name = |choice: Choice| body.name_of(choice).to_owned();
        let counted: BTreeMap<&Voter, Choice> = standing
            .ballots()
            .counted()
            .map(|vote| (&vote.voter, vote.choice))
            .collect();
        let electors = body.electorate.electors.iter().map(|elector| ShownElector {
            voter: voter_name(&elector.voter, directory),
            weight: elector.weight,
            vote: counted.get(&elector.voter).map(|choice| name(*choice)),
            unknown: !is_known(elector.voter.node, directory),
        });
        let double_votes = standing
            .evidence()
            .into_iter()
            .map(|evidence| ShownDoubleVote {
                voter: voter_name(&evidence.one.voter, directory),
                options: vec![name(evidence.one.choice), name(evidence.other.choice)],
            });
        let options = tally
            .weights
            .iter()
            .zip(0..)
            .map(|(weight, at)| ShownOption {
                name: name(Choice(at)),
                weight: *weight,
            });
        let decided = standing.decision().map(|proof| proof.choice());
        let state = match decided {
            Some(_) => "decided",
            None if now >= body.deadline() => "expired",
            None if !tally.is_open() => "stuck",
            None => "open",
        };
        Self {
            id: standing.id().to_string(),
            question: body.question.clone(),
            by: format!("{}@{}", body.agent, node_name(body.node, directory)),
            state: state.to_owned(),
            outcome: decided.map(name),
            options: options.collect(),
            needed: tally.needed,
            total: tally.total,
            outstanding: tally.outstanding(),
            threshold: threshold_name(body.threshold),
            electorate: electors.collect(),
            double_votes: double_votes.collect(),
            conflicting_outcome: standing.conflicting().map(|proof| name(proof.choice())),
            proposed: body.proposed.0,
            deadline: body.deadline().0,
        }
    }
}

/// `name@node`, or the node's name.
pub(super) fn voter_name(voter: &Voter, directory: &Directory) -> String {
    let node = node_name(voter.node, directory);
    match &voter.agent {
        Some(agent) => format!("{agent}@{node}"),
        None => node,
    }
}

fn node_name(node: NodeId, directory: &Directory) -> String {
    if node == directory.me() {
        return directory.own_name().to_string();
    }
    let roster = directory.roster();
    let known = roster.as_ref().and_then(|roster| roster.known(node));
    known.map_or_else(
        || node.to_string(),
        |member| member.chain().body().name.to_string(),
    )
}

fn is_known(node: NodeId, directory: &Directory) -> bool {
    let roster = directory.roster();
    node == directory.me() || roster.is_some_and(|roster| roster.known(node).is_some())
}

fn threshold_name(threshold: Threshold) -> String {
    match threshold {
        Threshold::Majority => "majority".to_owned(),
        Threshold::TwoThirds => "two-thirds".to_owned(),
        Threshold::Unanimous => "unanimous".to_owned(),
        Threshold::Weight(weight) => weight.to_string(),
    }
}
