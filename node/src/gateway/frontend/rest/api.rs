//! The messages of the control API, shared by its server and the command line.
//!
//! Every path begins with `/v1`. A success is 200 with the response type as JSON; anything else carries a
//! [`super::refusal::Refused`]. Fields may be added, so readers pass over those they do not know. Times are in
//! milliseconds since the Unix epoch unless the name says otherwise.
//!
//! | Request | Answer |
//! |---|---|
//! | `GET /v1/status` | [`StatusResponse`] |
//! | `GET /v1/nodes` | [`NodesResponse`] |
//! | `GET /v1/tools?query=` | [`ToolsResponse`]; `query` percent-encoded, absent for all |
//! | `POST /v1/call` [`CallRequest`] | [`CallResponse`] |
//! | `POST /v1/invite` [`InviteRequest`] | [`InviteResponse`] |
//! | `GET /v1/tickets` | [`TicketsResponse`] |
//! | `DELETE /v1/tickets/ID` | [`TicketWithdrawn`] |
//! | `POST /v1/join` [`JoinRequest`] | [`JoinResponse`] |
//! | `POST /v1/rename` [`RenameRequest`] | [`RenameResponse`] |
//! | `POST /v1/leave` | [`LeaveResponse`] |
//! | about addresses | see [`super::addresses_api`] |
//! | about members | see [`super::members_api`] |
//! | about keys | see [`super::keys_api`] |
//! | about joining without a ticket | see [`super::requests_api`] |
//! | about agents | see [`super::agents_api`] |
//! | `POST /v1/reload` | [`ReloadResponse`], after `mcp.json` has changed |
//! | `POST /v1/tokens` [`TokenRequest`] | [`TokenResponse`] |
//! | `GET /v1/tokens` | [`TokensResponse`] |
//! | `DELETE /v1/tokens/NAME` | [`TokenRevoked`] |

use peerage_protocol::id::AgentName;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::door::DoorStatus;
use super::registry::RegistryStatus;

/// This node, its mesh and its upstreams.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusResponse {
    /// The node's id.
    pub node: String,
    /// Its name.
    pub name: String,
    /// The mesh it belongs to.
    pub mesh: Option<String>,
    /// `admin` or `member`; absent without a mesh.
    pub role: Option<String>,
    /// When its certificate ends.
    pub certificate_expires: Option<u64>,
    /// The version of the program.
    pub version: String,
    /// Seconds since it started.
    pub uptime_seconds: u64,
    /// The URLs of its MCP endpoint.
    pub http: Vec<String>,
    /// The multiaddresses at which its swarm listens.
    pub listen: Vec<String>,
    /// Other members with whom a link stands.
    pub connected: usize,
    /// Tools of this node.
    pub local_tools: usize,
    /// Tools of other nodes.
    pub remote_tools: usize,
    /// Its upstreams, by name.
    pub servers: Vec<ServerStatus>,
    /// What the owner should know.
    pub warnings: Vec<String>,
    /// Another live node with this node's key: a copied home.
    #[serde(default)]
    pub copy: Option<CopyStatus>,
    /// Who came to the door, and who was turned away.
    #[serde(default)]
    pub door: DoorStatus,
    /// How the registry does, where one is configured.
    #[serde(default)]
    pub registry: Option<RegistryStatus>,
}

/// Another live node with this node's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyStatus {
    /// The machine and the process, as it says itself.
    pub place: String,
    /// The name of the member that hears both.
    pub told_by: String,
}

/// One upstream of this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerStatus {
    /// Its name.
    pub name: String,
    /// Whether members may see and call it.
    pub share: bool,
    /// `starting`, `ready`, `idle` or `down`.
    pub state: String,
    /// Why it is down.
    pub why: Option<String>,
    /// How many tools it has.
    pub tools: usize,
}

/// The members of the mesh as this node knows them, itself first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodesResponse {
    /// Itself, then those of its region, then the others by region; in each by name.
    pub nodes: Vec<NodeStatus>,
}

/// One member of the mesh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Its id.
    pub node: String,
    /// Its name.
    pub name: String,
    /// The region that it says it is in; absent where it says none.
    #[serde(default)]
    pub region: Option<String>,
    /// `admin` or `member`.
    pub role: Option<String>,
    /// `self`, `connected`, `here` (not linked, and not known to be away), `away` (it stopped, or its watchers miss it)
    /// or `unreachable`.
    pub state: String,
    /// How it is or was reached.
    pub addresses: Vec<String>,
    /// How many of its tools this node may call.
    pub tools: usize,
    /// The last round trip, in microseconds; while it is connected.
    pub round_trip_micros: Option<u64>,
    /// How far its clock was ahead of this node's, in milliseconds; negative when behind.
    #[serde(default)]
    pub clock_ahead_ms: Option<i64>,
    /// The version of its program; absent where it does not say.
    #[serde(default)]
    pub version: Option<String>,
    /// When this node last had a link to it, or it last said something of itself; absent for this node.
    #[serde(default)]
    pub last_seen: Option<u64>,
    /// What the link runs over: `quic` or `tcp`; absent without one.
    #[serde(default)]
    pub path: Option<String>,
    /// When it was found to be away; absent while it is not.
    #[serde(default)]
    pub away_since: Option<u64>,
}

