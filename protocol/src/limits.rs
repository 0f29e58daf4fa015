//! Every bound in one place. A value beyond its bound is a named refusal, never a panic or a silent cut.

use std::time::Duration;

/// Difference between two nodes' clocks that is forgiven at both ends of a validity period, and at most a quarter of
/// that period.
pub const CLOCK_LEEWAY: Duration = Duration::from_secs(10 * 60);
/// How long a certificate is valid unless its issuer says otherwise.
pub const CERTIFICATE_LIFETIME: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// The longest a certificate may be valid; no issuer can make one that outlives its own removal by more.
pub const CERTIFICATE_LIFETIME_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The shortest life that an issuer gives a certificate.
pub const CERTIFICATE_LIFETIME_MIN: Duration = Duration::from_secs(5);
/// How long a ticket is valid unless its issuer says otherwise.
pub const TICKET_LIFETIME: Duration = Duration::from_secs(15 * 60);
/// The longest life a ticket may be given.
pub const TICKET_LIFETIME_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The most redemptions one ticket may allow.
pub const TICKET_USES_MAX: u32 = 1_000;
/// Tickets kept by one issuer, live ones only; one more is refused.
pub const TICKETS_MAX: usize = 1_000;
/// Most characters of a ticket's text.
pub const TICKET_TEXT_MAX: usize = 4_096;
/// Certificates between a subject and the root, the subject's own excluded.
pub const ISSUER_CHAIN_MAX: usize = 4;
/// Members one node keeps in its roster.
pub const ROSTER_MAX: usize = 10_000;
/// Revocations that one branch of the mesh, below one admin that the founder let in, may make; and the root itself.
pub const REVOCATIONS_PER_BRANCH_MAX: usize = 256;
/// Revocations kept, the root's own not counted; one more is not taken.
pub const REVOCATIONS_MAX: usize = 2_048;
/// Bytes of revocations in an answer at the gate; whatever does not fit is told over the link.
pub const GATE_REVOCATIONS_BYTES_MAX: usize = 8 * 1024;
/// Accusations in one answer; the rest is told in the next.
pub const ACCUSATIONS_TOLD_MAX: usize = 400;
/// Bytes of one accusation.
pub const ACCUSATION_BYTES_MAX: usize = 192;
/// Members up to which everyone is linked to everyone; in a larger mesh each node keeps a few neighbours.
pub const FULL_LINKS_MAX: usize = 32;
/// How long after its certificate has expired a member is still known by name; it is let in nowhere.
pub const KEPT_AFTER_EXPIRY: Duration = CERTIFICATE_LIFETIME_MAX;
/// Bytes of one gossip message.
pub const GOSSIP_BYTES_MAX: usize = 32 * 1024;
/// Addresses kept or told for one node.
pub const ADDRESSES_PER_NODE_MAX: usize = 16;
/// Bytes of what a node says of the version of its program.
pub const PROGRAM_VERSION_BYTES_MAX: usize = 32;
/// Agents that one node tells the mesh of.
pub const AGENTS_PER_NODE_MAX: usize = 64;
/// Bytes of all that one node tells of its agents, encoded.
pub const AGENTS_BYTES_MAX: usize = 8 * 1024;
/// Capabilities that one agent tells of.
pub const AGENT_CAPABILITIES_MAX: usize = 8;
/// Bytes of one capability.
pub const AGENT_CAPABILITY_BYTES_MAX: usize = 32;
/// Bytes of an agent's status.
pub const AGENT_STATUS_BYTES_MAX: usize = 160;
/// Bytes of one textual multiaddress.
pub const ADDRESS_BYTES_MAX: usize = 256;
/// Bytes of a gate message before the sender is known.
pub const GATE_MESSAGE_BYTES_MAX: usize = 16 * 1024;
/// Time from the start of a gate handshake to its verdict.
pub const GATE_DEADLINE: Duration = Duration::from_secs(10);
/// Tools in one manifest.
pub const MANIFEST_TOOLS_MAX: usize = 10_000;
/// Prompts, resources and resource templates in one manifest.
pub const MANIFEST_ITEMS_MAX: usize = 10_000;
/// Bytes of a prompt's name, a resource's URI or a template, as its server gave it.
pub const ITEM_KEY_BYTES_MAX: usize = 4_096;
/// Bytes of what a caller's session says of its client: capabilities and name together.
pub const CLIENT_BYTES_MAX: usize = 32 * 1024;
/// Bytes of one encoded manifest.
pub const MANIFEST_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Servers in one manifest.
pub const MANIFEST_SERVERS_MAX: usize = 1_000;
/// Bytes of the name of one tool, as its server gave it.
pub const TOOL_NAME_BYTES_MAX: usize = 1_024;
/// Bytes of one message body that the gateway carries: a request, a notification or a result.
pub const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of the message that opens a substream: a call's header, or a whole small exchange.
pub const OPENING_BYTES_MAX: usize = 256 * 1024;
/// Bytes of a frame that says why a call failed.
pub const FAILURE_BYTES_MAX: usize = 32 * 1024;
/// Bytes of a frame of a kind that this version does not know, and therefore skips.
pub const UNKNOWN_FRAME_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a frame that only signals: cancel, busy, end.
pub const SIGNAL_BYTES_MAX: usize = 1024;
/// The most time a call is taken to have left, whatever its caller says.
pub const CALL_TIME_LEFT_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Time from the acceptance of a substream to its opening message.
pub const OPENING_DEADLINE: Duration = Duration::from_secs(5);
/// Substreams one peer may have in progress at a node; one more is told that it is busy.
pub const CALLS_PER_PEER_MAX: usize = 256;
/// Nodes and gateways one call may pass before it is taken for a loop.
pub const HOPS_MAX: usize = 8;
/// Tools listed in full from other nodes before the rest is left to `tools_search`.
pub const LISTED_REMOTE_TOOLS_MAX: usize = 128;
/// Bytes of tool definitions listed from other nodes before the rest is left to `tools_search`.
pub const LISTED_REMOTE_BYTES_MAX: usize = 256 * 1024;
/// Silence on a link, while this node itself was running, after which the other end is declared dead.
pub const LINK_SILENCE_MAX: Duration = Duration::from_millis(3_500);
/// Time between two signs of life that each end of a link gives.
pub const PULSE_INTERVAL: Duration = Duration::from_secs(1);
/// Connections between two nodes at one time.
pub const CONNECTIONS_PER_NODE_MAX: u32 = 4;
/// Inbound connections that have not passed the gate yet.
pub const CONNECTIONS_PENDING_MAX: u32 = 64;
/// Substreams the other end of a connection may hold open at one time.
pub const SUBSTREAMS_PER_CONNECTION_MAX: u32 = 1_024;
/// Substreams of one connection that are asked for and not open yet; as many again may wait in its queue.
pub const SUBSTREAMS_OPENING_MAX: usize = 256;
/// Substreams of one connection that rest between two calls, at either end.
pub const SUBSTREAMS_RESTING_MAX: usize = 64;
/// How long an asking node takes a resting substream up again.
pub const SUBSTREAM_REST_MAX: Duration = Duration::from_secs(10);
/// How long an answering node waits for the next opening; longer than [`SUBSTREAM_REST_MAX`] by more than a packet is
/// on its way, so that no question meets a substream that is just ending.
pub const SUBSTREAM_REST_DEADLINE: Duration = Duration::from_secs(30);
/// The age from which on a substream takes no further call: what is known of its caller is looked up anew.
pub const SUBSTREAM_AGE_MAX: Duration = Duration::from_secs(60);
/// Time a substream may take to open.
pub const SUBSTREAM_OPEN_DEADLINE: Duration = Duration::from_secs(5);
