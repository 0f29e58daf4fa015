#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use proptest::prelude::*;

use super::*;
use crate::membership::certificate::CERTIFICATE_VERSION;
use crate::node_state::{Record, RecordKey};
use crate::signature::Ed25519;
use crate::wire::decode_cbor;

const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn key(byte: u8) -> SigningKey {
    SigningKey::from_bytes(&[byte; 32])
}

fn mesh() -> MeshId {
    MeshId::from_public_key(key(99).public_key())
}

fn node(byte: u8) -> NodeId {
    NodeId::from_public_key(key(byte).public_key())
}

fn body_of(byte: u8, role: Role) -> CertificateBody {
    CertificateBody {
        version: CERTIFICATE_VERSION,
        mesh: mesh(),
        serial: 1,
        subject: node(byte),
        name: "desk".parse().unwrap(),
        role,
        not_before: NOW,
        expires: NOW + std::time::Duration::from_secs(60 * 60),
        only: Vec::new(),
        replaces: None,
    }
}

fn body(subject: u8) -> RevocationBody {
    RevocationBody {
        version: REVOCATION_VERSION,
        mesh: mesh(),
        subject: node(subject),
        at: NOW,
        spared: vec![CertificateDigest([7; 16])],
    }
}

fn by_root(subject: u8) -> Revocation {
    Revocation::sign(body(subject), None, &key(99))
}

fn by(role: Role, body: RevocationBody) -> Revocation {
    let chain = body_of(2, role).sign(&key(99), Vec::new());
    Revocation::sign(body, Some(chain), &key(2))
}

#[test]
fn the_root_and_an_admin_may_and_a_member_may_not() {
    assert_eq!(by_root(5).verify(mesh(), &Ed25519), Ok(()));
    assert_eq!(by(Role::Admin, body(5)).verify(mesh(), &Ed25519), Ok(()));
    assert_eq!(
        by(Role::Member, body(5)).verify(mesh(), &Ed25519),
        Err(RevocationError::NotAnAdminThen { revoker: node(2) })
    );
}

#[test]
fn an_admin_signs_nothing_outside_its_own_time() {
    let late = RevocationBody {
        at: NOW + std::time::Duration::from_secs(24 * 60 * 60),
        ..body(5)
    };
    assert_eq!(
        by(Role::Admin, late).verify(mesh(), &Ed25519),
        Err(RevocationError::NotAnAdminThen { revoker: node(2) })
    );
}

#[test]
fn what_was_changed_or_signed_by_another_is_refused() {
    let mut changed = by_root(5);
    changed.body.subject = node(6);
    assert_eq!(
        changed.verify(mesh(), &Ed25519),
        Err(RevocationError::Signature)
    );
    let mut promoted = by(Role::Admin, body(5));
    promoted.revoker = None;
    assert_eq!(
        promoted.verify(mesh(), &Ed25519),
        Err(RevocationError::Signature)
    );
    let other = MeshId::from_public_key([8; 32]);
    assert_eq!(
        by_root(5).verify(other, &Ed25519),
        Err(RevocationError::OtherMesh { found: mesh() })
    );
    let generous = RevocationBody {
        spared: vec![CertificateDigest([7; 16]); SPARED_MAX + 1],
        ..body(5)
    };
    assert_eq!(
        Revocation::sign(generous, None, &key(99)).verify(mesh(), &Ed25519),
        Err(RevocationError::SparesTooMany {
            found: SPARED_MAX + 1
        })
    );
}

#[test]
fn whoever_signs_with_another_certificate_makes_another_revocation() {
    let (root, admin) = (by_root(5), by(Role::Admin, body(5)));
    assert_ne!(root.id(), admin.id());
    assert_eq!(root.id(), by_root(5).id());
    assert_eq!((root.rank(), root.branch()), (Rank::ROOT, None));
    assert_eq!(admin.branch(), Some(node(2)));
    assert!(root.rank() < admin.rank());
}

#[test]
fn the_bytes_of_a_revocation_and_its_record_are_fixed() {
    let revocation = Revocation {
        body: RevocationBody {
            version: 1,
            mesh: MeshId::from_public_key([1; 32]),
            subject: NodeId::from_public_key([2; 32]),
            at: NOW,
            spared: vec![CertificateDigest([3; 16])],
        },
        revoker: None,
        signature: Signature([9; 64]),
    };
    let golden = [
        b"\xa3dbody\xa5gversion\x01dmesh\x58\x20",
        &[1; 32][..],
        b"gsubject\x58\x20",
        &[2; 32],
        b"bat\x1b\0\0\x01\xa3\x18\x5c\x50\0fspared\x81\x50",
        &[3; 16],
        b"grevoker\xf6isignature\x58\x40",
        &[9; 64],
    ]
    .concat();
    assert_eq!(encode_cbor(&revocation), golden);
    assert_eq!(decode_cbor::<Revocation>(&golden).as_ref(), Ok(&revocation));
    let id = revocation.id();
    let record = Record::Revocation(Arc::new(revocation));
    let kept = [b"\xa1jRevocation", &golden[..]].concat();
    assert_eq!(encode_cbor(&record), kept);
    assert_eq!(decode_cbor::<Record>(&kept), Ok(record.clone()));
    let named = [b"\xa1jRevocation\x50", &id.0[..]].concat();
    assert_eq!(encode_cbor(&record.key()), named);
    assert_eq!(decode_cbor::<RecordKey>(&named), Ok(record.key()));
}

proptest! {
    #[test]
    fn a_damaged_revocation_is_refused_or_the_same(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let revocation = by(Role::Admin, body(5));
        let mut bytes = encode_cbor(&revocation);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(read) = decode_cbor::<Revocation>(&bytes) {
            prop_assert!(read == revocation || read.verify(mesh(), &Ed25519).is_err());
        }
    }
}
