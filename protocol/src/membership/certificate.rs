//! Membership certificates: short-lived, signed by an admin, chained to the mesh's root key.
//!
//! A chain is checked offline from the mesh id alone. An issuer's certificate must have been valid when it
//! issued, not when it is checked: a member stays a member while its admin's own certificate is being renewed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::{MeshId, NodeId, NodeName};
use crate::limits::{CLOCK_LEEWAY, ISSUER_CHAIN_MAX};
use crate::signature::{Signature, Signer, Verifier};
use crate::time::Timestamp;

/// Separates signatures over certificates from signatures over anything else.
const SIGNING_CONTEXT: &[u8] = b"peerage certificate v1\0";

/// The version of the certificate's encoding.
pub const CERTIFICATE_VERSION: u16 = 1;

/// What a member may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Issues certificates, and all that a member may.
    Admin,
    /// Calls and offers tools.
    Member,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Role::Admin => "admin",
            Role::Member => "member",
        })
    }
}

impl std::str::FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        match text {
            "admin" => Ok(Role::Admin),
            "member" => Ok(Role::Member),
            other => Err(UnknownRole {
                found: other.to_owned(),
            }),
        }
    }
}

/// A role nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no role {found:?}; roles are admin and member")]
pub struct UnknownRole {
    /// What was given.
    pub found: String,
}

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
    /// Not valid before, give or take [`CLOCK_LEEWAY`].
    pub not_before: Timestamp,
    /// Not valid from here on, give or take [`CLOCK_LEEWAY`].
    pub expires: Timestamp,
}

impl CertificateBody {
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

    /// Where `now` falls in the subject's validity period.
    pub fn validity(&self, now: Timestamp) -> Validity {
        let body = self.body();
        if now + CLOCK_LEEWAY < body.not_before {
            Validity::NotYet
        } else if now >= body.expires + CLOCK_LEEWAY {
            Validity::Expired
        } else {
            Validity::Valid
        }
    }

    /// When half of the validity period has passed: the time to renew.
    pub fn half_life(&self) -> Timestamp {
        let body = self.body();
        body.not_before + body.expires.since(body.not_before) / 2
    }

