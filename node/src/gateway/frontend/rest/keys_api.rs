//! The messages of the control API about keys; the rest are in [`super::api`], with the rules.
//!
//! | Request | Answer |
//! |---|---|
//! | `POST /v1/keys/rotate` | [`RotateResponse`]; the node starts again under its new key |
//! | `POST /v1/found` [`FoundRequest`] | [`FoundResponse`], by the root key in the home |

use serde::{Deserialize, Serialize};

/// The node has another key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotateResponse {
    /// Its id so far: put out of the mesh.
    pub old: String,
    /// Its id from now on.
    pub new: String,
    /// Its mesh; absent without one.
    pub mesh: Option<String>,
}

/// A mesh to found, or to found anew with its restored key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundRequest {
    /// Where a member of it is: a multiaddress that ends in `/p2p/ID`.
    #[serde(default)]
    pub member: Option<String>,
}

/// The mesh whose root key is here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundResponse {
    /// The mesh.
    pub mesh: String,
    /// What this node is called there.
    pub name: String,
}
