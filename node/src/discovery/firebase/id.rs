//! The ids of records: fixed, as tokens are made for them, and meaningless to who does not know the mesh.

use data_encoding::HEXLOWER;
use peerage_protocol::id::{MeshId, NodeId};

const ID_CONTEXT: &str = "peerage firebase record id v1";

/// The id of a node's record, and the uid that its token must have: only who knows the mesh and the node can tell whose
/// it is.
pub fn record_id(mesh: MeshId, node: NodeId) -> String {
    let key = blake3::derive_key(ID_CONTEXT, mesh.public_key());
    let hash = blake3::keyed_hash(&key, node.public_key());
    // The registry takes keys of digits alone for places in a list.
    format!("n{}", HEXLOWER.encode(&hash.as_bytes()[..16]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_nodes_own_in_one_mesh_and_is_no_number() {
        let id = |mesh, node| {
            record_id(
                MeshId::from_public_key([mesh; 32]),
                NodeId::from_public_key([node; 32]),
            )
        };
        assert_eq!(id(1, 1), id(1, 1));
        assert_ne!(id(1, 1), id(1, 2));
        assert_ne!(id(1, 1), id(2, 1));
        assert!(id(1, 1).starts_with('n'));
    }
}