    /// How long the certificate is valid in all.
    pub fn lifetime(&self) -> Duration {
        self.body().expires.since(self.body().not_before)
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
    if body.version != CERTIFICATE_VERSION {
        return Err(CertificateError::Version {
            found: body.version,
        });
    }
    if body.mesh != mesh {
        return Err(CertificateError::OtherMesh { found: body.mesh });
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
    if issued + CLOCK_LEEWAY < issuer.not_before || issued >= issuer.expires + CLOCK_LEEWAY {
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
    if verifier.verify(key, &bytes, &certificate.signature) {
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
    #[error("certificate version {found} is not known; this node knows {CERTIFICATE_VERSION}")]
    Version {
        /// The version found.
        found: u16,
    },
    /// It admits to another mesh.
    #[error("the certificate is for mesh {found}")]
    OtherMesh {
        /// The mesh named.
        found: MeshId,
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
mod tests {
    #![allow(clippy::unwrap_used)]

    use ed25519_dalek::SigningKey;
    use proptest::prelude::*;

    use super::*;
    use crate::signature::Ed25519;
    use crate::wire::{decode_cbor, encode_cbor};

    const HOUR: Duration = Duration::from_secs(60 * 60);
    const START: Timestamp = Timestamp(1_800_000_000_000);

    fn key(byte: u8) -> SigningKey {
        SigningKey::from_bytes(&[byte; 32])
    }

    fn root() -> SigningKey {
        key(100)
    }

    fn mesh() -> MeshId {
        MeshId::from_public_key(root().public_key())
    }

    fn body(subject: u8, role: Role) -> CertificateBody {
        CertificateBody {
            version: CERTIFICATE_VERSION,
            mesh: mesh(),
            serial: 7,
            subject: NodeId::from_public_key(key(subject).public_key()),
            name: format!("node-{subject}").parse().unwrap(),
            role,
            not_before: START,
            expires: START + HOUR,
        }
    }

    /// `body`, signed by the holder of `issuer`.
    fn below(issuer: &CertificateChain, signer: u8, body: CertificateBody) -> CertificateChain {
        let mut issuers = vec![issuer.certificate.clone()];
        issuers.extend(issuer.issuers.iter().cloned());
        body.sign(&key(signer), issuers)
    }

    fn founder() -> CertificateChain {
        body(1, Role::Admin).sign(&root(), Vec::new())
    }

    fn member() -> CertificateChain {
        below(&founder(), 1, body(2, Role::Member))
    }

    fn verify(chain: &CertificateChain) -> Result<(), CertificateError> {
        chain.verify(mesh(), &Ed25519)
    }

    #[test]
    fn a_chain_leads_from_a_member_over_admins_to_the_root() {
        assert_eq!(verify(&founder()), Ok(()));
        assert_eq!(verify(&member()), Ok(()));
        let second = below(&founder(), 1, body(3, Role::Admin));
        assert_eq!(verify(&below(&second, 3, body(4, Role::Member))), Ok(()));
    }

    #[test]
    fn a_member_issues_nothing() {
        let issuer = NodeId::from_public_key(key(2).public_key());
        let chain = below(&member(), 2, body(3, Role::Member));
        assert_eq!(
            verify(&chain),
            Err(CertificateError::IssuerNotAdmin { issuer })
        );
    }

    #[test]
    fn an_issuer_must_have_been_valid_when_it_issued_and_need_not_be_now() {
        let issuer = founder().body().subject;
        let refused = Err(CertificateError::IssuerNotValidThen { issuer });
        let issued = |at: Timestamp| {
            let body = CertificateBody {
                not_before: at,
                expires: at + 10 * HOUR,
                ..body(2, Role::Member)
            };
            verify(&below(&founder(), 1, body))
        };
        let (first, last) = (START - CLOCK_LEEWAY, START + HOUR + CLOCK_LEEWAY);
        let tick = Duration::from_millis(1);
        assert_eq!(issued(first), Ok(()));
        assert_eq!(issued(last - tick), Ok(()), "and it outlives its issuer");
        assert_eq!(issued(first - tick), refused);
        assert_eq!(issued(last), refused);
    }

    #[test]
    fn a_chain_has_a_longest_length() {
        let mut chain = founder();
        for issuer in 1..=4 {
            chain = below(&chain, issuer, body(issuer + 1, Role::Admin));
        }
        assert_eq!(chain.issuers.len(), ISSUER_CHAIN_MAX);
        assert_eq!(verify(&chain), Ok(()));
        let longer = below(&chain, 5, body(6, Role::Member));
        let found = ISSUER_CHAIN_MAX + 1;
        assert_eq!(
            verify(&longer),
            Err(CertificateError::ChainTooLong { found })
        );
    }

    #[test]
    fn another_mesh_is_named_at_every_place_of_the_chain() {
        let other = MeshId::from_public_key([9; 32]);
        let found = mesh();
        assert_eq!(
            member().verify(other, &Ed25519),
            Err(CertificateError::OtherMesh { found })
        );
        let mut issuer_elsewhere = member();
        issuer_elsewhere.issuers[0].body.mesh = other;
        let found = other;
        assert_eq!(
            verify(&issuer_elsewhere),
            Err(CertificateError::OtherMesh { found })
        );
    }

    #[test]
    fn another_version_is_refused() {
        let later = CertificateBody {
            version: 2,
            ..body(1, Role::Admin)
        };
        let chain = later.sign(&root(), Vec::new());
        assert_eq!(verify(&chain), Err(CertificateError::Version { found: 2 }));
    }

    #[test]
    fn an_issuer_left_out_or_put_in_is_noticed() {
        let subject = member().body().subject;
        let mut without = member();
        without.issuers.clear();
        assert_eq!(
            verify(&without),
            Err(CertificateError::Signature { subject })
        );
        let mut twice = member();
        twice.issuers.push(founder().certificate);
        assert!(verify(&twice).is_err());
    }

    #[test]
    fn validity_forgives_the_leeway_at_both_ends() {
        let chain = founder();
        let tick = Duration::from_millis(1);
        let (first, last) = (START - CLOCK_LEEWAY, START + HOUR + CLOCK_LEEWAY);
        assert_eq!(chain.validity(first - tick), Validity::NotYet);
        assert_eq!(chain.validity(first), Validity::Valid);
        assert_eq!(chain.validity(last - tick), Validity::Valid);
        assert_eq!(chain.validity(last), Validity::Expired);
        assert_eq!(chain.half_life(), START + HOUR / 2);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_chain_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _ = decode_cbor::<CertificateChain>(&bytes);
        }

        #[test]
        fn a_chain_with_any_byte_changed_is_unreadable_refused_or_says_the_same(
            at in any::<prop::sample::Index>(),
            flip in 1..=u8::MAX,
        ) {
            let original = member();
            let mut bytes = encode_cbor(&original);
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            if let Ok(changed) = decode_cbor::<CertificateChain>(&bytes) {
                prop_assert_eq!(verify(&changed).is_ok(), changed == original);
            }
        }

        #[test]
        fn any_byte_changed_in_what_is_signed_breaks_the_signature(
            at in any::<prop::sample::Index>(),
            flip in 1..=u8::MAX,
        ) {
            let chain = founder();
            let mut bytes = chain.body().signing_bytes();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            let signature = &chain.certificate.signature;
            prop_assert!(!Ed25519.verify(&root().public_key(), &bytes, signature));
        }

        #[test]
        fn any_member_changed_after_signing_is_refused(
            serial in any::<u64>(),
            times in any::<[u64; 2]>(),
            subject in any::<[u8; 32]>(),
            name in "[a-z0-9-]{1,20}",
            which in 0..6,
        ) {
            let mut chain = member();
            let body = &mut chain.certificate.body;
            match which {
                0 => body.serial = serial,
                1 => body.not_before = Timestamp(times[0]),
                2 => body.expires = Timestamp(times[1]),
                3 => body.subject = NodeId::from_public_key(subject),
                4 => body.name = name.parse().unwrap(),
                _ => body.role = Role::Admin,
            }
            prop_assert_eq!(verify(&chain).is_ok(), chain == member());
        }
    }
}
