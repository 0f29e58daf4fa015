//! The messages of the control API about who belongs to the mesh; the rest are in [`super::api`], with the rules.
//!
//! | Request | Answer |
//! |---|---|
//! | `GET /v1/members` | [`MembersResponse`] |
//! | `POST /v1/revoke` [`RevokeRequest`] | [`RevokeResponse`] |

use serde::{Deserialize, Serialize};

/// Who belongs to the mesh, and who was put out of it, as this node knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembersResponse {
    /// Itself, then the others by name.
    pub members: Vec<MemberStatus>,
    /// Those who were put out.
    pub revoked: Vec<RevokedStatus>,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberStatus {
    /// Its id.
    pub node: String,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: String,
    /// The node that certified it; absent where the root itself did.
    pub issuer: Option<String>,
    /// The issuer's name, where this node knows it.
    pub issuer_name: Option<String>,
    /// When its certificate ends.
    pub expires: u64,
    /// Whether it is this node.
    pub own: bool,
}

/// One node that was put out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokedStatus {
    /// Its id.
    pub node: String,
    /// The node that put it out; absent where the root did.
    pub by: Option<String>,
    /// That node's name then.
    pub by_name: Option<String>,
    /// When, by that node's clock.
    pub at: u64,
    /// How many certificates of its making stay good.
    pub spared: usize,
}

/// A node to put out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokeRequest {
    /// Its name or its id.
    pub node: String,
    /// What it issued longer ago than so many seconds, and this node knows of, stays good; without it, nothing does.
    #[serde(default)]
    pub keep_issued_before_seconds: Option<u64>,
}

/// The node that is out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokeResponse {
    /// Its id.
    pub node: String,
    /// Its name, where it was known.
    pub name: Option<String>,
    /// The names of others who are out with it, because it let them in.
    pub with_it: Vec<String>,
    /// How many certificates of its making stay good.
    pub spared: usize,
}
