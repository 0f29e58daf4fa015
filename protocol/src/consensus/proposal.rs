//! Proposals: a question, its options, and who decides by how much.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::electorate::{Electorate, ElectorateError};
use super::threshold::{Threshold, ThresholdError};
use crate::id::{AgentName, Hash, MeshId, NodeId};
use crate::signature::{Signature, Signer, Verifier};
use crate::time::Timestamp;
use crate::wire::encode_cbor;

/// Separates signatures over proposals, and their ids, from those of anything else.
const SIGNING_CONTEXT: &[u8] = b"peerage proposal v1\0";

/// The version of proposals that this program writes and reads.
pub const PROPOSAL_VERSION: u16 = 1;
/// Bytes of a question.
pub const QUESTION_BYTES_MAX: usize = 2 * 1024;
/// Options that a proposal names; `rejected` is always one more.
pub const OPTIONS_MAX: usize = 15;
/// Bytes of an option.
pub const OPTION_BYTES_MAX: usize = 64;
/// What the outcome is called by which none of the options is taken.
pub const REJECTED: &str = "rejected";
/// The option of a proposal that names none.
pub const ACCEPTED: &str = "accepted";
/// How long votes are asked for, unless the proposer says otherwise.
pub const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest: what is older than 30 days is pruned from the log.
pub const LIFETIME_MAX: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Names a proposal: BLAKE3 over all that it says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProposalId(pub Hash);

impl fmt::Display for ProposalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(self.0.as_bytes()))
    }
}

impl fmt::Debug for ProposalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl FromStr for ProposalId {
    type Err = ProposalError;

    fn from_str(text: &str) -> Result<Self, ProposalError> {
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes());
        let bytes: Option<[u8; 32]> = bytes.ok().and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(|bytes| Self(bytes.into()))
            .ok_or(ProposalError::Id)
    }
}

/// An outcome: 0 is `rejected`, then the proposal's options in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Choice(pub u8);

impl Choice {
    /// None of the options.
    pub const REJECTED: Self = Self(0);
}

/// What a proposal says, before it is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposalBody {
    /// Version of this encoding.
    pub version: u16,
    /// The mesh that it is for.
    pub mesh: MeshId,
    /// Tells it from others that say the same: 128 random bits.
    #[serde(with = "serde_bytes")]
    pub nonce: [u8; 16],
    /// The node that proposes it, and signs.
    pub node: NodeId,
    /// The agent at that node.
    pub agent: AgentName,
    /// What is to be decided.
    pub question: String,
    /// From 1 to [`OPTIONS_MAX`], beside [`REJECTED`].
    pub options: Vec<String>,
    /// Who may vote.
    pub electorate: Electorate,
    /// What an outcome needs.
    pub threshold: Threshold,
    /// When it was made, by its node's clock.
    pub proposed: Timestamp,
    /// Seconds after that for which votes are asked for. It is for show: nothing is decided by it.
    pub lifetime: u32,
}

impl ProposalBody {
    /// Checks every bound.
    ///
    /// # Errors
    ///
    /// Names the first that is broken.
    pub fn check(&self) -> Result<(), ProposalError> {
        if self.version != PROPOSAL_VERSION {
            let found = self.version;
            return Err(ProposalError::Version { found });
        }
        let found = self.question.len();
        if !(1..=QUESTION_BYTES_MAX).contains(&found) || self.question.trim().is_empty() {
            return Err(ProposalError::Question { found });
        }
        self.check_options()?;
        let seconds = u64::from(self.lifetime);
        if !(1..=LIFETIME_MAX.as_secs()).contains(&seconds) {
            return Err(ProposalError::Lifetime { seconds });
        }
        self.electorate.check()?;
        self.threshold.needed(self.electorate.total())?;
        Ok(())
    }

    fn check_options(&self) -> Result<(), ProposalError> {
        let found = self.options.len();
        if !(1..=OPTIONS_MAX).contains(&found) {
            return Err(ProposalError::Options { found });
        }
        for (at, option) in self.options.iter().enumerate() {
            let good = (1..=OPTION_BYTES_MAX).contains(&option.len())
                && option.trim() == option
                && !option.chars().any(char::is_control);
            if !good || option == REJECTED || self.options[..at].contains(option) {
                let option = option.chars().take(OPTION_BYTES_MAX).collect();
                return Err(ProposalError::Option { option });
            }
        }
        Ok(())
    }

