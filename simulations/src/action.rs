//! What can be done to a world: faults, churn, changes of what is shared, strangers and members that misbehave.

use serde::{Deserialize, Serialize};

use crate::plan::{NodeNumber, ServerPlan, TicketNumber};

/// An action and its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimedAction {
    /// When, in microseconds since the world's beginning.
    pub at_us: u64,
    /// What.
    pub action: Action,
}

/// Something done to the world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Kills a node between two of its outputs, and starts it again later.
    Crash {
        /// Whom.
        node: NodeNumber,
        /// Before which of the outputs that follow; 0 is at once. A node that is silent is killed after five seconds.
        before_output: u32,
        /// What becomes of a write that is under way.
        write: WriteUnderWay,
        /// How long it stays down, in microseconds.
        down_us: u64,
    },
    /// Stops a node and starts it with what its disk held some time ago.
    RestoreBackup {
        /// Whom.
        node: NodeNumber,
        /// How old the backup is, in microseconds.
        age_us: u64,
        /// How long it stays down, in microseconds.
        down_us: u64,
    },
    /// Stalls a node: it hears and does nothing, and goes on later where it was.
    Pause {
        /// Whom.
        node: NodeNumber,
        /// For how long, in microseconds.
        for_us: u64,
    },
    /// Sets a node's wall clock forwards or backwards.
    JumpClock {
        /// Whose.
        node: NodeNumber,
        /// By how much, in milliseconds.
        by_ms: i64,
    },
    /// The owner of a node leaves the mesh.
    Leave {
        /// Which.
        node: NodeNumber,
    },
    /// The owner of a node puts another out of the mesh, where that is its right.
    Revoke {
        /// Whom.
        node: NodeNumber,
        /// At which node.
        by: NodeNumber,
    },
    /// A node that is in no mesh is invited and redeems the ticket.
    Join {
        /// Which.
        node: NodeNumber,
        /// Who invites it.
        inviter: NodeNumber,
    },
    /// A node that is in no mesh asks to be let in: a person compares the words, and types them at the admin's.
    AskIn {
        /// Which.
        node: NodeNumber,
        /// At which admin.
        admin: NodeNumber,
    },
    /// The owner of a node has its key replaced.
    Rotate {
        /// Whose.
        node: NodeNumber,
    },
    /// A node gets another address.
    Move {
        /// Which.
        node: NodeNumber,
    },
    /// Cuts the network in two for a while.
    Partition {
        /// The nodes on one side; all others are on the other.
        side: Vec<NodeNumber>,
        /// What is cut.
        direction: Direction,
        /// For how long, in microseconds.
        for_us: u64,
    },
    /// Cuts the way between two nodes of different regions between which a link stands.
    CutWay {
        /// Which of the links that stand then, counted around.
        draw: u32,
        /// For how long, in microseconds.
        for_us: u64,
    },
    /// Makes the network of some nodes worse for a while.
    Degrade {
        /// Whose; everyone's where it is empty.
        nodes: Vec<NodeNumber>,
        /// Chance of loss on top of the network's own.
        loss: f64,
        /// Chance of duplication on top.
        duplicate: f64,
        /// Chance of reordering on top.
        reorder: f64,
        /// Latency is multiplied by this.
        latency_factor: f64,
        /// For how long, in microseconds.
        for_us: u64,
    },
    /// Replaces a node's servers: shares, unshares, changes tools.
    SetServers {
        /// Whose.
        node: NodeNumber,
        /// All of them.
        servers: Vec<ServerPlan>,
    },
    /// An admin makes a ticket.
    Invite {
        /// Who.
        node: NodeNumber,
        /// What later actions call it.
        ticket: TicketNumber,
        /// How many nodes it admits.
        uses: u32,
        /// How long it is valid, in microseconds.
        lifetime_us: u64,
    },
    /// A node redeems a ticket, fresh, expired or used up.
    Redeem {
        /// Who.
        node: NodeNumber,
        /// What.
        ticket: TicketNumber,
    },
    /// Somebody who is no member tries to get in.
    Stranger {
        /// How.
        attempt: Attempt,
        /// Where.
        target: NodeNumber,
    },
    /// A member puts items into its log.
    Append {
        /// Who.
        node: NodeNumber,
        /// Into which public lane; into a direct one where `to` is given.
        lane: u8,
        /// For whom.
        to: Option<NodeNumber>,
        /// How many, one after the other.
        items: u32,
        /// Bytes of each.
        bytes: u32,
    },
    /// An agent of a node does something about the task of a race.
    Task {
        /// At which node.
        node: NodeNumber,
        /// In which race.
        race: RaceNumber,
        /// What.
        deed: TaskDeed,
    },
    /// Somebody signs another entry with a member's key, in place of the last that the member wrote.
    Contradict {
        /// Whose.
        node: NodeNumber,
    },
    /// An agent of a member has all nodes that the member knows decide something.
    Propose {
        /// Where.
        node: NodeNumber,
        /// What later actions call it.
        proposal: u32,
        /// What an outcome needs.
        needed: Needed,
        /// For how long votes are asked for, in microseconds.
        lifetime_us: u64,
    },
    /// An agent of a member votes, where the member knows the proposal.
    Vote {
        /// Where.
        node: NodeNumber,
        /// On what.
        proposal: u32,
        /// For which outcome; 0 rejects.
        choice: u8,
    },
    /// Somebody signs two different votes with a member's key, and one for a voter that is not in the electorate.
    VoteTwice {
        /// Whose.
        node: NodeNumber,
        /// On what.
        proposal: u32,
    },
    /// A member stops playing by the rules for a while.
    Misbehave {
        /// Who.
        node: NodeNumber,
        /// How.
        how: Misbehaviour,
        /// For how long, in microseconds.
        for_us: u64,
    },
}

