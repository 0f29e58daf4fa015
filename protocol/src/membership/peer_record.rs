//! Signed peer records: what a node says of itself, so that anybody may pass it on and nobody can change it.
//!
//! The idea is that of libp2p's signed peer records (libp2p RFC 0003): a sequence number, addresses, and a signature
//! by the node's own key. Ours is bound to the certificate it goes with, and also names the manifest.

use serde::{Deserialize, Serialize};

use super::certificate::CertificateChain;
use super::present_agent::{PresentAgent, check_agents};
use crate::id::{Hash, RegionName};
use crate::limits::{ADDRESS_BYTES_MAX, ADDRESSES_PER_NODE_MAX, PROGRAM_VERSION_BYTES_MAX};
use crate::messaging::sealing::MessageKey;
use crate::signature::{Signature, Signer, Verifier};

/// Separates signatures over peer records from signatures over anything else.
const SIGNING_CONTEXT: &[u8] = b"peerage peer record v1\0";

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerRecord {
    /// Of two records under one certificate the higher sequence is the later; in milliseconds since the Unix epoch
    /// where the node's clock allows, so that a node that forgot its last number does not fall behind it.
    pub sequence: u64,
    /// Where the node listens, as textual multiaddresses.
    pub addresses: Vec<String>,
    /// The hash of what it offers to members.
    pub manifest: Hash,
    /// It has left the mesh: the certificate is worth nothing any more.
    #[serde(default)]
    pub leaving: bool,
    /// The version of the program it runs, as that says itself; absent in records of old versions and in goodbyes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The agents that are present there; nothing of them is kept once the node is away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<PresentAgent>,
    /// The key to which messages for its agents are sealed; absent where it reads none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_key: Option<MessageKey>,
    /// Where it is, as its owner says; absent where there is no word of regions. Nothing is allowed because of it: it
    /// only says whom to link to and ask first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<RegionName>,
    /// By the subject of the certificate.
    pub signature: Signature,
}

/// What a node of this version says of its program.
pub const PROGRAM_VERSION: &str = env!("CARGO_PKG_VERSION");

/// What is signed, beside the certificate it is bound to.
#[derive(Serialize)]
struct Signed<'a> {
    certificate: &'a Signature,
    sequence: u64,
    addresses: &'a [String],
    manifest: Hash,
    leaving: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    /// Absent where there is nothing to say, so that a record without it is signed as it always was.
    #[serde(skip_serializing_if = "<[PresentAgent]>::is_empty")]
    agents: &'a [PresentAgent],
    #[serde(skip_serializing_if = "Option::is_none")]
    message_key: Option<MessageKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<&'a RegionName>,
}

impl PeerRecord {
    /// A record signed by `signer` to go with its certificate `chain`; it names this program's version, unless it says
    /// goodbye.
    pub fn sign(
        signer: &dyn Signer,
        chain: &CertificateChain,
        sequence: u64,
        addresses: Vec<String>,
        manifest: Hash,
        leaving: bool,
    ) -> Self {
        Self {
            sequence,
            addresses,
            manifest,
            leaving,
            version: (!leaving).then(|| PROGRAM_VERSION.to_owned()),
            agents: Vec::new(),
            message_key: None,
            region: None,
            signature: Signature([0; 64]),
        }
        .signed(signer, chain)
    }

    /// The same, signed by `signer` to go with its certificate `chain`.
    pub fn signed(mut self, signer: &dyn Signer, chain: &CertificateChain) -> Self {
        self.signature = signer.sign(&self.signing_bytes(chain));
        self
    }

    /// Whether the subject of `chain` signed this record to go with it.
    pub fn verify(&self, chain: &CertificateChain, verifier: &dyn Verifier) -> bool {
        let key = chain.body().subject;
        verifier.verify(
            key.public_key(),
            &self.signing_bytes(chain),
            &self.signature,
        )
    }

    /// Whether its addresses, its version and its agents keep their bounds.
    pub(crate) fn is_bounded(&self) -> bool {
        let long = |address: &String| address.len() > ADDRESS_BYTES_MAX;
        let version = self.version.as_ref();
        self.addresses.len() <= ADDRESSES_PER_NODE_MAX
            && !self.addresses.iter().any(long)
            && version.is_none_or(|version| version.len() <= PROGRAM_VERSION_BYTES_MAX)
            && check_agents(&self.agents).is_ok()
    }

    fn signing_bytes(&self, chain: &CertificateChain) -> Vec<u8> {
        let signed = Signed {
            certificate: &chain.certificate.signature,
            sequence: self.sequence,
            addresses: &self.addresses,
            manifest: self.manifest,
            leaving: self.leaving,
            version: self.version.as_deref(),
            agents: &self.agents,
            message_key: self.message_key,
            region: self.region.as_ref(),
        };
        let mut bytes = SIGNING_CONTEXT.to_vec();
        ciborium::into_writer(&signed, &mut bytes).expect("writing to memory does not fail");
        bytes
    }
}
