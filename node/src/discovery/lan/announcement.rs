//! What a node says of itself on a local network: signed by it, sealed for its mesh, under a tag that is never the same.
//!
//! `version (1) ‖ nonce (24) ‖ tag (16) ‖ sealed`, where `sealed` is XChaCha20-Poly1305 over `node (32) ‖ signature (64) ‖
//! addresses, one a line ‖ zeros`. Key and tag are derived from the mesh's id, and bound to a quarter of an hour.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use libp2p::Multiaddr;
use peerage_protocol::id::{MeshId, NodeId};
use peerage_protocol::limits::ADDRESSES_PER_NODE_MAX;
use peerage_protocol::signature::{Ed25519, Signature, Signer, Verifier};
use peerage_protocol::time::Timestamp;

/// The only version there is.
const VERSION: u8 = 1;

const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
const HEAD_BYTES: usize = 1 + NONCE_BYTES + TAG_BYTES;
const NODE_BYTES: usize = 32;
const SIGNATURE_BYTES: usize = 64;

/// What the addresses are filled up to, so that their number does not show.
const ADDRESSES_BYTES: usize = 640;

/// Bytes of an announcement: they fit one packet of any Ethernet.
pub(in crate::discovery) const ANNOUNCEMENT_BYTES: usize =
    HEAD_BYTES + NODE_BYTES + SIGNATURE_BYTES + ADDRESSES_BYTES + 16;

/// How long one tag's time lasts; announcements of the time before and after are recognised too.
const WINDOW_MILLIS: u64 = 15 * 60 * 1_000;

const SEAL_CONTEXT: &str = "peerage lan announcement seal v1";
const TAG_CONTEXT: &str = "peerage lan announcement tag v1";
const SIGNING_CONTEXT: &[u8] = b"peerage lan announcement v1\0";

/// A member that says where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::discovery) struct Announced {
    /// Who.
    pub(in crate::discovery) node: NodeId,
    /// Where.
    pub(in crate::discovery) addresses: Vec<Multiaddr>,
}

/// The announcement of the node that signs, with the first of `addresses` that fit; `None` without randomness.
pub(in crate::discovery) fn announce(
    mesh: MeshId,
    signer: &dyn Signer,
    addresses: &[Multiaddr],
    now: Timestamp,
) -> Option<Vec<u8>> {
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce).ok()?;
    let window = window(now);
    let addresses = lines(addresses);
    let node = NodeId::from_public_key(signer.public_key());
    let signature = signer.sign(&signed(mesh, node, window, &nonce, &addresses));
    let plain = [node.public_key(), &signature.0[..], &addresses].concat();
    let bound = window.to_be_bytes();
    let payload = Payload {
        msg: &plain,
        aad: &bound,
    };
    let sealed = seal(mesh)
        .encrypt(XNonce::from_slice(&nonce), payload)
        .ok()?;
    let tag = tag(mesh, window, &nonce);
    Some([&[VERSION][..], &nonce, &tag, &sealed].concat())
}

/// Who says where it is, if it is a member of `mesh` that says so now.
pub(in crate::discovery) fn recognise(
    mesh: MeshId,
    bytes: &[u8],
    now: Timestamp,
) -> Option<Announced> {
    if bytes.len() != ANNOUNCEMENT_BYTES || bytes.first() != Some(&VERSION) {
        return None;
    }
    let (head, sealed) = bytes.split_at(HEAD_BYTES);
    let nonce: [u8; NONCE_BYTES] = head[1..=NONCE_BYTES].try_into().ok()?;
    let told = blake3_tag(&head[1 + NONCE_BYTES..])?;
    let here = window(now);
    let windows = [here, here.saturating_sub(1), here + 1];
    let window = windows
        .into_iter()
        .find(|window| blake3_tag(&tag(mesh, *window, &nonce)) == Some(told))?;
    let bound = window.to_be_bytes();
    let payload = Payload {
        msg: sealed,
        aad: &bound,
    };
    let plain = seal(mesh)
        .decrypt(XNonce::from_slice(&nonce), payload)
        .ok()?;
    let (node, rest) = plain.split_at_checked(NODE_BYTES)?;
    let (signature, addresses) = rest.split_at_checked(SIGNATURE_BYTES)?;
    let node = NodeId::from_public_key(node.try_into().ok()?);
    let signature = Signature(signature.try_into().ok()?);
    let message = signed(mesh, node, window, &nonce, addresses);
    if !Ed25519.verify(node.public_key(), &message, &signature) {
        return None;
    }
    let text = std::str::from_utf8(addresses).ok()?.trim_end_matches('\0');
    let addresses = text.lines().filter_map(|line| line.parse().ok());
    Some(Announced {
        node,
        addresses: addresses.take(ADDRESSES_PER_NODE_MAX).collect(),
    })
}

/// Tags are compared as hashes are: in the same time whatever they are.
fn blake3_tag(bytes: &[u8]) -> Option<blake3::Hash> {
    let mut padded = [0; blake3::OUT_LEN];
    padded.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(blake3::Hash::from_bytes(padded))
}

fn window(now: Timestamp) -> u64 {
    now.0 / WINDOW_MILLIS
}

fn tag(mesh: MeshId, window: u64, nonce: &[u8]) -> [u8; TAG_BYTES] {
    let key = blake3::derive_key(TAG_CONTEXT, mesh.public_key());
    let hash = blake3::Hasher::new_keyed(&key)
        .update(&window.to_be_bytes())
        .update(nonce)
        .finalize();
    let mut tag = [0; TAG_BYTES];
    tag.copy_from_slice(&hash.as_bytes()[..TAG_BYTES]);
    tag
}