/// A task that agents race for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RaceNumber(pub u32);

/// What an agent does about a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskDeed {
    /// Creates it.
    Create {
        /// How long a lease lasts, in milliseconds.
        lease_ms: u64,
    },
    /// Claims it.
    Claim,
    /// Shows a sign of work.
    Work,
    /// Gives it back.
    Release,
    /// Completes it.
    Complete,
}

/// What becomes of a write that is under way when its node is killed. A write is one transaction: it is on disk whole
/// or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteUnderWay {
    /// It never reached the disk.
    Lost,
    /// A part reached the disk, which the disk finds out and discards.
    Torn,
    /// It reached the disk, and nobody was told.
    Kept,
}

/// What an outcome needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Needed {
    /// More than half of the electorate.
    Majority,
    /// Two thirds of it.
    TwoThirds,
}

/// Which way a partition cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Nothing passes.
    Both,
    /// Nothing gets to the named side.
    Inbound,
    /// Nothing gets out of the named side.
    Outbound,
}

/// How a stranger tries to get in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attempt {
    /// A certificate of another mesh.
    OtherMesh,
    /// A certificate of this mesh that it signed for itself.
    SelfSigned,
    /// A member's certificate, shown by a node with another key.
    AnothersCertificate,
    /// A certificate issued by a member that is no admin.
    IssuedByMember,
    /// An admin's certificate with a changed subject: the signature does not fit.
    Forged,
    /// A certificate of this mesh that ended long ago.
    Expired,
    /// A ticket id with a made-up proof.
    GuessedTicket,
    /// A claim that was recorded in another handshake.
    ReplayedClaim,
    /// It asks to be let in where nobody has opened a window.
    AskedUninvited,
    /// It comes for a certificate that nobody has approved.
    CollectedUnapproved,
    /// It asks to be let in while a window is open, and the words that the admin's owner types are those of the machine
    /// that it stands before.
    StoodBetween,
    /// It wants the place of a member, with the word of its own key alone.
    ForgedRotation,
    /// It has the key that a member had before a rotation, where that is known.
    ReplacedKey,
    /// Many nodes of nobody's mesh are sighted where this one is.
    Crowd,
}

/// How a member misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Misbehaviour {
    /// Tells everyone the same thing again and again.
    FloodAnnouncements,
    /// Asks everyone for everything again and again.
    FloodQuestions,
    /// Answers manifests with bytes that do not have the hash.
    OtherBytes,
    /// Offers tools over every bound.
    OversizedManifest,
    /// Tells old messages of its own and of others anew.
    Replay,
    /// Tells each neighbour something else of itself.
    Equivocate,
    /// Tells of members that nobody admitted.
    InventMembers,
    /// Tells in the name of others what they did not say.
    ForgeRecords,
}

