//! What a node wants done.

use std::sync::Arc;

use super::input::RequestId;
use super::presence::Away;
use super::proposing::{ProposeError, VoteError};
use super::record::Write;
use super::requesting::{RequestsError, WaitingRequests};
use super::revoking::RevokeError;
use crate::address_book::KnownAddress;
use crate::catalog::manifest::{EncodedManifest, ManifestError};
use crate::catalog::snapshot::Catalog;
use crate::consensus::book::Proposals;
use crate::consensus::proposal::ProposalId;
use crate::id::{Hash, NodeId};
use crate::log::entry::Entry;
use crate::log::retention::Sweep;
use crate::log::{AppendError, Appended};
use crate::membership::admission::{Refusal, Verdict};
use crate::membership::certificate::CertificateChain;
use crate::membership::issuer::{InviteError, TicketRecord};
use crate::membership::member::Member;
use crate::membership::revocation::Revocation;
use crate::membership::roster::Roster;
use crate::tasks::{Task, TaskError, TaskId};
use crate::wire::announcement::Announcement;
use crate::wire::log::{EntriesAsked, LogAsked, LogTold};
use crate::wire::manifests::{ManifestsAsked, ManifestsTold};
use crate::wire::summary::Summary;

/// Something to do, in order.
#[derive(Clone, Debug)]
pub enum Output {
    /// Write this in one transaction and sync it, before anything that follows.
    Persist(Vec<Write>),
    /// The members have changed.
    PublishRoster(Option<Arc<Roster>>),
    /// Who does not answer has changed.
    PublishPresence(Arc<Away>),
    /// The tools have changed.
    PublishCatalog(Arc<Catalog>),
    /// What members may fetch has changed.
    PublishManifest(Arc<EncodedManifest>),
    /// The shared servers offer more than a manifest may hold; members keep seeing what was published before.
    ManifestRefused(ManifestError),
    /// Answer a request.
    Reply {
        /// Which.
        request: RequestId,
        /// With what.
        reply: Reply,
    },
    /// Try to reach a node.
    Dial {
        /// Whom.
        node: NodeId,
        /// Where, best first.
        addresses: Vec<String>,
    },
    /// Tell the mesh's table of addresses where this node is.
    Provide(Arc<Member>),
    /// Ask the mesh's table of addresses where a member is that none of its known addresses leads to.
    Seek {
        /// Whom.
        node: NodeId,
    },
    /// End every connection to a node.
    Disconnect {
        /// To whom.
        node: NodeId,
    },
    /// End the connections to a node unless somebody uses them.
    Release {
        /// To whom.
        node: NodeId,
    },
    /// Gossip this to everybody in this node's region.
    Publish(Arc<Announcement>),
    /// Tell this to these linked members of other regions, which gossip it there.
    Carry {
        /// Whom.
        to: Vec<NodeId>,
        /// What.
        announcement: Arc<Announcement>,
    },
    /// Ask a linked member what it knows beyond this.
    Reconcile {
        /// Whom.
        to: NodeId,
        /// What this node knows.
        summary: Arc<Summary>,
    },
    /// Tell these members that this node leaves, then end every connection to them, heard or not.
    Goodbye {
        /// Whom.
        to: Vec<NodeId>,
        /// What.
        announcement: Arc<Announcement>,
    },
    /// Fetch a linked member's manifest.
    FetchManifest {
        /// From whom.
        from: NodeId,
        /// Which.
        hash: Hash,
    },
    /// Ask a linked member for manifests of others.
    AskManifests {
        /// Whom.
        from: NodeId,
        /// Which.
        asked: Arc<ManifestsAsked>,
    },
    /// Proposals, votes or decisions have changed.
    PublishProposals(Arc<Proposals>),
    /// Entries are on disk, each chain's in order: whoever keeps what their lanes are for may act on them.
    Applied(Vec<Arc<Entry>>),
    /// Tasks have changed: they stand so on disk.
    TasksChanged {
        /// As they stand.
        changed: Vec<Arc<Task>>,
        /// Those that are not known any more.
        forgotten: Vec<TaskId>,
    },
    /// Ask a linked member how its log differs.
    AskLog {
        /// Whom.
        to: NodeId,
        /// What.
        asked: LogAsked,
    },
    /// Ask a linked member for entries.
    AskEntries {
        /// Whom.
        from: NodeId,
        /// Which.
        asked: Arc<EntriesAsked>,
    },
    /// Hand entries of a direct lane to a linked member that holds it, and tell with
    /// [`Input::PushAnswered`](super::Input::PushAnswered) when that is over.
    PushEntries {
        /// Whom.
        to: NodeId,
        /// Which.
        entries: Vec<Arc<Entry>>,
    },
    /// Look for entries that are too old.
    SweepLog(Vec<Sweep>),
    /// Look up what is kept at the place of this entry, which contradicts it.
    LookUp {
        /// What was told.
        theirs: Arc<Entry>,
    },
    /// Ask a linked admin for a fresh certificate.
    RequestRenewal {
        /// Whom.
        from: NodeId,
    },
}

