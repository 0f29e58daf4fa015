//! Membership certificates: short-lived, signed by an admin, chained to the mesh's root key.
//!
//! A chain is checked offline from the mesh id alone. An issuer's certificate must have been valid when it
//! issued, not when it is checked: a member stays a member while its admin's own certificate is being renewed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::revocation::Rank;
use super::role::{Grant, GuestServer};
pub use super::role::{Role, UnknownRole};
use crate::id::{MeshId, NodeId, NodeName};
use crate::limits::{CERTIFICATE_LIFETIME_MAX, CLOCK_LEEWAY, ISSUER_CHAIN_MAX};
use crate::mutation::Mutation;
use crate::signature::{Signature, Signer, Verifier};
use crate::time::Timestamp;

/// Separates signatures over certificates from signatures over anything else.
const SIGNING_CONTEXT: &[u8] = b"peerage certificate v1\0";

/// The version of the encoding of certificates of members and admins.
pub const CERTIFICATE_VERSION: u16 = 1;
/// The version of those of observers and guests, which a node that knows no such roles refuses by name.
pub const CERTIFICATE_VERSION_LIMITED: u16 = 2;
/// The version of those that take another's place.
pub const CERTIFICATE_VERSION_REPLACING: u16 = 3;

/// What a certificate says, before it is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateBody {
    /// Version of this encoding.
    pub version: u16,
    /// The mesh it admits to.
    pub mesh: MeshId,
    /// Distinguishes the certificates of one issuer.
    pub serial: u64,
    /// Whose membership this is.
    pub subject: NodeId,
    /// The subject's name, unique by the issuer.
    pub name: NodeName,
    /// What the subject may do.
    pub role: Role,
    /// Not valid before, give or take [`CertificateBody::leeway`].
    pub not_before: Timestamp,
    /// Not valid from here on, give or take [`CertificateBody::leeway`].
    pub expires: Timestamp,
    /// The servers that a guest may see and call; nobody else's certificate names any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<GuestServer>,
    /// The node whose place the subject takes: its key before a rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<NodeId>,
}

impl CertificateBody {
    /// The version that says all that this one does.
    pub fn needed_version(&self) -> u16 {
        match self.replaces {
            Some(_) => CERTIFICATE_VERSION_REPLACING,
            None => Self::version_for(self.role),
        }
    }

    /// The version that says `role`, and no more than that needs.
    pub fn version_for(role: Role) -> u16 {
        match role {
            Role::Admin | Role::Member => CERTIFICATE_VERSION,
            Role::Observer | Role::Guest => CERTIFICATE_VERSION_LIMITED,
        }
    }

    /// How long it is valid, leeway not counted.
    pub fn lifetime(&self) -> Duration {
        self.expires.since(self.not_before)
    }

    /// What is forgiven at both ends of its validity: [`CLOCK_LEEWAY`], and at most a quarter of its lifetime.
    pub fn leeway(&self) -> Duration {
        CLOCK_LEEWAY.min(self.lifetime() / 4)
    }

    /// What it lets its subject do.
    pub fn grant(&self) -> Grant {
        Grant {
            role: self.role,
            only: self.only.clone(),
        }
    }

    /// The exact bytes that are signed.
    pub fn signing_bytes(&self) -> Vec<u8> {
        let mut bytes = SIGNING_CONTEXT.to_vec();
        ciborium::into_writer(self, &mut bytes).expect("writing to memory does not fail");
        bytes
    }

    /// Signs this body; `issuers` leads from the signer to the root and is empty when the root signs.
    pub fn sign(self, signer: &dyn Signer, issuers: Vec<Certificate>) -> CertificateChain {
        let signature = signer.sign(&self.signing_bytes());
        CertificateChain {
            certificate: Certificate {
                body: self,
                signature,
            },
            issuers,
        }
    }
}

/// One signed certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// What is certified.
    pub body: CertificateBody,
    /// By the issuer, over [`CertificateBody::signing_bytes`].
    pub signature: Signature,
}

/// A certificate with the certificates that lead from it to the root: what a member shows at the gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateChain {
    /// The subject's own certificate.
    pub certificate: Certificate,
    /// The issuer's certificate, its issuer's, and so on; empty when the root signed.
    pub issuers: Vec<Certificate>,
}

impl CertificateChain {
    /// What the subject's own certificate says.
    pub fn body(&self) -> &CertificateBody {
        &self.certificate.body
    }

    /// Signatures, roles and issuers' validity from the subject up to `mesh`; says nothing about the subject's
    /// own expiry, which [`Validity`] answers.
    pub fn verify(&self, mesh: MeshId, verifier: &dyn Verifier) -> Result<(), CertificateError> {
        if self.issuers.len() > ISSUER_CHAIN_MAX {
            return Err(CertificateError::ChainTooLong {
                found: self.issuers.len(),
            });
        }
        let mut certificate = &self.certificate;
        for issuer in &self.issuers {
            check_body(&certificate.body, mesh)?;
            check_issuer(certificate, &issuer.body)?;
            check_signature(certificate, issuer.body.subject.public_key(), verifier)?;
            certificate = issuer;
        }
        check_body(&certificate.body, mesh)?;
        check_signature(certificate, mesh.public_key(), verifier)
    }