impl TimedAction {
    /// When the action, and what it began, is over, in microseconds since the world's beginning.
    pub fn over_at_us(&self) -> u64 {
        self.at_us.saturating_add(self.action.lasts_us())
    }
}

impl Action {
    /// How long what it began goes on, in microseconds.
    pub fn lasts_us(&self) -> u64 {
        /// A crash waits as long for its output.
        const CRASH_WAIT_US: u64 = 5_000_000;
        match self {
            Action::Crash { down_us, .. } => CRASH_WAIT_US.saturating_add(*down_us),
            Action::RestoreBackup { down_us, .. } => *down_us,
            Action::Pause { for_us, .. }
            | Action::Partition { for_us, .. }
            | Action::CutWay { for_us, .. }
            | Action::Degrade { for_us, .. }
            | Action::Misbehave { for_us, .. } => *for_us,
            Action::JumpClock { .. }
            | Action::Leave { .. }
            | Action::Revoke { .. }
            | Action::Join { .. }
            | Action::AskIn { .. }
            | Action::Rotate { .. }
            | Action::Move { .. }
            | Action::SetServers { .. }
            | Action::Invite { .. }
            | Action::Redeem { .. }
            | Action::Append { .. }
            | Action::Contradict { .. }
            | Action::Task { .. }
            | Action::Propose { .. }
            | Action::Vote { .. }
            | Action::VoteTwice { .. }
            | Action::Stranger { .. } => 0,
        }
    }

    /// The one node it is done to or, for a stranger, at; `None` where it is done to many.
    pub const fn node(&self) -> Option<NodeNumber> {
        match self {
            Action::Crash { node, .. }
            | Action::RestoreBackup { node, .. }
            | Action::Pause { node, .. }
            | Action::JumpClock { node, .. }
            | Action::Leave { node }
            | Action::Revoke { node, .. }
            | Action::Join { node, .. }
            | Action::AskIn { node, .. }
            | Action::Rotate { node }
            | Action::Move { node }
            | Action::SetServers { node, .. }
            | Action::Invite { node, .. }
            | Action::Redeem { node, .. }
            | Action::Append { node, .. }
            | Action::Contradict { node }
            | Action::Task { node, .. }
            | Action::Propose { node, .. }
            | Action::Vote { node, .. }
            | Action::VoteTwice { node, .. }
            | Action::Stranger { target: node, .. }
            | Action::Misbehave { node, .. } => Some(*node),
            Action::Partition { .. } | Action::CutWay { .. } | Action::Degrade { .. } => None,
        }
    }

    /// The node that starts again from its disk because of this, if one does.
    pub const fn restarts(&self) -> Option<NodeNumber> {
        match self {
            Action::Crash { node, .. }
            | Action::RestoreBackup { node, .. }
            | Action::Rotate { node } => Some(*node),
            _ => None,
        }
    }

    /// The name of its kind, as in plans.
    pub const fn kind(&self) -> &'static str {
        match self {
            Action::Crash { .. } => "crash",
            Action::RestoreBackup { .. } => "restore_backup",
            Action::Pause { .. } => "pause",
            Action::JumpClock { .. } => "jump_clock",
            Action::Leave { .. } => "leave",
            Action::Revoke { .. } => "revoke",
            Action::Join { .. } => "join",
            Action::AskIn { .. } => "ask_in",
            Action::Rotate { .. } => "rotate",
            Action::Move { .. } => "move",
            Action::Partition { .. } => "partition",
            Action::CutWay { .. } => "cut_way",
            Action::Degrade { .. } => "degrade",
            Action::SetServers { .. } => "set_servers",
            Action::Invite { .. } => "invite",
            Action::Redeem { .. } => "redeem",
            Action::Stranger { .. } => "stranger",
            Action::Append { .. } => "append",
            Action::Contradict { .. } => "contradict",
            Action::Task { .. } => "task",
            Action::Propose { .. } => "propose",
            Action::Vote { .. } => "vote",
            Action::VoteTwice { .. } => "vote_twice",
            Action::Misbehave { .. } => "misbehave",
        }
    }
}
