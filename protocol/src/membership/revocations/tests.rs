#![allow(clippy::unwrap_used)]

use ed25519_dalek::SigningKey;
use proptest::prelude::*;

use super::*;
use crate::id::MeshId;
use crate::membership::certificate::{CERTIFICATE_VERSION, Role};
use crate::membership::revocation::{REVOCATION_VERSION, RevocationBody};
use crate::signature::Signer;
use crate::time::Timestamp;

const NOW: Timestamp = Timestamp(1_800_000_000_000);
/// The founder; `A` and `B` it made admins, and `C` was made one by `A`.
const FOUNDER: u8 = 1;
const A: u8 = 2;
const B: u8 = 3;
const C: u8 = 4;
const MEMBER: u8 = 5;

fn key(byte: u8) -> SigningKey {
    SigningKey::from_bytes(&[byte; 32])
}

fn node(byte: u8) -> NodeId {
    NodeId::from_public_key(key(byte).public_key())
}

fn mesh() -> MeshId {
    MeshId::from_public_key(key(99).public_key())
}

fn certify(subject: u8, role: Role, issuer: Option<(u8, &CertificateChain)>) -> CertificateChain {
    let body = CertificateBody {
        version: CERTIFICATE_VERSION,
        mesh: mesh(),
        serial: 1,
        subject: node(subject),
        name: "desk".parse().unwrap(),
        role,
        not_before: NOW,
        expires: NOW + std::time::Duration::from_secs(60 * 60),
        only: Vec::new(),
        replaces: None,
    };
    match issuer {
        None => body.sign(&key(99), Vec::new()),
        Some((byte, chain)) => {
            let mut issuers = vec![chain.certificate.clone()];
            issuers.extend(chain.issuers.iter().cloned());
            body.sign(&key(byte), issuers)
        }
    }
}

fn founder() -> CertificateChain {
    certify(FOUNDER, Role::Admin, None)
}

fn admin(byte: u8) -> CertificateChain {
    let founder = founder();
    match byte {
        C => certify(C, Role::Admin, Some((A, &admin(A)))),
        _ => certify(byte, Role::Admin, Some((FOUNDER, &founder))),
    }
}

fn member_of(issuer: u8) -> CertificateChain {
    certify(MEMBER, Role::Member, Some((issuer, &admin(issuer))))
}

fn sign(
    subject: NodeId,
    by: Option<(u8, CertificateChain)>,
    spared: Vec<CertificateDigest>,
) -> Arc<Revocation> {
    let body = RevocationBody {
        version: REVOCATION_VERSION,
        mesh: mesh(),
        subject,
        at: NOW,
        spared,
    };
    Arc::new(match by {
        None => Revocation::sign(body, None, &key(99)),
        Some((byte, chain)) => Revocation::sign(body, Some(chain), &key(byte)),
    })
}

fn revoke(subject: u8, by: u8) -> Arc<Revocation> {
    let signer = match by {
        0 => None,
        FOUNDER => Some((FOUNDER, founder())),
        other => Some((other, admin(other))),
    };
    sign(node(subject), signer, Vec::new())
}

fn set(revocations: &[Arc<Revocation>]) -> Revocations {
    let mut set = Revocations::default();
    for revocation in revocations {
        assert_eq!(set.add(revocation.clone()), Added::New);
    }
    set
}

#[test]
fn whoever_is_revoked_is_none_whatever_certificate_it_shows() {
    let revoked = set(&[revoke(MEMBER, A)]);
    for issuer in [A, B, C] {
        assert_eq!(revoked.check(&member_of(issuer)), Err(Refusal::Revoked));
    }
    assert_eq!(revoked.check_node(node(MEMBER)), Err(Refusal::Revoked));
    assert_eq!(revoked.check(&admin(A)), Ok(()));
    assert_eq!(set(&[]).check(&member_of(A)), Ok(()));
}

#[test]
fn an_admin_puts_out_its_like_and_those_farther_away_and_nobody_nearer() {
    let revoked = set(&[revoke(B, A), revoke(FOUNDER, A), revoke(A, C)]);
    assert_eq!(revoked.check(&admin(B)), Err(Refusal::Revoked));
    assert_eq!(revoked.check(&founder()), Ok(()));
    assert_eq!(revoked.check(&admin(A)), Ok(()));
    let revoked = set(&[revoke(FOUNDER, 0)]);
    assert_eq!(revoked.check(&founder()), Err(Refusal::Revoked));
}

