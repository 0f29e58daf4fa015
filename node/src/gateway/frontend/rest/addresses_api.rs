//! The messages of the control API about where nodes are; the rest are in [`super::api`], with the rules.
//!
//! | Request | Answer |
//! |---|---|
//! | `GET /v1/addresses` | [`AddressesResponse`] |
//! | `POST /v1/scan` | [`ScanResponse`]; begins one unless one is under way |
//! | `GET /v1/scan` | [`ScanResponse`], of the latest |

use serde::{Deserialize, Serialize};

/// The address book, and what was told and not believed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressesResponse {
    /// Members by name, then nodes that are none, or not yet.
    pub nodes: Vec<NodeAddresses>,
    /// The latest things that were not believed, one entry a node, source and reason.
    #[serde(default)]
    pub ignored: Vec<IgnoredAddress>,
}

/// Where one node is or was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeAddresses {
    /// Its id.
    pub node: String,
    /// Its name, where it is a member.
    pub name: Option<String>,
    /// Best first.
    pub addresses: Vec<AddressStatus>,
}

/// One address of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressStatus {
    /// The multiaddress.
    pub address: String,
    /// Who told it, of all that did the one that knows best: `announcement` (the node itself), `ticket`, `member`,
    /// `dht`, `bootstrap`, `mdns` or `scan`.
    pub source: String,
    /// Links that stood over it.
    pub successes: u32,
    /// Dials of it that brought no link.
    pub failures: u32,
    /// When it was last told or a link last stood over it.
    pub last_seen: u64,
    /// When a link last stood over it.
    #[serde(default)]
    pub succeeded: Option<u64>,
    /// Until when others are dialed in its place; absent while it is not failing.
    #[serde(default)]
    pub rests_until: Option<u64>,
}

/// Something that was told of a node and not believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IgnoredAddress {
    /// Of whom.
    pub node: String,
    /// By whom, as in [`AddressStatus::source`].
    pub source: String,
    /// Why not.
    pub why: String,
    /// The latest address.
    pub address: String,
    /// How many.
    pub count: u64,
}

/// A scan of the private networks of this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanResponse {
    /// Whether it is under way.
    pub running: bool,
    /// Addresses to ask.
    pub hosts: usize,
    /// Addresses that were asked.
    pub asked: usize,
    /// The names of the members that answered, or their ids where they are none yet.
    pub found: Vec<String>,
    /// Why it came to nothing.
    pub failed: Option<String>,
}
