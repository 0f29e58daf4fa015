//! What a node has done for it at the registry, and what comes of it: the words between the node and its courier.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fault::Fault;

/// What is to be done, in this order.
#[derive(Serialize, Deserialize)]
pub(super) struct Errand {
    /// `https://HOST[:PORT]`.
    pub(super) url: String,
    /// What opens the database. This is why an errand cannot be shown.
    pub(super) token: Option<String>,
    /// A record to put in the place of the one before: its id and itself.
    pub(super) publish: Option<(String, Value)>,
    /// The id of a record to remove.
    pub(super) withdraw: Option<String>,
    /// Whether to read all records.
    pub(super) read: bool,
}

/// What came of it; absent is what was not to be done.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Brought {
    pub(super) published: Option<Result<(), Fault>>,
    pub(super) withdrawn: Option<Result<(), Fault>>,
    pub(super) records: Option<Result<Records, Fault>>,
}

/// What lies in the registry.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Records {
    pub(super) listed: Vec<Listed>,
    /// How many more there are that are not as the rules want them.
    pub(super) malformed: usize,
}

/// A record as it was read: well-formed, and not believed yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Listed {
    /// Its id.
    pub(super) id: String,
    /// `endpoint`.
    pub(super) endpoint: String,
    /// `multiaddrs`, in their order.
    pub(super) addresses: Vec<String>,
    /// Whether `status` is `online`.
    pub(super) online: bool,
    /// `last_heartbeat`, in milliseconds since the Unix epoch by the registry's clock.
    pub(super) heartbeat: u64,
}
