//! What can happen in a world at a moment that was scheduled.

use peerage_protocol::id::NodeId;
use peerage_protocol::membership::join_request::RequestWords;

/// Names a handshake, a connection or a question for as long as the world runs.
pub(crate) type Id = u64;

/// How often a machine has been started: what was scheduled for an earlier run of it does not concern the present one.
pub(crate) type Boot = u32;

/// An event; nodes are named by their place in the world.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// An action of the plan begins.
    Act { action: usize },
    /// What an action of the plan began is over.
    Over { action: usize },
    /// The first node founds the mesh.
    Found,
    /// A node that the plan has join asks for a ticket, or asks again.
    Join { node: usize },
    /// A ticket reaches the node it was made for.
    TicketHanded { node: usize, boot: Boot },
    /// A node's redemption has taken too long.
    JoinGivenUp {
        node: usize,
        boot: Boot,
        attempt: u32,
    },
    /// The words that a node shows have been carried to the admin's machine.
    WordsCarried {
        node: usize,
        admin: usize,
        words: RequestWords,
    },
    /// A node whose words were shown asks for its certificate.
    Collect { node: usize, boot: Boot },
    /// A node that wants another key looks for an admin that certifies it.
    Rotate { node: usize, boot: Boot },
    /// A machine starts.
    Boot { node: usize },
    /// The silent node that was to be killed at an output is killed without.
    Kill { node: usize, boot: Boot },
    /// A stalled node goes on.
    Resume { node: usize, boot: Boot, stall: u32 },
    /// A node's deadline has come.
    Wake { node: usize, boot: Boot, wake: u32 },
    /// A write is on disk.
    Written { node: usize, boot: Boot },
    /// The members have had their time to hear a goodbye.
    Depart { node: usize, boot: Boot, to: usize },
    /// A dial reached nobody.
    Unreached {
        node: usize,
        boot: Boot,
        to: usize,
        key: NodeId,
    },
    /// The listener's hello reached the dialer.
    Greeted { handshake: Id },
    /// The dialer's claim reached the listener.
    Claimed { handshake: Id },
    /// The listener's answer reached the dialer.
    Answered { handshake: Id },
    /// A handshake has taken too long for its dialer.
    HandshakeDeadline { handshake: Id },
    /// One end of a connection hears that the other closed it.
    Closed { connection: Id, end: usize },
    /// One end of a connection has heard nothing since `since_us`.
    Silent {
        connection: Id,
        end: usize,
        since_us: u64,
    },
    /// A question reached whom it was put to.
    Asked { question: Id },
    /// An answer reached the asker.
    Replied { question: Id },
    /// The asker waits no longer.
    QuestionDeadline { question: Id },
    /// A gossip message, or what is said about such messages, arrived.
    Parcel { parcel: Id },
    /// A node's gossip looks after its mesh and tells of what it had lately.
    Heartbeat { node: usize, boot: Boot },
    /// A gossip message is remembered no longer.
    Forget { message: u64 },
    /// The agents of a node read what waits for them.
    Read { node: usize, boot: Boot },
    /// A misbehaving member does the next of its misdeeds.
    Misdeed {
        node: usize,
        boot: Boot,
        number: u32,
    },
    /// The world is measured.
    Sample,
    /// The world is looked at for convergence.
    Look,
}

impl Event {
    /// Its name in traces.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Event::Act { .. } => "act",
            Event::Over { .. } => "over",
            Event::Found => "found",
            Event::Join { .. } => "join",
            Event::TicketHanded { .. } => "ticket",
            Event::JoinGivenUp { .. } => "join-end",
            Event::WordsCarried { .. } => "words",
            Event::Collect { .. } => "collect",
            Event::Rotate { .. } => "rotate",
            Event::Boot { .. } => "boot",
            Event::Kill { .. } => "kill",
            Event::Resume { .. } => "resume",
            Event::Wake { .. } => "wake",
            Event::Written { .. } => "written",
            Event::Depart { .. } => "depart",
            Event::Unreached { .. } => "unreached",
            Event::Greeted { .. } => "greeted",
            Event::Claimed { .. } => "claimed",
            Event::Answered { .. } => "answered",
            Event::HandshakeDeadline { .. } => "gate-end",
            Event::Closed { .. } => "closed",
            Event::Silent { .. } => "silent",
            Event::Asked { .. } => "asked",
            Event::Replied { .. } => "replied",
            Event::QuestionDeadline { .. } => "question-end",
            Event::Parcel { .. } => "parcel",
            Event::Heartbeat { .. } => "heartbeat",
            Event::Forget { .. } => "forget",
            Event::Misdeed { .. } => "misdeed",
            Event::Read { .. } => "read",
            Event::Sample => "sample",
            Event::Look => "look",
        }
    }

    /// Everything in it, for the hash of the trace.
    pub(crate) fn numbers(&self) -> [u64; 3] {
        let node = |node: &usize| *node as u64;
        match self {
            Event::Act { action } | Event::Over { action } => [*action as u64, 0, 0],
            Event::Join { node: at } | Event::Boot { node: at } => [node(at), 0, 0],
            Event::WordsCarried {
                node: at, admin, ..
            } => [node(at), node(admin), 0],
            Event::TicketHanded { node: at, boot }
            | Event::Collect { node: at, boot }
            | Event::Rotate { node: at, boot }
            | Event::Kill { node: at, boot }
            | Event::Heartbeat { node: at, boot }
            | Event::Read { node: at, boot }
            | Event::Written { node: at, boot } => [node(at), u64::from(*boot), 0],
            Event::JoinGivenUp {
                node: at,
                boot,
                attempt: which,
            }
            | Event::Resume {
                node: at,
                boot,
                stall: which,
            }
            | Event::Misdeed {
                node: at,
                boot,
                number: which,
            }
            | Event::Wake {
                node: at,
                boot,
                wake: which,
            } => [node(at), u64::from(*boot), u64::from(*which)],
            Event::Depart { node: at, boot, to }
            | Event::Unreached {
                node: at, boot, to, ..
            } => [node(at), u64::from(*boot), node(to)],
            Event::Greeted { handshake: id }
            | Event::Claimed { handshake: id }
            | Event::Answered { handshake: id }
            | Event::HandshakeDeadline { handshake: id }
            | Event::Asked { question: id }
            | Event::Replied { question: id }
            | Event::QuestionDeadline { question: id }
            | Event::Parcel { parcel: id }
            | Event::Forget { message: id } => [*id, 0, 0],
            Event::Closed { connection, end } => [*connection, *end as u64, 0],
            Event::Silent {
                connection,
                end,
                since_us,
            } => [*connection, *end as u64, *since_us],
            Event::Found | Event::Sample | Event::Look => [0; 3],
        }
    }
}