fn seal(mesh: MeshId) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&blake3::derive_key(SEAL_CONTEXT, mesh.public_key()).into())
}

fn signed(mesh: MeshId, node: NodeId, window: u64, nonce: &[u8], addresses: &[u8]) -> Vec<u8> {
    [
        SIGNING_CONTEXT,
        mesh.public_key(),
        node.public_key(),
        &window.to_be_bytes(),
        nonce,
        addresses,
    ]
    .concat()
}

/// The first addresses that fit, one a line, filled up.
fn lines(addresses: &[Multiaddr]) -> Vec<u8> {
    let mut text = Vec::with_capacity(ADDRESSES_BYTES);
    for address in addresses.iter().take(ADDRESSES_PER_NODE_MAX) {
        let line = format!("{address}\n");
        if text.len() + line.len() <= ADDRESSES_BYTES {
            text.extend_from_slice(line.as_bytes());
        }
    }
    text.resize(ADDRESSES_BYTES, 0);
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use ed25519_dalek::SigningKey;
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn mesh(byte: u8) -> MeshId {
        MeshId::from_public_key([byte; 32])
    }

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[1; 32])
    }

    fn addresses(count: u16) -> Vec<Multiaddr> {
        let address = |port| {
            format!("/ip4/192.168.100.{port}/udp/4001/quic-v1")
                .parse()
                .unwrap()
        };
        (1..=count).map(address).collect()
    }

    fn said(count: u16) -> Vec<u8> {
        announce(mesh(1), &key(), &addresses(count), NOW).unwrap()
    }

    #[test]
    fn a_member_recognises_who_is_where() {
        let announced = recognise(mesh(1), &said(2), NOW).unwrap();
        let node = NodeId::from_public_key(key().verifying_key().to_bytes());
        let addresses = addresses(2);
        assert_eq!(announced, Announced { node, addresses });
    }

    #[test]
    fn another_mesh_recognises_nothing_and_no_two_announcements_share_bytes_that_name_anybody() {
        assert_eq!(recognise(mesh(2), &said(1), NOW), None);
        let (one, other) = (said(1), said(1));
        assert_ne!(one[1..HEAD_BYTES], other[1..HEAD_BYTES]);
        let longest_run = one
            .iter()
            .zip(&other)
            .skip(1)
            .fold((0, 0), |(run, longest), (a, b)| {
                let run = if a == b { run + 1 } else { 0 };
                (run, run.max(longest))
            });
        assert!(longest_run.1 < 6, "{longest_run:?}");
    }

    #[test]
    fn the_length_tells_nothing_and_addresses_that_do_not_fit_are_left_out() {
        assert_eq!(said(0).len(), ANNOUNCEMENT_BYTES);
        let many = said(200);
        assert_eq!(many.len(), ANNOUNCEMENT_BYTES);
        let announced = recognise(mesh(1), &many, NOW).unwrap();
        assert_eq!(announced.addresses, addresses(16));
        let long = |n| {
            format!("/dns4/{}{n}/tcp/1", "a".repeat(100))
                .parse()
                .unwrap()
        };
        let long: Vec<Multiaddr> = (0..10).map(long).collect();
        let said = announce(mesh(1), &key(), &long, NOW).unwrap();
        assert_eq!(said.len(), ANNOUNCEMENT_BYTES);
        let announced = recognise(mesh(1), &said, NOW).unwrap();
        assert_eq!(announced.addresses, long[..5]);
    }

    #[test]
    fn an_announcement_is_recognised_for_a_while_by_clocks_that_differ_and_then_no_more() {
        let said = said(1);
        let quarter = std::time::Duration::from_millis(WINDOW_MILLIS);
        for at in [NOW - quarter, NOW, NOW + quarter] {
            assert!(recognise(mesh(1), &said, at).is_some());
        }
        for at in [NOW - quarter * 2, NOW + quarter * 2] {
            assert_eq!(recognise(mesh(1), &said, at), None);
        }
    }

    #[test]
    fn a_member_cannot_say_where_another_is() {
        let said = said(1);
        let nonce = &said[1..=NONCE_BYTES];
        let bound = window(NOW).to_be_bytes();
        let open = Payload {
            msg: &said[HEAD_BYTES..],
            aad: &bound,
        };
        let mut plain = seal(mesh(1))
            .decrypt(XNonce::from_slice(nonce), open)
            .unwrap();
        plain[..NODE_BYTES].copy_from_slice(&[2; NODE_BYTES]);
        let close = Payload {
            msg: &plain[..],
            aad: &bound,
        };
        let sealed = seal(mesh(1))
            .encrypt(XNonce::from_slice(nonce), close)
            .unwrap();
        let forged = [&said[..HEAD_BYTES], &sealed].concat();
        assert_eq!(recognise(mesh(1), &forged, NOW), None);
    }

    proptest! {
        #[test]
        fn one_changed_byte_is_not_recognised(at in any::<prop::sample::Index>(), by in 1..=255_u8) {
            let mut said = said(1);
            let at = at.index(said.len());
            said[at] ^= by;
            prop_assert_eq!(recognise(mesh(1), &said, NOW), None);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..1_000)) {
            prop_assert_eq!(recognise(mesh(1), &bytes, NOW), None);
        }
    }
}
