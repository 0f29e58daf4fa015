//! Revocations: a signed word that a node is put out of the mesh, whatever certificates it holds or will be given.
//!
//! The root or an admin signs it. It names a node, not a certificate, so that a renewal by somebody who has not heard
//! of it changes nothing; a node that was put out by mistake comes back with a new key. What several revocations come
//! to together is said by [`super::revocations`].

use serde::{Deserialize, Serialize};

use super::certificate::{
    Certificate, CertificateBody, CertificateChain, CertificateError, Role, Validity,
};
use crate::id::{MeshId, NodeId};
use crate::signature::{Signature, Signer, Verifier};
use crate::time::Timestamp;
use crate::wire::encode_cbor;

/// Separates signatures over revocations from signatures over anything else.
const SIGNING_CONTEXT: &[u8] = b"peerage revocation v1\0";

/// The version of the revocation's encoding.
pub const REVOCATION_VERSION: u16 = 1;

/// Certificates that one revocation may spare.
pub const SPARED_MAX: usize = 256;

/// Names a certificate: the first 16 bytes of BLAKE3 over its body and signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CertificateDigest(#[serde(with = "serde_bytes")] pub [u8; 16]);

impl CertificateDigest {
    /// The digest of `certificate`.
    pub fn of(certificate: &Certificate) -> Self {
        Self(first_bytes(&encode_cbor(certificate)))
    }
}

/// Names a revocation: the first 16 bytes of BLAKE3 over all of it but the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RevocationId(#[serde(with = "serde_bytes")] pub [u8; 16]);

impl RevocationId {
    /// Its first eight bytes as a number: what sets of revocations are compared by.
    pub fn number(self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

/// How far from the root somebody signs: 0 is the root itself, 1 an admin that the root certified, and so on. Whoever
/// is no admin signs nothing and is farther than all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(u8);

impl Rank {
    /// The root key's own.
    pub const ROOT: Self = Self(0);

    /// The rank of the holder of a certificate with so many issuers between it and the root.
    pub fn of(body: &CertificateBody, issuers: usize) -> Self {
        match body.role {
            Role::Admin => Self(u8::try_from(issuers + 1).unwrap_or(u8::MAX)),
            _ => Self(u8::MAX),
        }
    }

    /// The rank of whoever holds `chain`.
    pub fn of_holder(chain: &CertificateChain) -> Self {
        Self::of(chain.body(), chain.issuers.len())
    }
}

/// What a revocation says, before it is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationBody {
    /// Version of this encoding.
    pub version: u16,
    /// The mesh it puts out of.
    pub mesh: MeshId,
    /// Who is put out.
    pub subject: NodeId,
    /// When, by the signer's clock.
    pub at: Timestamp,
    /// Certificates that the subject issued and that stay good; at most [`SPARED_MAX`]. All others it issued are void:
    /// the time in a certificate is its issuer's word, so a time alone would spare what a thief dates back.
    pub spared: Vec<CertificateDigest>,
}

/// One signed revocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// What it says.
    pub body: RevocationBody,
    /// The certificate of the admin that signed; `None` where the root itself did.
    pub revoker: Option<CertificateChain>,
    /// By the signer, over the body and the revoker's chain.
    pub signature: Signature,
}

#[derive(Serialize)]
struct Signed<'a> {
    body: &'a RevocationBody,
    revoker: &'a Option<CertificateChain>,
}

impl Revocation {
    /// Signs `body` with the key of the holder of `revoker`, or with the root key where there is none.
    pub fn sign(
        body: RevocationBody,
        revoker: Option<CertificateChain>,
        signer: &dyn Signer,
    ) -> Self {
        let signature = signer.sign(&signing_bytes(&body, &revoker));
        Self {
            body,
            revoker,
            signature,
        }
    }

    /// Its name.
    pub fn id(&self) -> RevocationId {
        RevocationId(first_bytes(&signing_bytes(&self.body, &self.revoker)))
    }

    /// How far from the root its signer is.
    pub fn rank(&self) -> Rank {
        self.revoker.as_ref().map_or(Rank::ROOT, Rank::of_holder)
    }

    /// The branch of the mesh that its signer belongs to: the admin nearest to the root on the way to it, the founder
    /// left out where there is another; `None` for the root.
    pub fn branch(&self) -> Option<NodeId> {
        let chain = self.revoker.as_ref()?;
        let below_the_founder = match chain.issuers.as_slice() {
            [] | [_] => &chain.certificate,
            [.., branch, _] => branch,
        };
        Some(below_the_founder.body.subject)
    }

    /// Whether the root or an admin of `mesh` signed it, within the validity of its own certificate. Whether the
    /// signer has been revoked in turn is another question.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn verify(&self, mesh: MeshId, verifier: &dyn Verifier) -> Result<(), RevocationError> {
        let body = &self.body;
        if body.version != REVOCATION_VERSION {
            return Err(RevocationError::Version {
                found: body.version,
            });
        }
        if body.mesh != mesh {
            return Err(RevocationError::OtherMesh { found: body.mesh });
        }
        if body.spared.len() > SPARED_MAX {
            return Err(RevocationError::SparesTooMany {
                found: body.spared.len(),
            });
        }
        let key = match &self.revoker {
            None => *mesh.public_key(),
            Some(chain) => {
                chain.verify(mesh, verifier)?;
                let admin = chain.body().role == Role::Admin;
                if !admin || chain.validity(body.at) != Validity::Valid {
                    return Err(RevocationError::NotAnAdminThen {
                        revoker: chain.body().subject,
                    });
                }
                *chain.body().subject.public_key()
            }
        };
        let bytes = signing_bytes(body, &self.revoker);
        match verifier.verify(&key, &bytes, &self.signature) {
            true => Ok(()),
            false => Err(RevocationError::Signature),
        }
    }

    /// Bytes of its encoding.
    pub fn encoded_bytes(&self) -> usize {
        encode_cbor(self).len()
    }
}

fn signing_bytes(body: &RevocationBody, revoker: &Option<CertificateChain>) -> Vec<u8> {
    let mut bytes = SIGNING_CONTEXT.to_vec();
    bytes.extend(encode_cbor(&Signed { body, revoker }));
    bytes
}

fn first_bytes(bytes: &[u8]) -> [u8; 16] {
    let hash = blake3::hash(bytes);
    std::array::from_fn(|at| hash.as_bytes()[at])
}

/// Why a revocation counts for nothing, whoever looks at it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RevocationError {
    /// An encoding from another time.
    #[error("revocation version {found} is not known; this node knows {REVOCATION_VERSION}")]
    Version {
        /// The version found.
        found: u16,
    },
    /// It is about another mesh.
    #[error("the revocation is of mesh {found}")]
    OtherMesh {
        /// The mesh named.
        found: MeshId,
    },
    /// It spares more than [`SPARED_MAX`].
    #[error("the revocation spares {found} certificates; at most {SPARED_MAX} are allowed")]
    SparesTooMany {
        /// How many.
        found: usize,
    },
    /// The signer's certificate is not good.
    #[error("the certificate of whoever signed it is not good: {0}")]
    Revoker(#[from] CertificateError),
    /// The signer was no admin at the time that it names.
    #[error("{revoker} signed it and was no admin then")]
    NotAnAdminThen {
        /// The signer.
        revoker: NodeId,
    },
    /// The signature does not verify.
    #[error("the signature on the revocation does not verify")]
    Signature,
}

#[cfg(test)]
mod tests;