    /// What an outcome needs; all of the electorate's weight where the threshold is none, which no checked body has.
    pub fn needed(&self) -> u64 {
        let total = self.electorate.total();
        self.threshold.needed(total).unwrap_or(total)
    }

    /// Its id.
    pub fn id(&self) -> ProposalId {
        ProposalId(Hash::of(&self.signing_bytes()))
    }

    /// How many outcomes there are, `rejected` among them.
    pub fn outcomes(&self) -> usize {
        self.options.len() + 1
    }

    /// Whether there is such an outcome.
    pub fn has(&self, choice: Choice) -> bool {
        usize::from(choice.0) < self.outcomes()
    }

    /// What an outcome is called; nothing where there is none.
    pub fn name_of(&self, choice: Choice) -> &str {
        match choice.0.checked_sub(1) {
            None => REJECTED,
            Some(at) => self.options.get(usize::from(at)).map_or("", String::as_str),
        }
    }

    /// The outcome that is called `name`.
    pub fn choice_called(&self, name: &str) -> Option<Choice> {
        if name == REJECTED {
            return Some(Choice::REJECTED);
        }
        let at = self.options.iter().position(|option| option == name)?;
        u8::try_from(at + 1).ok().map(Choice)
    }

    /// From when on no more votes are asked for.
    pub fn deadline(&self) -> Timestamp {
        self.proposed + Duration::from_secs(u64::from(self.lifetime))
    }

    fn signing_bytes(&self) -> Vec<u8> {
        [SIGNING_CONTEXT, &encode_cbor(self)].concat()
    }

    /// Signs it with the key of [`ProposalBody::node`].
    pub fn sign(self, signer: &dyn Signer) -> Proposal {
        let signature = signer.sign(&self.signing_bytes());
        Proposal {
            body: self,
            signature,
        }
    }
}

/// A signed proposal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// What it says.
    pub body: ProposalBody,
    /// By its node.
    pub signature: Signature,
}

impl Proposal {
    /// Checks bounds and signature, and that it is for this mesh.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn check(&self, mesh: MeshId, verifier: &dyn Verifier) -> Result<(), ProposalError> {
        if self.body.mesh != mesh {
            let found = self.body.mesh;
            return Err(ProposalError::OtherMesh { found });
        }
        self.body.check()?;
        let signed = self.body.signing_bytes();
        match verifier.verify(self.body.node.public_key(), &signed, &self.signature) {
            true => Ok(()),
            false => Err(ProposalError::Signature),
        }
    }
}

/// What is wrong with a proposal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposalError {
    /// Not the id of a proposal.
    #[error("the id of a proposal is 64 hexadecimal digits")]
    Id,
    /// From a later version.
    #[error("a proposal of version {found}; this program reads {PROPOSAL_VERSION}")]
    Version {
        /// Which.
        found: u16,
    },
    /// It is for another mesh.
    #[error("the proposal is for the mesh {found}")]
    OtherMesh {
        /// Which.
        found: MeshId,
    },
    /// No question, or too long.
    #[error("the question has {found} bytes; from 1 to {QUESTION_BYTES_MAX} are allowed")]
    Question {
        /// Its length.
        found: usize,
    },
    /// No options, or too many.
    #[error(
        "{found} options; from 1 to {OPTIONS_MAX} are allowed, and {REJECTED} is always one more"
    )]
    Options {
        /// How many.
        found: usize,
    },
    /// An option that is too long, given twice, or called `rejected`.
    #[error(
        "the option {option:?} is not good: each is named once, has 1 to {OPTION_BYTES_MAX} bytes, no control \
         characters and no space around it, and is not called {REJECTED}, which is always one of them"
    )]
    Option {
        /// Its beginning.
        option: String,
    },
    /// Votes are asked for too long, or not at all.
    #[error("a deadline in {seconds} s; from 1 s to {} s (14 days) are allowed", LIFETIME_MAX.as_secs())]
    Lifetime {
        /// How long.
        seconds: u64,
    },
    /// The electorate is none.
    #[error(transparent)]
    Electorate(#[from] ElectorateError),
    /// The threshold is none.
    #[error(transparent)]
    Threshold(#[from] ThresholdError),
    /// Its node did not sign it.
    #[error("the proposal is not signed by the node that it names")]
    Signature,
}
