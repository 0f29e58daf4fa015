//! Rules that hold in every world at every moment, checked as it runs.
//!
//! A check sees what the world observes, one [`Observation`] at a time, beside the machines and the truth. It looks at
//! the node that the observation is about and at no other, so that checking costs little more than the step itself.

mod admission;
mod audience;
mod bounds;
mod decisions;
mod expiry;
mod log;
pub(crate) mod names;
mod presence;
mod promises;
mod receipts;
pub(crate) mod records;
mod revocation;
mod rotation;
mod sampling;
pub(crate) mod secrecy;
mod shares;
pub(crate) mod tasks;

use peerage_protocol::catalog::snapshot::Catalog;
use peerage_protocol::consensus::book::Proposals;
use peerage_protocol::id::NodeId;
use peerage_protocol::log::Appended;
use peerage_protocol::log::chain_id::ChainId;
use peerage_protocol::log::entry::Entry;
use peerage_protocol::membership::admission::Verdict;
use peerage_protocol::membership::certificate::CertificateChain;
use peerage_protocol::membership::issuer::TicketRecord;
use peerage_protocol::membership::ticket::TicketId;
use peerage_protocol::tasks::Task;

use crate::action::Attempt;
use crate::world::machine::Machine;
use crate::world::truth::Truth;

/// Something that a check may look at; nodes are named by their place.
pub(crate) enum Observation<'a> {
    /// A node has taken an input; so many outputs followed from it.
    Stepped {
        /// Which.
        node: usize,
        /// How many.
        outputs: usize,
    },
    /// A node's deadline has come.
    Woken {
        /// Which.
        node: usize,
        /// How often in this millisecond, this time included.
        times: u32,
    },
    /// A node has taken its end of a connection into use.
    LinkOpened {
        /// Which.
        node: usize,
        /// Who is at the other end, as the secure channel proved it.
        other: NodeId,
    },
    /// A node has published a catalog.
    CatalogPublished {
        /// Which.
        node: usize,
        /// What.
        catalog: &'a Catalog,
    },
    /// A node says that it made a ticket.
    Invited {
        /// Which.
        node: usize,
        /// The ticket.
        record: &'a TicketRecord,
    },
    /// A node gives a certificate for a ticket.
    Redeemed {
        /// Which.
        node: usize,
        /// The ticket.
        ticket: TicketId,
        /// The certificate.
        issued: &'a CertificateChain,
    },
    /// An admin has let somebody in by the words of the node `asker`, or by words that a stranger's victim showed.
    Approved {
        /// Which admin.
        node: usize,
        /// Whose words were typed.
        asker: Option<usize>,
        /// What came of it.
        issued: &'a CertificateChain,
    },
    /// A node is to have another key from here on.
    KeyReplaced {
        /// Which.
        node: usize,
        /// The certificate of its key so far.
        held: &'a CertificateChain,
        /// That of the next.
        issued: &'a CertificateChain,
    },
    /// A node has answered a stranger's claim.
    StrangerAnswered {
        /// Which.
        node: usize,
        /// What the stranger tried.
        attempt: Attempt,
        /// What it was answered.
        verdict: &'a Verdict,
    },
    /// A node says that it belongs to the mesh.
    Entered {
        /// Which.
        node: usize,
    },
    /// A node says that it has left the mesh.
    Left {
        /// Which.
        node: usize,
    },
    /// A node takes another for away.
    TakenForAway {
        /// Which.
        node: usize,
        /// Whom.
        silent: NodeId,
    },
    /// A node acts on an entry of the log.
    Applied {
        /// Which.
        node: usize,
        /// What.
        entry: &'a Entry,
    },
    /// A node sends an entry of the log.
    EntrySent {
        /// Which.
        node: usize,
        /// To whom; nobody in particular where it is gossiped.
        to: Option<NodeId>,
        /// The entry's chain.
        chain: ChainId,
        /// Its items, where they are sent with it.
        body: Option<&'a [u8]>,
    },
    /// A node shows what it knows of proposals.
    ProposalsPublished {
        /// Which.
        node: usize,
        /// What.
        proposals: &'a Proposals,
    },
    /// A node says that items are in its log.
    Appended {
        /// Which.
        node: usize,
        /// Where.
        appended: Appended,
    },
    /// An agent was told how its task stands.
    TaskAnswered {
        /// At which node.
        node: usize,
        /// How.
        task: &'a Task,
    },
    /// A node was killed and starts again, and another that nothing kept from it has not noticed.
    CrashMissed {
        /// Which has not.
        node: usize,
        /// Who was killed.
        silent: NodeId,
        /// For how long it was down.
        down_us: u64,
    },
    /// A node has started.
    Booted {
        /// Which.
        node: usize,
    },
}

/// What checks may look at beside the observation.
pub(crate) struct View<'a> {
    /// Virtual time, in microseconds.
    pub(crate) now_us: u64,
    /// The machines, by place.
    pub(crate) machines: &'a [Machine],
    /// What really happened.
    pub(crate) truth: &'a Truth,
    /// The place of a node.
    pub(crate) place: &'a dyn Fn(NodeId) -> Option<usize>,
}

/// What a check found wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// At which node, by its place.
    pub(crate) node: usize,
    /// What, in a sentence.
    pub(crate) what: String,
}

/// A rule.
pub(crate) trait Check {
    /// What it is called in violations.
    fn name(&self) -> &'static str;

    /// Looks at what was observed; what is wrong with it, if anything.
    fn observe(&mut self, seen: &Observation<'_>, view: &View<'_>) -> Result<(), Finding>;
}

/// Every check.
pub(crate) fn all() -> Vec<Box<dyn Check>> {
    vec![
        Box::new(admission::Admission),
        Box::new(promises::Promises),
        Box::new(revocation::Revocation),
        Box::new(rotation::Rotation),
        Box::new(presence::Presence),
        Box::new(expiry::Expiry::default()),
        Box::new(audience::Audience::default()),
        Box::new(names::StableNames::default()),
        Box::new(bounds::Bounds),
        Box::new(records::Records::default()),
        Box::new(receipts::Receipts::default()),
        Box::new(log::Log::default()),
        Box::new(secrecy::Secrecy),
        Box::new(shares::UnreadShares),
        Box::new(tasks::Tasks::default()),
        Box::new(decisions::Decisions::default()),
    ]
}

impl View<'_> {
    /// What a node is called in findings: its number and the name in its plan.
    pub(crate) fn called(&self, place: usize) -> String {
        let plan = &self.machines[place].plan;
        format!("#{} ({})", plan.number.0, plan.name)
    }

    fn called_by_id(&self, node: NodeId) -> String {
        (self.place)(node).map_or_else(
            || format!("the stranger {node}"),
            |place| self.called(place),
        )
    }
}