#[test]
fn what_a_revoked_admin_issued_is_void_and_so_is_what_was_issued_below() {
    let revoked = set(&[revoke(A, FOUNDER)]);
    let void = Err(Refusal::IssuerRevoked { issuer: node(A) });
    assert_eq!(revoked.check(&member_of(A)), void);
    assert_eq!(revoked.check(&admin(C)), void);
    assert_eq!(revoked.check(&member_of(C)), void);
    assert_eq!(revoked.check(&member_of(B)), Ok(()));
}

#[test]
fn what_is_spared_stays_good() {
    let spared = vec![CertificateDigest::of(&admin(C).certificate)];
    let revocation = sign(node(A), Some((FOUNDER, founder())), spared);
    let revoked = set(&[revocation]);
    assert_eq!(revoked.check(&member_of(C)), Ok(()));
    assert_eq!(
        revoked.check(&member_of(A)),
        Err(Refusal::IssuerRevoked { issuer: node(A) })
    );
}

#[test]
fn what_a_revoked_admin_revoked_is_undone_from_nearer_to_the_root_only() {
    let feud = [revoke(B, A), revoke(A, B)];
    let both_out = set(&feud);
    assert_eq!(both_out.check(&admin(A)), Err(Refusal::Revoked));
    assert_eq!(both_out.check(&admin(B)), Err(Refusal::Revoked));
    let mut settled = both_out;
    settled.add(revoke(A, FOUNDER));
    assert_eq!(settled.check(&admin(A)), Err(Refusal::Revoked));
    assert_eq!(settled.check(&admin(B)), Ok(()));
}

#[test]
fn revocations_of_one_below_a_revoked_admin_count_no_more() {
    let revoked = set(&[revoke(MEMBER, C), revoke(A, FOUNDER)]);
    assert_eq!(revoked.check(&member_of(B)), Ok(()));
}

#[test]
fn a_branch_that_revokes_without_end_leaves_room_for_the_others() {
    let mut revocations = Revocations::default();
    for number in 0..=REVOCATIONS_PER_BRANCH_MAX {
        let mut subject = [0; 32];
        subject[..8].copy_from_slice(&number.to_be_bytes());
        let subject = NodeId::from_public_key(subject);
        let by_c = sign(subject, Some((C, admin(C))), Vec::new());
        let expected = match number < REVOCATIONS_PER_BRANCH_MAX {
            true => Added::New,
            false => Added::Full,
        };
        assert_eq!(revocations.add(by_c), expected);
    }
    assert_eq!(revocations.add(revoke(MEMBER, A)), Added::Full);
    assert_eq!(revocations.add(revoke(MEMBER, B)), Added::New);
    assert_eq!(revocations.add(revoke(A, 0)), Added::New);
    assert_eq!(revocations.in_force().count(), 2);
}

#[test]
fn sets_are_compared_group_by_group() {
    let (one, other) = (set(&[revoke(MEMBER, A)]), set(&[]));
    assert_eq!(one.unknown_to(&other.digests()).count(), 1);
    assert_eq!(one.unknown_to(&one.digests()).count(), 0);
    assert_eq!(
        (other.digest(), other.digests()),
        (0, [0; REVOCATION_GROUPS])
    );
    assert_ne!(one.digest(), 0);
}

proptest! {
    #[test]
    fn the_order_in_which_revocations_are_heard_changes_nothing(
        pairs in proptest::collection::vec((1_u8..6, 0_u8..5), 0..8),
        turn in any::<prop::sample::Index>(),
    ) {
        let mut heard: Vec<_> = pairs.iter().map(|(subject, by)| revoke(*subject, *by)).collect();
        heard.sort_by_key(|revocation| revocation.id());
        heard.dedup();
        let straight = set(&heard);
        if !heard.is_empty() {
            let places = heard.len();
            heard.rotate_left(turn.index(places));
        }
        heard.reverse();
        let turned = set(&heard);
        prop_assert_eq!(straight, turned);
    }
}
