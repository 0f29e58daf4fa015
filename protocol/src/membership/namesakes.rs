//! Members to whom admins that did not know of each other certified one name.
//!
//! Names of tools are made of names of nodes, and do not move: each node goes on to call by the name whom it knew by it
//! first, and tells the others apart by a part of their id. Who precedes whom is the same for everybody, and who is
//! preceded gets another name with its next certificate, for which it asks at once.

use super::certificate::CertificateBody;
use crate::id::{Hash, NodeId, NodeName, SHORT_NAME_MAX};

/// Characters of an id that tell namesakes apart: 40 bits, and more only where somebody is called just so.
const ID_CHARACTERS: [usize; 2] = [8, 12];

/// Whether `one` keeps a name before `other`: it was certified earlier, or at the same time and has the lesser id.
pub(super) fn precedes(one: &CertificateBody, other: &CertificateBody) -> bool {
    (one.not_before, one.subject) < (other.not_before, other.subject)
}

/// `name` with a part of the id of `node` behind it: the shortest that is free.
pub(super) fn told_apart(
    name: &NodeName,
    node: NodeId,
    is_free: impl Fn(&NodeName) -> bool,
) -> NodeName {
    let longer = ID_CHARACTERS.into_iter();
    let mut longer = longer.filter_map(|characters| lengthened(name, node, characters));
    let free = longer.find(is_free);
    free.unwrap_or_else(|| name.clone())
}

/// Whether `name` may be one that [`told_apart`] made.
pub(super) fn tells_apart(name: &NodeName) -> bool {
    end_of(name).is_some_and(|end| ID_CHARACTERS.contains(&end.len()))
}

/// Whether `name` may be what [`told_apart`] made for `node`.
pub(super) fn may_be(name: &NodeName, node: NodeId) -> bool {
    end_of(name).is_some_and(|end| id_part(node, end.len()) == end)
}

fn end_of(name: &NodeName) -> Option<&str> {
    name.as_str().rsplit_once('-').map(|(_, end)| end)
}

fn lengthened(name: &NodeName, node: NodeId, characters: usize) -> Option<NodeName> {
    let kept = SHORT_NAME_MAX - characters - 1;
    let kept: String = name.as_str().chars().take(kept).collect();
    format!("{kept}-{}", id_part(node, characters)).parse().ok()
}

/// The beginning of a hash of the id, which members choose less freely than the id itself, in base 32 (RFC 4648).
fn id_part(node: NodeId, characters: usize) -> String {
    const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut bits = u128::from(Hash::of(node.public_key()).leading_u64()) << 64;
    let mut part = String::with_capacity(characters);
    for _ in 0..characters {
        part.push(char::from(DIGITS[(bits >> 123) as usize]));
        bits <<= 5;
    }
    part
}
