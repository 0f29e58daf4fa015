//! What can happen to a node.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::proposing::ProposalDraft;
use crate::address_book::Source;
use crate::catalog::snapshot::LocalServer;
use crate::consensus::proposal::{Choice, ProposalId};
use crate::id::{AgentName, MeshId, NodeId, NodeName, RegionName};
use crate::log::chain_id::Lane;
use crate::log::entry::Entry;
use crate::log::retention::Swept;
use crate::membership::admission::Claim;
use crate::membership::certificate::CertificateChain;
use crate::membership::issuer::Invitation;
use crate::membership::join_request::RequestWords;
use crate::membership::present_agent::PresentAgent;
use crate::membership::revocation::Revocation;
use crate::membership::role::Grant;
use crate::membership::rotation::Rotation;
use crate::membership::ticket::{TicketId, Transcript};
use crate::messaging::sealing::MessageKey;
use crate::signature::Signer;
use crate::tasks::TaskOrder;
use crate::time::Timestamp;
use crate::wire::announcement::Announcement;
use crate::wire::log::{EntriesAsked, LogAsked, LogTold, OpenedEntries};
use crate::wire::manifests::{ManifestsAsked, ManifestsTold};
use crate::wire::summary::Summary;

/// Ties a reply to the input that asked for it; chosen by whoever runs the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Something that happened.
pub enum Input {
    /// The owner founds a mesh. The root key is on disk already.
    Found {
        /// Answered by [`Reply::Founded`](super::Reply::Founded).
        request: RequestId,
        /// The root key.
        root: Arc<dyn Signer>,
        /// What this node is called in it.
        name: NodeName,
    },
    /// The owner wants a ticket.
    Invite {
        /// Answered by [`Reply::Invited`](super::Reply::Invited).
        request: RequestId,
        /// Its terms and its random parts.
        invitation: Invitation,
    },
    /// The owner asks which tickets may admit somebody yet.
    Tickets {
        /// Answered by [`Reply::Tickets`](super::Reply::Tickets).
        request: RequestId,
    },
    /// The owner takes a ticket back.
    WithdrawTicket {
        /// Answered by [`Reply::Withdrawn`](super::Reply::Withdrawn).
        request: RequestId,
        /// Which.
        id: TicketId,
    },
    /// A dialer makes a claim at this node's gate.
    Judge {
        /// Answered by [`Reply::Verdict`](super::Reply::Verdict).
        request: RequestId,
        /// The handshake so far.
        transcript: Transcript,
        /// What it claims.
        claim: Claim,
        /// Where it dialed from: an IP address, or nothing where none is known.
        place: String,
    },
    /// The owner has requests to be let in heard for a while, or from now on not any more.
    OpenRequests {
        /// Answered by [`Reply::Requests`](super::Reply::Requests).
        request: RequestId,
        /// For how long; `None` ends it.
        window: Option<Duration>,
    },
    /// The owner asks who waits to be let in.
    Requests {
        /// Answered by [`Reply::Requests`](super::Reply::Requests).
        request: RequestId,
    },
    /// The owner lets in whoever shows these words.
    Approve {
        /// Answered by [`Reply::Approved`](super::Reply::Approved).
        request: RequestId,
        /// As the owner read them from the other machine.
        words: RequestWords,
        /// What it becomes.
        grant: Grant,
        /// How long each of its certificates lives, as in [`Invitation::certificate_lifetime`].
        certificate_lifetime: Option<Duration>,
    },
    /// A listener let this node in and shows its own certificate.
    Admitted {
        /// Answered by [`Reply::Taken`](super::Reply::Taken).
        request: RequestId,
        /// As the secure channel proved it.
        listener: NodeId,
        /// Its certificate.
        chain: CertificateChain,
        /// The revocations it told.
        revocations: Vec<Arc<Revocation>>,
    },
    /// A listener issued this node a certificate, for a ticket or for an old certificate.
    Certified {
        /// Answered by [`Reply::Taken`](super::Reply::Taken).
        request: RequestId,
        /// The mesh this node asked to be in.
        mesh: MeshId,
        /// As the secure channel proved it.
        listener: NodeId,
        /// Its certificate.
        theirs: CertificateChain,
        /// This node's.
        issued: CertificateChain,
        /// Where the listener was reached.
        addresses: Vec<String>,
    },
    /// The owner of the root key wants another key for this node.
    RotateOwn {
        /// Answered by [`Reply::Taken`](super::Reply::Taken).
        request: RequestId,
        /// The word of both keys; the new one is on disk already.
        rotation: Rotation,
    },
    /// A listener has certified this node's new key.
    Rotated {
        /// Answered by [`Reply::Taken`](super::Reply::Taken).
        request: RequestId,
        /// As the secure channel proved it.
        listener: NodeId,
        /// Its certificate.
        theirs: CertificateChain,
        /// The new key.
        new: NodeId,
        /// The new key's certificate.
        issued: CertificateChain,
    },
    /// Somebody here wants to dial a node himself.
    DialAddresses {
        /// Answered by [`Reply::DialAddresses`](super::Reply::DialAddresses).
        request: RequestId,
        /// Whom.
        node: NodeId,
    },
    /// The owner wants this node to have another name in its mesh.
    Rename {
        /// Answered by [`Reply::Renamed`](super::Reply::Renamed).
        request: RequestId,
        /// Which.
        name: NodeName,
    },
    /// A linked member asks for a certificate with another name.
    RenameAsked {
        /// Answered by [`Reply::Renewal`](super::Reply::Renewal).
        request: RequestId,
        /// Who asks.
        from: NodeId,
        /// Which name.
        name: NodeName,
    },
    /// A linked member asks for a fresh certificate.
    RenewalAsked {
        /// Answered by [`Reply::Renewal`](super::Reply::Renewal).
        request: RequestId,
        /// Who asks.
        from: NodeId,
    },
    /// A linked admin answered [`Output::RequestRenewal`](super::Output::RequestRenewal).
    Renewed {
        /// Who answered.
        from: NodeId,
        /// This node's fresh certificate.
        chain: CertificateChain,
    },
    /// The owner puts somebody out of the mesh.
    Revoke {
        /// Answered by [`Reply::Revoked`](super::Reply::Revoked).
        request: RequestId,
        /// Whom.
        subject: NodeId,
        /// What the subject issued before then, and this node knows of, stays good; without it nothing does.
        spare_issued_before: Option<Timestamp>,
    },
    /// The owner leaves the mesh.
    Leave {
        /// Answered by [`Reply::Left`](super::Reply::Left).
        request: RequestId,
    },
    /// Some source says that a node may be found at these addresses.
    Sighted {
        /// The node, unproved.
        node: NodeId,
        /// Textual multiaddresses.
        addresses: Vec<String>,
        /// Who says so.
        source: Source,
    },
    /// The first connection to a member stands.
    LinkUp {
        /// The member.
        node: NodeId,
        /// Its address, where this node dialed.
        address: Option<String>,
    },
    /// The last connection to a node ended.
    LinkDown {
        /// The node.
        node: NodeId,
    },
    /// A dial came to nothing.
    DialFailed {
        /// The node.
        node: NodeId,
        /// It was reached and said no.
        refused: bool,
    },
    /// Dials of these addresses of a node brought no link, whatever others did.
    AddressesFailed {
        /// The node.
        node: NodeId,
        /// As they were dialed.
        addresses: Vec<String>,
    },
    /// The machine slept, or its network is another one.
    NetworkChanged,
    /// The owner asks for the address book.
    AddressesAsked {
        /// Answered by [`Reply::Addresses`](super::Reply::Addresses).
        request: RequestId,
    },
    /// A dial brought this node a certificate in place of a link: the next one is worth making at once.
    DialAgain {
        /// The node that issued it.
        node: NodeId,
    },
    /// Where this node listens now.
    Listening {
        /// Textual multiaddresses that others can dial.
        addresses: Vec<String>,
    },
    /// The local upstreams and their tools, whole.
    LocalServers {
        /// In order of name.
        servers: Vec<LocalServer>,
    },
    /// The agents that are present at this node, whole; within the bounds that
    /// [`check_agents`](crate::membership::present_agent::check_agents) names.
    LocalAgents {
        /// In order of name.
        agents: Vec<PresentAgent>,
    },
    /// Messages for this node's agents are to be sealed to this key from here on.
    MessageKey {
        /// Which.
        key: MessageKey,
    },
    /// Where this node is, as its owner says.
    Region {
        /// Which; `None` where nothing was said.
        region: Option<RegionName>,
    },
    /// A linked member told this over a link between regions, as its own has it.
    Carried {
        /// Who.
        from: NodeId,
        /// What it told.
        announcement: Announcement,
    },
    /// A linked member said this to this node alone: that it leaves.
    Announced {
        /// Who.
        from: NodeId,
        /// What it said.
        announcement: Announcement,
    },
    /// A gossip message arrived.
    Gossiped {
        /// Answered by [`Reply::Gossiped`](super::Reply::Gossiped).
        request: RequestId,
        /// The linked member that passed it on.
        from: NodeId,
        /// What it says.
        announcement: Announcement,
    },
    /// [`Output::Publish`](super::Output::Publish) reached nobody.
    PublishFailed,
    /// A linked member sent a summary of what it knows.
    ReconcileAsked {
        /// Answered by [`Reply::Reconciled`](super::Reply::Reconciled).
        request: RequestId,
        /// Who asks.
        from: NodeId,
        /// What it knows.
        summary: Summary,
    },
    /// A linked member answered [`Output::Reconcile`](super::Output::Reconcile).
    Reconciled {
        /// Who answered.
        from: NodeId,
        /// What it knows and this node may not.
        announcement: Announcement,
    },
    /// A linked member did not answer [`Output::Reconcile`](super::Output::Reconcile).
    ReconcileFailed {
        /// Who did not.
        from: NodeId,
    },
    /// Somebody here needs a link to a member that is no neighbour.
    LinkWanted {
        /// The member.
        node: NodeId,
    },
    /// A manifest arrived.
    ManifestFetched {
        /// From whom.
        from: NodeId,
        /// Its encoding.
        bytes: Vec<u8>,
    },
    /// A manifest could not be had.
    ManifestUnavailable {
        /// From whom.
        from: NodeId,
    },
    /// A linked member asks for manifests that this node may have: its own, or those of others.
    ManifestsAsked {
        /// Answered by [`Reply::Manifests`](super::Reply::Manifests), maybe not at once.
        request: RequestId,
        /// Who asks.
        from: NodeId,
        /// Which.
        asked: ManifestsAsked,
    },
    /// A linked member answered [`Output::AskManifests`](super::Output::AskManifests), or will not.
    ManifestsTold {
        /// What it was asked for.
        asked: Arc<ManifestsAsked>,
        /// What it had of that; nothing where it did not answer.
        told: ManifestsTold,
    },
    /// This node is about to stop, and comes back some day.
    Stopping {
        /// Answered by [`Reply::Stopping`](super::Reply::Stopping).
        request: RequestId,
    },
    /// Entries of [`Lane::RECALLED`] that earlier runs kept, in order of each chain: handed in after a start, before
    /// [`Input::LogSeed`], in as many parts as one likes.
    Recalled {
        /// They were opened when they were kept.
        entries: Vec<Arc<Entry>>,
    },
    /// Randomness for the log of this run: without it nothing is put in.
    LogSeed {
        /// 32 random bytes, never used before.
        seed: [u8; 32],
    },
    /// Whether there is hardly any room left on disk: then the log takes nothing, from here or from others.
    DiskRoom {
        /// There is not.
        full: bool,
    },
    /// Nothing is taken of these members' direct lanes to this node until they are named no more: what they have unread
    /// here fills their [share](crate::messaging::shares::Shares).
    HoldDirect {
        /// All of them; who was named before and is not now, is held no more.
        authors: BTreeSet<NodeId>,
    },
    /// Items are to be put into this node's part of the log.
    Append {
        /// Answered by [`Reply::Appended`](super::Reply::Appended), once they are on disk.
        request: RequestId,
        /// Into which lane.
        lane: Lane,
        /// Together, in this order.
        items: Vec<Bytes>,
    },
    /// An agent of this node wants something done about a task.
    Task {
        /// Answered by [`Reply::Task`](super::Reply::Task), maybe not at once.
        request: RequestId,
        /// What.
        order: TaskOrder,
    },
    /// Whoever asked for a task has gone before it was answered.
    TaskUnheard {
        /// What it asked with.
        request: RequestId,
    },
    /// These agents of this node have asked for something since that was last told: their leases go on.
    AgentsActive {
        /// Which.
        agents: Vec<AgentName>,
    },
    /// An agent of this node has something decided.
    Propose {
        /// Answered by [`Reply::Proposed`](super::Reply::Proposed), once it is on disk.
        request: RequestId,
        /// What.
        draft: ProposalDraft,
    },
    /// An agent of this node votes.
    Vote {
        /// Answered by [`Reply::Voted`](super::Reply::Voted), once it is on disk.
        request: RequestId,
        /// Who.
        agent: AgentName,
        /// On what.
        proposal: ProposalId,
        /// For what.
        choice: Choice,
    },
    /// A linked member asks how its log differs from this node's.
    LogAsked {
        /// Answered by [`Reply::LogTold`](super::Reply::LogTold).
        request: RequestId,
        /// Who asks.
        from: NodeId,
        /// What.
        asked: LogAsked,
    },
    /// A linked member answered [`Output::AskLog`](super::Output::AskLog), or did not.
    LogTold {
        /// Who.
        from: NodeId,
        /// What it was asked.
        asked: LogAsked,
        /// Its answer.
        told: Option<LogTold>,
    },
    /// A linked member answered [`Output::AskEntries`](super::Output::AskEntries), or did not.
    EntriesTold {
        /// Who.
        from: NodeId,
        /// What it was asked.
        asked: Arc<EntriesAsked>,
        /// Its answer, each entry checked by itself.
        told: Option<OpenedEntries>,
    },
    /// A linked member hands over entries of direct lanes.
    EntriesPushed {
        /// Who.
        from: NodeId,
        /// Each checked by itself.
        entries: Vec<Arc<Entry>>,
    },
    /// [`Output::PushEntries`](super::Output::PushEntries) is over, whether it was taken or not.
    PushAnswered {
        /// Whom the entries were handed.
        to: NodeId,
    },
    /// The answer to [`Output::SweepLog`](super::Output::SweepLog): chains of which something is too old.
    LogSwept(Vec<Swept>),
    /// The answer to [`Output::LookUp`](super::Output::LookUp).
    LookedUp {
        /// What was told.
        theirs: Arc<Entry>,
        /// What is kept at its place.
        ours: Option<Arc<Entry>>,
    },
    /// A deadline has come.
    Wake,
}

impl Input {
    /// Whether it may leave something for the log to write, and so is worth taking together with others like it.
    pub fn is_for_log(&self) -> bool {
        matches!(
            self,
            Self::Append { .. }
                | Self::Task { .. }
                | Self::Propose { .. }
                | Self::Vote { .. }
                | Self::Gossiped { .. }
                | Self::EntriesTold { .. }
                | Self::EntriesPushed { .. }
                | Self::PushAnswered { .. }
        )
    }
}