/// The answer to a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// The mesh is founded, or this node is in one already.
    Founded(Result<Arc<Roster>, AlreadyInMesh>),
    /// The ticket, to be completed with addresses.
    Invited(Result<TicketRecord, InviteError>),
    /// The tickets that may admit somebody yet.
    Tickets(Vec<TicketRecord>),
    /// Who waits to be let in.
    Requests(Result<WaitingRequests, RequestsError>),
    /// Somebody was let in, on disk here, and comes for the certificate.
    Approved(Result<Arc<CertificateChain>, RequestsError>),
    /// Whether there was such a ticket; it admits nobody from now on.
    Withdrawn(bool),
    /// The answer to a claim.
    Verdict(Verdict),
    /// Whether a certificate was taken.
    Taken(Result<(), Refusal>),
    /// Where a node may be found, best first.
    DialAddresses(Vec<String>),
    /// Whether this node has its other name.
    Renamed(Result<Rename, Refusal>),
    /// A fresh certificate, or why there is none.
    Renewal(Result<Arc<CertificateChain>, Refusal>),
    /// Somebody was put out, on disk here and about to be told, or why not.
    Revoked(Result<Arc<Revocation>, RevokeError>),
    /// The address book, strangers too.
    Addresses(Vec<(NodeId, Vec<KnownAddress>)>),
    /// The linked members are being told that this node stops.
    Stopping,
    /// The mesh that was left; `None` when there was none.
    Left(Option<Arc<Roster>>),
    /// Whether a gossip message is to be passed on.
    Gossiped(Judgement),
    /// Those of the manifests asked for that this node has.
    Manifests(Result<ManifestsTold, Refusal>),
    /// Items are on disk in this node's part of the log, or why not.
    Appended(Result<Appended, AppendError>),
    /// The task as it stands then, or why it does not.
    Task(Result<Arc<Task>, TaskError>),
    /// The proposal is on disk and about to be told, or why not.
    Proposed(Result<ProposalId, ProposeError>),
    /// The vote is on disk and about to be told, or why not.
    Voted(Result<(), VoteError>),
    /// How this node's log differs from the asker's.
    LogTold(Result<LogTold, Refusal>),
    /// What this node knows and the asker may not.
    Reconciled(Result<Arc<Announcement>, Refusal>),
}

/// What is left to do for another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rename {
    /// Nothing: this node has it.
    Done,
    /// Ask a linked admin to certify it, and hand the answer in as [`Input::Renewed`](super::Input::Renewed).
    Ask {
        /// Whom.
        admin: NodeId,
    },
}

/// What becomes of a gossip message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It is news: pass it on.
    Accept,
    /// It is none, or not now.
    Ignore,
    /// It is a forgery, and whoever passed it on should have seen it.
    Reject,
}

/// A node belongs to one mesh at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this home belongs to a mesh already")]
pub struct AlreadyInMesh;
