//! The gate's messages: round trips, bounds, pinned bytes, and nothing that panics.
#![allow(clippy::unwrap_used)]

use ed25519_dalek::SigningKey;
use proptest::prelude::*;

use super::*;
use crate::limits::GATE_MESSAGE_BYTES_MAX;
use crate::membership::certificate::{CERTIFICATE_VERSION, CertificateBody, Role};
use crate::membership::ticket::{TicketId, TicketProof};
use crate::time::Timestamp;

fn body(frame: &[u8]) -> &[u8] {
    let (prefix, body) = frame.split_at(LENGTH_PREFIX_BYTES);
    assert_eq!(body_length(prefix.try_into().unwrap()), Ok(body.len()));
    body
}

fn chain() -> CertificateChain {
    let root = SigningKey::from_bytes(&[1; 32]);
    let body = CertificateBody {
        version: CERTIFICATE_VERSION,
        mesh: MeshId::from_public_key(root.verifying_key().to_bytes()),
        serial: 7,
        subject: NodeId::from_public_key([2; 32]),
        name: "laptop".parse().unwrap(),
        role: Role::Member,
        not_before: Timestamp(1_000),
        expires: Timestamp(2_000),
        only: Vec::new(),
        replaces: None,
    };
    body.sign(&root, Vec::new())
}

fn messages() -> (DialerHello, ListenerHello, Vec<Claim>, Vec<Answer>) {
    let tag = MeshTag::new(
        MeshId::from_public_key([3; 32]),
        NodeId::from_public_key([4; 32]),
        NodeId::from_public_key([5; 32]),
        &[6; 32],
    );
    let claims = vec![
        Claim::Member {
            chain: chain(),
            revocations: 0,
        },
        Claim::Renew { chain: chain() },
        Claim::Redeem {
            ticket: TicketId([8; 16]),
            proof: TicketProof([9; 32]),
            name: "desk".parse().unwrap(),
        },
    ];
    let own = Arc::new(chain());
    let answers = vec![
        Answer::Accept {
            chain: own.clone(),
            revocations: Vec::new(),
        },
        Answer::Issue {
            own: own.clone(),
            issued: own,
        },
        Answer::Refused { reason: None },
        Answer::Refused {
            reason: Some(Refusal::TicketUsed),
        },
    ];
    let listener = ListenerHello {
        version: 1,
        nonce: [7; 32],
    };
    (DialerHello::new([6; 32], tag), listener, claims, answers)
}

fn round_trip<M: GateMessage + PartialEq + std::fmt::Debug>(message: &M) {
    let frame = encode(message).unwrap();
    assert_eq!(decode::<M>(body(&frame)).as_ref(), Ok(message));
}

#[test]
fn every_message_is_read_back_as_it_was_said() {
    let (dialer, listener, claims, answers) = messages();
    round_trip(&dialer);
    round_trip(&listener);
    claims.iter().for_each(round_trip);
    answers.iter().for_each(round_trip);
}

/// Length and start of the hash of each message's bytes; a change here is a change of the wire format and needs a new version.
#[test]
fn the_bytes_of_every_message_are_pinned() {
    let (dialer, listener, claims, answers) = messages();
    let mut seen = vec![fingerprint(&dialer), fingerprint(&listener)];
    seen.extend(claims.iter().map(fingerprint));
    seen.extend(answers.iter().map(fingerprint));
    assert_eq!(
        seen,
        [
            "129 5c81f0f16efc6531",
            "54 ade5a6cbcc373a01",
            "271 ae6f26cc0c510694",
            "270 6d7682e6dabaf612",
            "87 e18e1a37f2cde0aa",
            "271 c080e62fcf89daf4",
            "527 9b0b54c66c33b727",
            "260 102fbe62276660c7",
            "260 4de4ddea45d08409",
        ]
    );
}

fn fingerprint<M: GateMessage>(message: &M) -> String {
    let frame = encode(message).unwrap();
    let hash = blake3::hash(&frame);
    let hex = data_encoding::HEXLOWER.encode(&hash.as_bytes()[..8]);
    format!("{} {hex}", frame.len())
}

#[test]
fn the_listeners_hello_is_pinned_byte_by_byte() {
    let (_, listener, _, _) = messages();
    let expected = format!(
        "00000032a26776657273696f6e01656e6f6e63655820{}",
        "07".repeat(32)
    );
    let frame = encode(&listener).unwrap();
    assert_eq!(data_encoding::HEXLOWER.encode(&frame), expected);
}

