//! A machine of the world: its disk and clock, and the node that runs on it while it is up.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use peerage_protocol::catalog::manifest::EncodedManifest;
use peerage_protocol::catalog::snapshot::Catalog;
use peerage_protocol::consensus::book::Proposals;
use peerage_protocol::id::{NodeId, NodeName};
use peerage_protocol::membership::roster::Roster;
use peerage_protocol::membership::ticket::Ticket;
use peerage_protocol::node_state::{Away, Input, NodeState, Output, RequestId, Write};
use peerage_protocol::time::{Monotonic, Now, Timestamp};
use rustc_hash::FxHashMap;

use super::disk::Disk;
use super::errands::Errand;
use super::event::{Boot, Event, Id};
use super::rotations::NextKey;
use crate::action::{Attempt, WriteUnderWay};
use crate::plan::{NodePlan, ServerPlan};

/// Wall-clock time at the world's beginning, in milliseconds since the Unix epoch.
pub(crate) const EPOCH_MS: u64 = 1_800_000_000_000;

/// One machine, up or down.
pub(crate) struct Machine {
    pub(crate) plan: NodePlan,
    pub(crate) key: Arc<SigningKey>,
    pub(crate) id: NodeId,
    /// The key that is to follow, on disk beside the records.
    pub(crate) next_key: Option<NextKey>,
    /// Keys it has had before.
    pub(crate) rotations: u32,
    pub(crate) disk: Disk,
    /// What its wall clock is ahead of the true time, in milliseconds.
    pub(crate) skew_ms: i64,
    /// Where it listens.
    pub(crate) address: String,
    /// How often its address has changed.
    pub(crate) moves: u32,
    pub(crate) servers: Vec<ServerPlan>,
    pub(crate) boots: Boot,
    pub(crate) process: Option<Process>,
    /// Until when something may have kept it from answering.
    pub(crate) excused_until_us: u64,
    pub(crate) join: JoinProgress,
    /// Messages and bytes it has sent.
    pub(crate) sent: (u64, u64),
}

/// How far a node's own join has come; it outlives the process, as the person at the keyboard does.
#[derive(Default)]
pub(crate) struct JoinProgress {
    /// Since when it is wanted, while it is.
    pub(crate) wanted_since_us: Option<u64>,
    /// Who invites.
    pub(crate) inviter: usize,
    /// A ticket that was made for it.
    pub(crate) ticket: Option<Arc<Ticket>>,
    /// Whether it is tried again until it succeeds.
    pub(crate) again: bool,
    /// The admin that is asked to be let in, where there is no ticket.
    pub(crate) asks: Option<usize>,
}

/// A running node.
pub(crate) struct Process {
    pub(crate) state: NodeState,
    pub(crate) boot: Boot,
    pub(crate) booted_us: u64,
    pub(crate) inbox: VecDeque<Input>,
    pub(crate) outputs: VecDeque<Output>,
    /// A transaction under way.
    pub(crate) writing: Option<Vec<Write>>,
    /// Whether outputs are being carried out further up the stack.
    pub(crate) working: bool,
    /// What happened to it while it was stalled; `None` while it is not.
    pub(crate) stalled: Option<VecDeque<Event>>,
    /// How often it has been stalled; only the last resumption counts.
    pub(crate) stalls: u32,
    pub(crate) kill: Option<KillOrder>,
    pub(crate) wake: u32,
    pub(crate) wake_at: Option<Monotonic>,
    /// The last millisecond in which a deadline came, and how many did in it.
    pub(crate) woken: (u64, u32),
    pub(crate) last_request: u64,
    pub(crate) requests: FxHashMap<RequestId, Request>,
    pub(crate) roster: Option<Arc<Roster>>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) proposals: Arc<Proposals>,
    pub(crate) manifest: Arc<EncodedManifest>,
    pub(crate) joining: Option<Joining>,
    /// Something else that another is dialed for than a link.
    pub(crate) errand: Option<Errand>,
    /// Until when a certificate is asked for, after its words were shown.
    pub(crate) collects_until_us: u64,
    pub(crate) join_attempts: u32,
    /// Open connections, by the machine at the other end.
    pub(crate) peers: BTreeMap<usize, Vec<Id>>,
    /// Questions it waits for answers to.
    pub(crate) asking: BTreeSet<Id>,
    /// Members whose direct messages it takes no more of.
    pub(crate) held: BTreeSet<NodeId>,
    /// Whether its agents are about to read.
    pub(crate) reads: bool,
    /// Whom it takes for away.
    pub(crate) away: Arc<Away>,
}

