//! The rules of a chain, each broken once.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

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
        only: Vec::new(),
        replaces: None,
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
fn no_certificate_is_valid_for_longer_than_any_may_be() {
    let lasting = |lifetime: Duration| CertificateBody {
        expires: START + lifetime,
        ..body(2, Role::Member)
    };
    let longest = below(&founder(), 1, lasting(CERTIFICATE_LIFETIME_MAX));
    assert_eq!(verify(&longest), Ok(()));
    let too_long = CERTIFICATE_LIFETIME_MAX + Duration::from_millis(1);
    let subject = longest.body().subject;
    assert_eq!(
        verify(&below(&founder(), 1, lasting(too_long))),
        Err(CertificateError::LivesTooLong { subject })
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