#[test]
fn a_refusal_has_one_size_whether_or_not_a_reason_is_told() {
    let untold = encode(&Answer::Refused { reason: None }).unwrap();
    let told = encode(&Answer::Refused {
        reason: Some(Refusal::TicketExpired),
    })
    .unwrap();
    assert_eq!(untold.len(), LENGTH_PREFIX_BYTES + REFUSED_BODY_BYTES);
    assert_eq!(told.len(), untold.len());
}

#[test]
fn a_length_beyond_the_cap_is_refused_before_its_body() {
    let too_long = u32::try_from(GATE_MESSAGE_BYTES_MAX + 1).unwrap();
    assert_eq!(
        body_length(too_long.to_be_bytes()),
        Err(GateCodecError::TooLong {
            found: GATE_MESSAGE_BYTES_MAX + 1
        })
    );
}

#[test]
fn a_message_too_long_to_send_is_refused_by_its_sender() {
    let reason = Some(Refusal::Unavailable {
        why: "x".repeat(GATE_MESSAGE_BYTES_MAX),
    });
    assert!(matches!(
        encode(&Answer::Refused { reason }),
        Err(GateCodecError::TooLong { .. })
    ));
}

#[test]
fn a_hello_of_another_program_is_not_peerage() {
    let (mut dialer, ..) = messages();
    dialer.magic = *b"notpeers";
    let frame = encode(&dialer).unwrap();
    assert_eq!(
        decode::<DialerHello>(body(&frame)),
        Err(GateCodecError::NotPeerage)
    );
}

#[test]
fn bytes_after_a_message_other_than_padding_are_refused() {
    let (_, listener, ..) = messages();
    let mut bytes = body(&encode(&listener).unwrap()).to_vec();
    bytes.extend([0, 0]);
    assert_eq!(decode::<ListenerHello>(&bytes), Ok(listener));
    bytes.push(1);
    assert_eq!(
        decode::<ListenerHello>(&bytes),
        Err(GateCodecError::Malformed {
            message: "listener's hello"
        })
    );
}

#[test]
fn versions_meet_at_the_newest_in_common_or_not_at_all() {
    let (mut dialer, ..) = messages();
    dialer.max_version = VERSION_MAX + 5;
    assert_eq!(dialer.common_version(), Some(VERSION_MAX));
    dialer.min_version = VERSION_MAX + 1;
    assert_eq!(dialer.common_version(), None);
}

#[test]
fn a_mesh_tag_depends_on_the_mesh_both_nodes_and_the_nonce() {
    let (mesh, other_mesh) = (
        MeshId::from_public_key([1; 32]),
        MeshId::from_public_key([2; 32]),
    );
    let (a, b) = (
        NodeId::from_public_key([3; 32]),
        NodeId::from_public_key([4; 32]),
    );
    let tag = MeshTag::new(mesh, a, b, &[5; 32]);
    assert!(tag.matches(&MeshTag::new(mesh, a, b, &[5; 32])));
    assert!(!tag.matches(&MeshTag::new(other_mesh, a, b, &[5; 32])));
    assert!(!tag.matches(&MeshTag::new(mesh, b, a, &[5; 32])));
    assert!(!tag.matches(&MeshTag::new(mesh, a, b, &[6; 32])));
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = decode::<DialerHello>(&bytes);
        let _ = decode::<ListenerHello>(&bytes);
        let _ = decode::<Claim>(&bytes);
        let _ = decode::<Answer>(&bytes);
    }

    #[test]
    fn a_message_with_one_byte_changed_never_panics(
        which in 0..3_usize, position in 0..4096_usize, byte: u8
    ) {
        let (_, _, claims, _) = messages();
        let mut bytes = body(&encode(&claims[which]).unwrap()).to_vec();
        let position = position % bytes.len();
        bytes[position] = byte;
        let _ = decode::<Claim>(&bytes);
    }

    #[test]
    fn any_hello_round_trips(nonce: [u8; 32], version: u16, mesh: [u8; 32], a: [u8; 32], b: [u8; 32]) {
        let tag = MeshTag::new(
            MeshId::from_public_key(mesh),
            NodeId::from_public_key(a),
            NodeId::from_public_key(b),
            &nonce,
        );
        round_trip(&DialerHello::new(nonce, tag));
        round_trip(&ListenerHello { version, nonce });
    }
}