/// A redemption under way.
#[derive(Clone)]
pub(crate) struct Joining {
    pub(crate) ticket: Arc<Ticket>,
    pub(crate) name: NodeName,
}

/// To kill a node before one of its outputs.
#[derive(Clone, Copy)]
pub(crate) struct KillOrder {
    pub(crate) outputs_left: u32,
    pub(crate) write: WriteUnderWay,
    pub(crate) down_us: u64,
}

/// What a reply is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// The first node founds the mesh.
    Found,
    /// A ticket for a node that joins.
    InviteFor { joiner: usize },
    /// A ticket that actions refer to, by its number.
    Invite { ticket: u32 },
    /// A verdict on a claim.
    Judge { handshake: Id },
    /// A verdict on a stranger's claim.
    JudgeStranger { attempt: Attempt },
    /// What is typed at an admin's to let somebody in: the node whose words they are, or a stranger's victim.
    Approve { asker: Option<usize> },
    /// Requests to be let in are heard.
    OpenRequests,
    /// The certificate of the next key is kept.
    Rotate,
    /// Whether the listener's certificate is good.
    Admit { handshake: Id },
    /// Whether an issued certificate is good.
    Certify { handshake: Id },
    /// A member asks for a fresh certificate.
    Renew { question: Id },
    /// Manifests that a member asks for.
    Manifests { question: Id },
    /// How the log of a member differs.
    Log { question: Id },
    /// Items that are put into the log.
    Append,
    /// Something is done about a task.
    Task,
    /// A proposal that actions refer to, by its number.
    Propose { number: u32 },
    /// A vote.
    Vote,
    /// What a member does not know.
    Reconcile { question: Id },
    /// Whether a gossip message is passed on.
    Gossip { message: u64, from: usize },
    /// The owner leaves.
    Leave,
    /// The owner puts somebody out.
    Revoke,
}

impl Machine {
    /// Its clocks.
    pub(crate) fn now(&self, now_us: u64) -> Now {
        let booted_us = self
            .process
            .as_ref()
            .map_or(now_us, |process| process.booted_us);
        Now {
            wall: self.wall(now_us),
            monotonic: Monotonic((now_us - booted_us) / 1_000),
        }
    }

    /// Its wall clock.
    pub(crate) fn wall(&self, now_us: u64) -> Timestamp {
        true_time(now_us).shifted(self.skew_ms)
    }

    /// Whether its node runs and is not stalled.
    pub(crate) fn is_awake(&self) -> bool {
        self.process
            .as_ref()
            .is_some_and(|process| process.stalled.is_none())
    }

    /// Whether its node runs, and since the same start as `boot`.
    pub(crate) fn runs(&self, boot: Boot) -> bool {
        self.process
            .as_ref()
            .is_some_and(|process| process.boot == boot)
    }
}

impl Process {
    /// A name for the reply to an input that is about to be given.
    pub(crate) fn request(&mut self, request: Request) -> RequestId {
        self.last_request += 1;
        let id = RequestId(self.last_request);
        self.requests.insert(id, request);
        id
    }
}

/// The wall-clock time of somebody whose clock is right.
pub(crate) fn true_time(now_us: u64) -> Timestamp {
    Timestamp(EPOCH_MS + now_us / 1_000)
}

trait Shifted {
    fn shifted(self, by_ms: i64) -> Self;
}

impl Shifted for Timestamp {
    fn shifted(self, by_ms: i64) -> Self {
        let by = Duration::from_millis(by_ms.unsigned_abs());
        if by_ms < 0 { self - by } else { self + by }
    }
}
