//! `propose`, `vote`, `proposals`, `proposal`, `verify`: the owner decides in the name of an agent of this node, and
//! anybody checks what was decided.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use data_encoding::BASE64;
use peerage_node::config::environment::Environment;
use peerage_node::deciding::ShownProposal;
use peerage_node::messaging::OWNER;
use peerage_protocol::consensus::proof::{PROOF_BYTES_MAX, Proof};
use peerage_protocol::id::AgentName;
use peerage_protocol::signature::Ed25519;
use serde::Deserialize;
use serde_json::{Value, json};

use super::asking::{acting, ask};
use super::{Context, watch};
use crate::arguments::{Proposal, Propose, Verify, Vote};
use crate::failure::Failure;
use crate::render::{self, VerifiedDecision};
use crate::terminal::print;

pub(super) async fn propose(
    context: &Context,
    propose: Propose,
    environment: &dyn Environment,
) -> Result<(), Failure> {
    let agent = acting(context, &propose.acting, environment).await?;
    let electorate = match &propose.voters[..] {
        [all] if all == "nodes" || all == "agents" => json!(all),
        named => json!(named),
    };
    let threshold = match propose.threshold.parse::<u64>() {
        Ok(weight) => json!(weight),
        Err(_) => json!(propose.threshold),
    };
    let weights: BTreeMap<String, u32> = propose.weights.into_iter().collect();
    let mut arguments = json!({
        "question": propose.question.join(" "),
        "options": propose.options,
        "electorate": electorate,
        "weights": weights,
        "threshold": threshold,
        "deadline_seconds": propose.deadline.as_secs(),
    });
    if let Some(most) = propose.per_node {
        arguments["per_node"] = most.into();
    }
    let proposed: ShownProposal = ask(context, &agent, "consensus_propose", &arguments).await?;
    match context.json {
        true => print(&render::json(&proposed)?),
        false => print(&render::proposed(&proposed)),
    }
}

pub(super) async fn vote(
    context: &Context,
    vote: Vote,
    environment: &dyn Environment,
) -> Result<(), Failure> {
    let agent = acting(context, &vote.acting, environment).await?;
    let arguments = json!({"proposal": vote.proposal, "option": vote.option});
    let voted: ShownProposal = ask(context, &agent, "consensus_vote", &arguments).await?;
    match context.json {
        true => print(&render::json(&voted)?),
        false => print(&render::proposal(&voted, super::now())),
    }
}

pub(super) async fn proposals(context: &Context, watch: bool) -> Result<(), Failure> {
    watch::show(context, watch, async || {
        let Listed { proposals, .. } = status(context, &json!({})).await?;
        match context.json {
            true => render::json(&proposals),
            false => Ok(render::proposals(&proposals, super::now())),
        }
    })
    .await
}

pub(super) async fn proposal(context: &Context, shown: Proposal) -> Result<(), Failure> {
    if let Some(file) = &shown.proof {
        return write_proof(context, &shown.proposal, file).await;
    }
    watch::show(context, shown.watch, async || {
        let found = status(context, &json!({"proposal": shown.proposal})).await?;
        let found = found.proposals.into_iter().next().ok_or_else(nothing)?;
        match context.json {
            true => render::json(&found),
            false => Ok(render::proposal(&found, super::now())),
        }
    })
    .await
}

async fn write_proof(context: &Context, proposal: &str, file: &Path) -> Result<(), Failure> {
    let found = status(context, &json!({"proposal": proposal, "proof": true})).await?;
    let shown = found.proposals.into_iter().next().ok_or_else(nothing)?;
    let undecided = || Failure::failed("undecided", "nothing is decided yet, so there is no proof");
    let proof = found.proof.ok_or_else(undecided)?;
    let proof = BASE64
        .decode(proof.as_bytes())
        .map_err(|error| Failure::failed("answer", error))?;
    std::fs::write(file, &proof).map_err(|error| {
        let message = format!("cannot write {}: {error}", file.display());
        Failure::failed("proof", message)
    })?;
    match context.json {
        true => print(&render::json(
            &json!({"id": shown.id, "bytes": proof.len()}),
        )?),
        false => print(&render::proof_written(&shown, file, proof.len())),
    }
}

/// Needs no node and no network.
pub(super) fn verify(context: &Context, verify: &Verify) -> Result<(), Failure> {
    let file = verify.file.display();
    let unread = |error| Failure::failed("proof", format!("cannot read {file}: {error}"));
    let mut bytes = Vec::new();
    let opened = File::open(&verify.file).map_err(unread)?;
    // A device or a pipe says nothing of its length.
    let mut bounded = opened.take(PROOF_BYTES_MAX as u64 + 1);
    bounded.read_to_end(&mut bytes).map_err(unread)?;
    if bytes.is_empty() || bytes.len() > PROOF_BYTES_MAX {
        let message = format!("{file} is no proof: that has from 1 to {PROOF_BYTES_MAX} bytes");
        return Err(Failure::failed("proof", message));
    }
    let wrong = |error| Failure::failed("proof", format!("{file} proves nothing: {error}"));
    let proof = Proof::decode(&bytes).map_err(wrong)?;
    let verified = proof.verify(verify.mesh, &Ed25519).map_err(wrong)?;
    let decision = VerifiedDecision::of(&proof, &verified);
    match context.json {
        true => print(&render::json(&decision)?),
        false => print(&render::verified(&decision)),
    }
}

#[derive(Deserialize)]
struct Listed {
    proposals: Vec<ShownProposal>,
    proof: Option<String>,
}

async fn status(context: &Context, arguments: &Value) -> Result<Listed, Failure> {
    let owner: AgentName = OWNER
        .parse()
        .map_err(|error| Failure::failed("agent", error))?;
    ask(context, &owner, "consensus_status", arguments).await
}

fn nothing() -> Failure {
    Failure::failed("answer", "the node named no proposal")
}
