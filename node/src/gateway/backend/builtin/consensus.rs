//! The tools by which agents decide together.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE64;
use peerage_protocol::consensus::threshold::Threshold;
use serde::Deserialize;
use serde_json::json;

use super::answer::{ToolError, agent, arguments, said_twice};
use crate::deciding::{Deciding, ProposalRequest, ShownProposal, Voters};
use crate::gateway::call::Call;

mod definitions;

pub use definitions::DEFINITIONS;

/// Asks an electorate.
pub const CONSENSUS_PROPOSE: &str = "consensus_propose";
/// Casts a vote.
pub const CONSENSUS_VOTE: &str = "consensus_vote";
/// Shows how votes stand.
pub const CONSENSUS_STATUS: &str = "consensus_status";

/// The names of them all.
pub const NAMES: [&str; 3] = [CONSENSUS_PROPOSE, CONSENSUS_VOTE, CONSENSUS_STATUS];

/// Kept of the caller's own patience for the way back.
const WAIT_LESS: Duration = Duration::from_millis(500);

/// Answers the tool `name`; `None` where it is none of these.
pub(super) async fn call(deciding: &Deciding, name: &str, call: &Call) -> Option<Bytes> {
    let answered = match name {
        CONSENSUS_PROPOSE => propose(deciding, call).await,
        CONSENSUS_VOTE => vote(deciding, call).await,
        CONSENSUS_STATUS => status(deciding, call).await,
        _ => return None,
    };
    Some(answered.unwrap_or_else(|error| error.result()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Propose {
    question: String,
    #[serde(default)]
    options: Vec<String>,
    #[serde(default)]
    electorate: Electorate,
    #[serde(default)]
    weights: BTreeMap<String, u32>,
    per_node: Option<u16>,
    #[serde(default)]
    threshold: Needed,
    deadline_seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "the electorate is `nodes`, `agents`, or a list of names: NAME@NODE or NODE"
)]
enum Electorate {
    All(Everybody),
    Named(Vec<String>),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Everybody {
    Nodes,
    Agents,
}

impl Default for Electorate {
    fn default() -> Self {
        Self::All(Everybody::Nodes)
    }
}

impl From<Electorate> for Voters {
    fn from(electorate: Electorate) -> Self {
        match electorate {
            Electorate::All(Everybody::Nodes) => Self::Nodes,
            Electorate::All(Everybody::Agents) => Self::Agents,
            Electorate::Named(names) => Self::Named(names),
        }
    }
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "the threshold is `majority`, `two-thirds`, `unanimous`, or a weight of more than half as a number"
)]
enum Needed {
    Part(Part),
    Weight(u64),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Part {
    Majority,
    TwoThirds,
    Unanimous,
}

impl Default for Needed {
    fn default() -> Self {
        Self::Part(Part::Majority)
    }
}

impl From<Needed> for Threshold {
    fn from(needed: Needed) -> Self {
        match needed {
            Needed::Part(Part::Majority) => Self::Majority,
            Needed::Part(Part::TwoThirds) => Self::TwoThirds,
            Needed::Part(Part::Unanimous) => Self::Unanimous,
            Needed::Weight(weight) => Self::Weight(weight),
        }
    }
}

async fn propose(deciding: &Deciding, call: &Call) -> Result<Bytes, ToolError> {
    let by = agent(&call.caller)?;
    let asked: Propose = arguments(&call.params)?;
    let request = ProposalRequest {
        question: asked.question,
        options: asked.options,
        voters: asked.electorate.into(),
        weights: asked.weights,
        per_node: asked.per_node,
        threshold: asked.threshold.into(),
        lifetime: asked.deadline_seconds.map(Duration::from_secs),
    };
    Ok(shown(&deciding.propose(by, request).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vote {
    proposal: String,
    option: String,
}

async fn vote(deciding: &Deciding, call: &Call) -> Result<Bytes, ToolError> {
    let by = agent(&call.caller)?;
    let Vote { proposal, option } = arguments(&call.params)?;
    Ok(shown(&deciding.vote(by, &proposal, &option).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Status {
    proposal: Option<String>,
    #[serde(default)]
    wait_seconds: u64,
    #[serde(default)]
    proof: bool,
}

async fn status(deciding: &Deciding, call: &Call) -> Result<Bytes, ToolError> {
    let asked: Status = arguments(&call.params)?;
    let Some(proposal) = asked.proposal else {
        return Ok(said_twice(
            &json!({"proposals": deciding.all()}).to_string(),
        ));
    };
    let patience = Duration::from_secs(asked.wait_seconds);
    let patience = patience.min(call.time_left().saturating_sub(WAIT_LESS));
    let found = deciding.wait(&proposal, patience).await?;
    let mut answer = json!({"proposals": [found]});
    if let Some(proof) = deciding.proof(&proposal)?.filter(|_| asked.proof) {
        answer["proof"] = BASE64.encode(&proof).into();
    }
    Ok(said_twice(&answer.to_string()))
}

fn shown(proposal: &ShownProposal) -> Bytes {
    said_twice(&json!(proposal).to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::Value;

    use super::*;

    #[test]
    fn every_definition_is_named_and_says_what_it_takes_and_gives() {
        for (definition, name) in DEFINITIONS.iter().zip(NAMES) {
            let definition: Value = serde_json::from_str(definition).unwrap();
            assert_eq!(definition["name"], name);
            for member in ["inputSchema", "outputSchema", "annotations"] {
                assert!(definition[member].is_object(), "{name} has no {member}");
            }
        }
    }

    #[test]
    fn electorates_and_thresholds_are_words_or_what_is_counted() {
        let read = |json: &str| serde_json::from_str::<Propose>(json);
        let plain = read(r#"{"question":"?"}"#).unwrap();
        assert_eq!(Voters::from(plain.electorate), Voters::Nodes);
        assert_eq!(Threshold::from(plain.threshold), Threshold::Majority);
        let named = r#"{"question":"?","electorate":["a@desk","laptop"],"threshold":3}"#;
        let named = read(named).unwrap();
        let expected = ["a@desk", "laptop"].map(str::to_owned).to_vec();
        assert_eq!(Voters::from(named.electorate), Voters::Named(expected));
        assert_eq!(Threshold::from(named.threshold), Threshold::Weight(3));
        let thirds = r#"{"question":"?","electorate":"agents","threshold":"two-thirds"}"#;
        let thirds = read(thirds).unwrap();
        assert_eq!(Voters::from(thirds.electorate), Voters::Agents);
        assert_eq!(Threshold::from(thirds.threshold), Threshold::TwoThirds);
        assert!(read(r#"{"question":"?","threshold":"half"}"#).is_err());
        assert!(read(r#"{"question":"?","electorate":"everybody"}"#).is_err());
    }
}
