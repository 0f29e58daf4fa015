//! What a dialer claims at the gate, and what the listener may answer.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::certificate::{CertificateChain, CertificateError, Validity};
use super::join_request::Opening;
use super::revocation::Revocation;
use super::rotation::Rotation;
use super::ticket::{TicketId, TicketProof};
use crate::id::{MeshId, NodeId, NodeName};
use crate::mutation::Mutation;
use crate::signature::Verifier;
use crate::time::Timestamp;

/// What a dialer claims once both nonces are exchanged; bound to the secure channel by the node ids it proved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Claim {
    /// A valid certificate.
    Member {
        /// The dialer's certificate with its issuers.
        chain: CertificateChain,
        /// The dialer's [`Revocations::digest`](super::revocations::Revocations::digest).
        #[serde(default, skip_serializing_if = "is_zero")]
        revocations: u64,
    },
    /// A certificate, expired or not, that asks for a fresh one.
    Renew {
        /// The dialer's certificate with its issuers.
        chain: CertificateChain,
    },
    /// Possession of a ticket.
    Redeem {
        /// Which ticket.
        ticket: TicketId,
        /// Shows the secret for this handshake only.
        proof: TicketProof,
        /// The name the dialer would like.
        name: NodeName,
    },
    /// A certificate whose subject's key is to be replaced; the dialer is the old one or the new one.
    Rotate {
        /// The old key's certificate with its issuers.
        chain: CertificateChain,
        /// The word of both keys.
        rotation: Box<Rotation>,
    },
    /// Nothing yet: the dialer asks to be let in by a person who compares words.
    Ask {
        /// Opens the commitment that the dialer's hello carried in place of a nonce.
        opening: Opening,
        /// The name the dialer would like.
        name: NodeName,
    },
    /// Nothing: the dialer has asked, and comes for what was decided.
    Collect,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands members over by reference"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What the listener answers to a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Come in; here is my own certificate.
    Admit {
        /// The listener's certificate with its issuers.
        own: Arc<CertificateChain>,
        /// What the listener knows of revocations, where the dialer's digest differs and as far as it fits.
        revocations: Vec<Arc<Revocation>>,
    },
    /// Here is your certificate; the handshake ends here, dial again with it.
    Issue {
        /// The listener's certificate with its issuers.
        own: Arc<CertificateChain>,
        /// The dialer's fresh certificate, on disk at the issuer before this is said.
        issued: Arc<CertificateChain>,
    },
    /// No.
    Refuse {
        /// For the log of this node.
        reason: Refusal,
        /// Whether the dialer may be told `reason`: only the holder of a valid ticket proof is, who was put out, and
        /// whose request waits.
        tell: bool,
    },
}

impl Verdict {
    /// A refusal that a stranger learns nothing from.
    pub fn silent(reason: Refusal) -> Self {
        Verdict::Refuse {
            reason,
            tell: false,
        }
    }

    /// A refusal that is told only to whoever was put out: its key is proved, and it was a member.
    pub fn refused(reason: Refusal) -> Self {
        let tell = matches!(reason, Refusal::Revoked | Refusal::IssuerRevoked { .. });
        Verdict::Refuse { reason, tell }
    }

    /// A refusal that the holder of a ticket may read.
    pub fn spoken(reason: Refusal) -> Self {
        Verdict::Refuse { reason, tell: true }
    }
}

/// Why somebody is not let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// This node belongs to no mesh.
    #[error("this node belongs to no mesh")]
    NoMesh,
    /// The dialer belongs to another mesh.
    #[error("it belongs to another mesh")]
    OtherMesh,
    /// No protocol version in common.
    #[error("no protocol version in common")]
    Version,
    /// The certificate does not verify, or is another node's.
    #[error("the certificate is not good: {why}")]
    Certificate {
        /// What is wrong with it.
        why: String,
    },
    /// The certificate is past its expiry.
    #[error("the certificate has expired")]
    Expired,
    /// It said that it leaves the mesh, and shows a certificate from before.
    #[error("it has left the mesh; it can join anew with a ticket")]
    Left,
    /// It was put out of the mesh.
    #[error("it was put out of the mesh; it can join anew with a new key and a ticket")]
    Revoked,
    /// Whoever let it in was put out of the mesh, and what that one issued is void.
    #[error(
        "{issuer}, which certified it, was put out of the mesh; leave, and join anew with a ticket of another admin"
    )]
    IssuerRevoked {
        /// Who was put out.
        issuer: NodeId,
    },
    /// No such ticket, or a wrong proof.
    #[error("the ticket is not one of ours")]
    UnknownTicket,
    /// The ticket is past its end.
    #[error("the ticket has expired; ask for a new one")]
    TicketExpired,
    /// Every use of the ticket is taken.
    #[error("the ticket has been used; ask for a new one")]
    TicketUsed,
    /// The request to be let in is heard, and nobody has decided yet.
    #[error("the request waits for an admin")]
    Pending,
    /// This node does not issue certificates.
    #[error("this node is not an admin and issues no certificates")]
    NotAnIssuer,
    /// Another member, known longer, goes by the name.
    #[error("the name {name} is {holder}'s; leave, and join anew under another name")]
    NameTaken {
        /// The name.
        name: NodeName,
        /// Who has it.
        holder: NodeId,
    },
    /// Something here is full.
    #[error("the listener is full: {what}")]
    Full {
        /// What is full.
        what: String,
    },
    /// The listener said no and did not say why.
    #[error("the other node refused, and does not tell strangers why")]
    Unspoken,
    /// The listener could not answer now.
    #[error("the listener could not answer: {why}")]
    Unavailable {
        /// What went wrong.
        why: String,
    },
}

impl From<CertificateError> for Refusal {
    fn from(error: CertificateError) -> Self {
        match error {
            CertificateError::OtherMesh { .. } => Refusal::OtherMesh,
            other => Refusal::Certificate {
                why: other.to_string(),
            },
        }
    }
}

/// Whether `chain` proves that `subject`, as the secure channel names it, is a member of `mesh` at `now`.
pub fn check_member(
    chain: &CertificateChain,
    mesh: MeshId,
    subject: NodeId,
    now: Timestamp,
    verifier: &dyn Verifier,
) -> Result<(), Refusal> {
    check_belongs(chain, mesh, subject, verifier)?;
    match chain.validity(now) {
        Validity::Valid => Ok(()),
        Validity::Expired if Mutation::AcceptExpiredCertificate.is_on() => Ok(()),
        Validity::Expired => Err(Refusal::Expired),
        Validity::NotYet => Err(Refusal::Certificate {
            why: "it is not valid yet; compare the two clocks".to_owned(),
        }),
    }
}

/// Whether `chain` belongs to `subject` and leads to `mesh`, whatever the time.
pub fn check_belongs(
    chain: &CertificateChain,
    mesh: MeshId,
    subject: NodeId,
    verifier: &dyn Verifier,
) -> Result<(), Refusal> {
    if chain.body().subject != subject {
        return Err(Refusal::Certificate {
            why: format!("it belongs to {}", chain.body().subject),
        });
    }
    Ok(chain.verify(mesh, verifier)?)
}
