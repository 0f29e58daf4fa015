//! `propose`, `vote`, `proposals`, `proposal`, `verify`: deciding together.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use peerage_protocol::id::MeshId;

use super::{Acting, duration};

/// Have something decided.
#[derive(Debug, Args)]
pub struct Propose {
    /// What is to be decided
    #[arg(required = true)]
    pub question: Vec<String>,
    /// What can be chosen beside `rejected`; once for each [default: accepted]
    #[arg(long = "option", value_name = "OPTION")]
    pub options: Vec<String>,
    /// Who votes: nodes, agents, or names as NAME@NODE or NODE, parted by commas
    #[arg(long, default_value = "nodes", value_delimiter = ',', value_parser = NonEmptyStringValueParser::new())]
    pub voters: Vec<String>,
    /// What a voter's vote weighs, where not 1; once for each
    #[arg(long = "weight", value_name = "VOTER=N", value_parser = weight)]
    pub weights: Vec<(String, u32)>,
    /// Voters of one machine at most
    #[arg(long, value_name = "N")]
    pub per_node: Option<u16>,
    /// What an outcome needs of the whole electorate: majority, two-thirds, unanimous, or a weight of more than half
    #[arg(long, default_value = "majority", value_parser = threshold)]
    pub threshold: String,
    /// How long votes are asked for; the deadline decides nothing
    #[arg(long, default_value = "1d", value_parser = duration::message_lifetime)]
    pub deadline: Duration,
    /// In whose name.
    #[command(flatten)]
    pub acting: Acting,
}

/// Vote.
#[derive(Debug, Args)]
pub struct Vote {
    /// The proposal's id, or its first digits
    #[arg(value_name = "ID")]
    pub proposal: String,
    /// One of its options, or `rejected`
    pub option: String,
    /// In whose name.
    #[command(flatten)]
    pub acting: Acting,
}

/// Show one proposal.
#[derive(Debug, Args)]
pub struct Proposal {
    /// The proposal's id, or its first digits
    #[arg(value_name = "ID")]
    pub proposal: String,
    /// Write the proof of the decision into this file
    #[arg(long, value_name = "FILE", conflicts_with = "watch")]
    pub proof: Option<PathBuf>,
    /// Show it again whenever it changes, until Ctrl-C
    #[arg(short, long)]
    pub watch: bool,
}

/// Check a decision's proof.
#[derive(Debug, Args)]
pub struct Verify {
    /// What `peerage proposal --proof` wrote
    pub file: PathBuf,
    /// The id of the mesh that is said to have decided
    #[arg(long, value_name = "ID")]
    pub mesh: MeshId,
}

/// The words that the tool knows, or a weight.
fn threshold(text: &str) -> Result<String, String> {
    match matches!(text, "majority" | "two-thirds" | "unanimous") || text.parse::<u64>().is_ok() {
        true => Ok(text.to_owned()),
        false => Err("majority, two-thirds, unanimous, or a weight of more than half".to_owned()),
    }
}

fn weight(text: &str) -> Result<(String, u32), String> {
    let parts = text.rsplit_once('=');
    let (voter, weight) = parts.ok_or("a weight is VOTER=NUMBER")?;
    let weight = weight
        .parse()
        .map_err(|error| format!("{weight:?} is no weight: {error}"))?;
    Ok((voter.to_owned(), weight))
}
