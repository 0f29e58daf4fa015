//! The messages of the control API about joining without a ticket; the rest are in [`super::api`], with the rules.
//!
//! | Request | Answer |
//! |---|---|
//! | `GET /v1/requests` | [`RequestsResponse`] |
//! | `POST /v1/requests` [`OpenRequests`] | [`RequestsResponse`] |
//! | `POST /v1/approve` [`ApproveRequest`] | [`ApproveResponse`] |
//! | `POST /v1/ask` [`AskRequest`] | [`AskResponse`] |
//! | `POST /v1/collect` [`CollectRequest`] | [`CollectResponse`] |

use serde::{Deserialize, Serialize};

use super::api::JoinResponse;

/// Who waits to be let in by this node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestsResponse {
    /// Until when requests are heard; absent while none is.
    pub open_until: Option<u64>,
    /// Where to ask, for machines that do not find this one by themselves.
    pub ask_at: Vec<String>,
    /// In order of asking.
    pub requests: Vec<RequestStatus>,
}

/// One node that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestStatus {
    /// Its id.
    pub node: String,
    /// The name it would like.
    pub name: String,
    /// What it shows too, if nobody stands between.
    pub words: String,
    /// Where it dialed from; empty where that is unknown.
    pub place: String,
    /// When it asked.
    pub asked: u64,
}

/// For how long requests are heard from now on. The first window founds the mesh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenRequests {
    /// Absent: not any more, and those who wait are forgotten.
    pub seconds: Option<u64>,
}

/// Somebody to let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApproveRequest {
    /// As the other machine shows them.
    pub words: String,
    /// What it becomes: `member`, `admin`, `observer` or `guest`.
    pub role: String,
    /// For guests: as in [`super::api::InviteRequest`].
    #[serde(default)]
    pub only: Vec<String>,
    /// How long each of its certificates lives, where that is less than usual.
    #[serde(default)]
    pub certificate_seconds: Option<u64>,
}

/// Who is let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApproveResponse {
    /// Its id.
    pub node: String,
    /// Its name; unique by the issuer.
    pub name: String,
    /// What it becomes.
    pub role: String,
}

/// Whom to ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskRequest {
    /// A multiaddress that ends in `/p2p/ID`; without it, whoever is seen on the local network.
    pub address: Option<String>,
}

/// Somebody hears the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskResponse {
    /// Its id.
    pub node: String,
    /// Where it was reached.
    pub addresses: Vec<String>,
    /// What it shows too, if nobody stands between.
    pub words: String,
}

/// A request whose words a person has compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectRequest {
    /// As in [`AskResponse`].
    pub node: String,
    /// As in [`AskResponse`].
    pub addresses: Vec<String>,
}

/// What became of it so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectResponse {
    /// Absent while nobody has decided.
    pub joined: Option<JoinResponse>,
}