    /// How far from the root its holder is.
    pub fn rank(&self) -> Rank {
        Rank::of_holder(self)
    }

    /// How far from the root whoever signed it is.
    pub fn issuer_rank(&self) -> Rank {
        match self.issuers.split_first() {
            None => Rank::ROOT,
            Some((issuer, above)) => Rank::of(&issuer.body, above.len()),
        }
    }

    /// Where `now` falls in the subject's validity period.
    pub fn validity(&self, now: Timestamp) -> Validity {
        let body = self.body();
        if now + body.leeway() < body.not_before {
            Validity::NotYet
        } else if now >= self.end() {
            Validity::Expired
        } else {
            Validity::Valid
        }
    }

    /// From when on it is expired, leeway included.
    pub fn end(&self) -> Timestamp {
        self.body().expires + self.body().leeway()
    }

    /// When half of the validity period has passed: the time to renew.
    pub fn half_life(&self) -> Timestamp {
        let body = self.body();
        body.not_before + body.lifetime() / 2
    }
}

/// Where a moment falls in a validity period, leeway included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Before its start.
    NotYet,
    /// Within it.
    Valid,
    /// After its end.
    Expired,
}

fn check_body(body: &CertificateBody, mesh: MeshId) -> Result<(), CertificateError> {
    if body.version != body.needed_version() {
        return Err(CertificateError::Version {
            found: body.version,
        });
    }
    if !body.grant().is_consistent() {
        return Err(CertificateError::Servers {
            subject: body.subject,
        });
    }
    if body.mesh != mesh {
        return Err(CertificateError::OtherMesh { found: body.mesh });
    }
    if body.lifetime() > CERTIFICATE_LIFETIME_MAX {
        return Err(CertificateError::LivesTooLong {
            subject: body.subject,
        });
    }
    Ok(())
}

fn check_issuer(
    certificate: &Certificate,
    issuer: &CertificateBody,
) -> Result<(), CertificateError> {
    if issuer.role != Role::Admin {
        return Err(CertificateError::IssuerNotAdmin {
            issuer: issuer.subject,
        });
    }
    let issued = certificate.body.not_before;
    let leeway = issuer.leeway();
    if issued + leeway < issuer.not_before || issued >= issuer.expires + leeway {
        return Err(CertificateError::IssuerNotValidThen {
            issuer: issuer.subject,
        });
    }
    Ok(())
}

fn check_signature(
    certificate: &Certificate,
    key: &[u8; 32],
    verifier: &dyn Verifier,
) -> Result<(), CertificateError> {
    let bytes = certificate.body.signing_bytes();
    let verified = verifier.verify(key, &bytes, &certificate.signature);
    if verified || Mutation::AcceptForgedCertificate.is_on() {
        Ok(())
    } else {
        Err(CertificateError::Signature {
            subject: certificate.body.subject,
        })
    }
}

/// Why a chain does not prove membership.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// An encoding from another time.
    #[error(
        "certificate version {found} is not known, or not that of what it says; this node knows {CERTIFICATE_VERSION} to {CERTIFICATE_VERSION_REPLACING}"
    )]
    Version {
        /// The version found.
        found: u16,
    },
    /// A guest without servers, or somebody else with some.
    #[error(
        "the certificate of {subject} names no servers where it must, or some where it must not"
    )]
    Servers {
        /// Whose certificate it is.
        subject: NodeId,
    },
    /// It admits to another mesh.
    #[error("the certificate is for mesh {found}")]
    OtherMesh {
        /// The mesh named.
        found: MeshId,
    },
    /// Valid for longer than [`CERTIFICATE_LIFETIME_MAX`].
    #[error("the certificate of {subject} is valid for longer than any may be")]
    LivesTooLong {
        /// Whose certificate it is.
        subject: NodeId,
    },
    /// More issuers than [`ISSUER_CHAIN_MAX`].
    #[error("the chain has {found} issuers; at most {ISSUER_CHAIN_MAX} are allowed")]
    ChainTooLong {
        /// How many there are.
        found: usize,
    },
    /// Signed by a member that may not issue.
    #[error("{issuer} signed it and is not an admin")]
    IssuerNotAdmin {
        /// The signer.
        issuer: NodeId,
    },
    /// Issued outside the issuer's own validity.
    #[error("{issuer} signed it outside the validity of its own certificate")]
    IssuerNotValidThen {
        /// The signer.
        issuer: NodeId,
    },
    /// A signature that does not verify.
    #[error("the signature on the certificate of {subject} does not verify")]
    Signature {
        /// Whose certificate it is.
        subject: NodeId,
    },
}

#[cfg(test)]
mod tests;