/// Tools that this node's agents can call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolsResponse {
    /// Best match first when there was a query, else local ones first and then by name.
    pub tools: Vec<ToolStatus>,
}

/// One tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolStatus {
    /// The name to call it by.
    pub name: String,
    /// The name of the node that has it.
    pub node: String,
    /// The upstream that has it; absent for a tool of the node itself.
    pub server: Option<String>,
    /// What it says it does.
    pub description: Option<String>,
}

/// A tool to call.
#[derive(Debug, Serialize, Deserialize)]
pub struct CallRequest {
    /// The tool, by any of its names.
    pub name: String,
    /// A JSON object, passed on byte by byte.
    pub arguments: Box<RawValue>,
    /// How long the caller waits, in milliseconds.
    pub timeout_ms: u64,
    /// The agent of this node as which the owner calls; absent for the owner.
    #[serde(default)]
    pub agent: Option<AgentName>,
}

/// What the tool answered.
#[derive(Debug, Serialize, Deserialize)]
pub struct CallResponse {
    /// The raw `CallToolResult`.
    pub result: Box<RawValue>,
    /// Its `isError`.
    pub is_error: bool,
}

/// A ticket to make. The first one founds the mesh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InviteRequest {
    /// How long it is good.
    pub ttl_seconds: u64,
    /// How many nodes may use it.
    pub uses: u32,
    /// What its users become: `member`, `admin`, `observer` or `guest`.
    pub role: String,
    /// For guests: the servers that they may see and call, each `SERVER` of this node or `NODE/SERVER`.
    #[serde(default)]
    pub only: Vec<String>,
    /// How long each of its users' certificates lives, where that is less than usual.
    #[serde(default)]
    pub certificate_seconds: Option<u64>,
}

/// A ticket. Its text is a secret: no `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InviteResponse {
    /// The one line to hand over.
    pub ticket: String,
    /// When it ends.
    pub expires: u64,
    /// What may keep it from working, such as addresses that only this machine can reach.
    pub warnings: Vec<String>,
}

/// The tickets of this node that may admit somebody yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketsResponse {
    /// The one that ends first, first.
    pub tickets: Vec<TicketStatus>,
}

/// One ticket, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketStatus {
    /// Its name at this node: 32 hexadecimal digits.
    pub id: String,
    /// When it ends.
    pub expires: u64,
    /// How many nodes may use it.
    pub uses: u32,
    /// The names under which nodes did.
    pub used_by: Vec<String>,
    /// What they become: `member` or `admin`.
    pub role: String,
}

/// The ticket that admits nobody any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketWithdrawn {
    /// Its name at this node.
    pub id: String,
}

/// A ticket to redeem. A secret: no `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinRequest {
    /// The text of the ticket.
    pub ticket: String,
}

/// The mesh that was joined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinResponse {
    /// The mesh.
    pub mesh: String,
    /// What this node is called there; the issuer makes names unique.
    pub name: String,
    /// What it became: `member` or `admin`.
    pub role: String,
    /// The name of the node that let it in.
    pub admitted_by: String,
}

/// Another name for this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenameRequest {
    /// Which.
    pub name: String,
}

/// What the node is called now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenameResponse {
    /// In its mesh; absent without one.
    pub in_mesh: Option<String>,
}

/// The mesh that was left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaveResponse {
    /// The mesh.
    pub mesh: String,
}

/// What reading `mcp.json` again changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadResponse {
    /// Servers that are new.
    pub added: Vec<String>,
    /// Servers that run anew with other settings, or are shared or private now.
    pub changed: Vec<String>,
    /// Servers that are gone.
    pub removed: Vec<String>,
    /// The mesh, whose present and future members see what is shared.
    pub mesh: Option<String>,
    /// The names of the other members today.
    pub members: Vec<String>,
}

/// A token to make for a local agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRequest {
    /// What the agent is called.
    pub name: String,
}

/// A token, shown once and kept as a hash. A secret: no `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenResponse {
    /// What an agent puts after `Authorization: Bearer`.
    pub token: String,
}

/// The tokens of this node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokensResponse {
    /// By name.
    pub tokens: Vec<TokenStatus>,
}

/// One token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenStatus {
    /// The agent.
    pub name: String,
    /// When it was made.
    pub created: u64,
}

/// The token that no longer works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRevoked {
    /// The agent.
    pub name: String,
}
