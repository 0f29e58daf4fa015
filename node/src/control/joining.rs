//! Redeeming a ticket: the one dial a node makes before it belongs to a mesh.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use peerage_protocol::id::{NodeId, NodeName};
use peerage_protocol::membership::admission::Refusal;
use peerage_protocol::membership::ticket::Ticket;
use tokio::sync::oneshot;

/// How long a ticket's issuer is tried.
pub(super) const JOIN_WITHIN: Duration = Duration::from_secs(20);

/// How a redemption ended.
pub(super) type JoinOutcome = Result<(), JoinError>;

/// The redemption under way, if there is one.
#[derive(Default)]
pub(super) struct Joining {
    attempt: Mutex<Option<Attempt>>,
}

struct Attempt {
    ticket: Arc<Ticket>,
    name: NodeName,
    ended: oneshot::Sender<JoinOutcome>,
}

impl Joining {
    /// Begins; refused while another redemption is under way.
    pub(super) fn begin(
        &self,
        ticket: Arc<Ticket>,
        name: NodeName,
    ) -> Result<oneshot::Receiver<JoinOutcome>, JoinError> {
        let mut attempt = self.lock();
        let pending = attempt.as_ref().is_some_and(|a| !a.ended.is_closed());
        if pending {
            return Err(JoinError::AlreadyJoining);
        }
        let (ended, outcome) = oneshot::channel();
        *attempt = Some(Attempt {
            ticket,
            name,
            ended,
        });
        Ok(outcome)
    }

    /// The ticket to show to `listener`, and the name to ask for.
    pub(super) fn ticket_for(&self, listener: NodeId) -> Option<(Arc<Ticket>, NodeName)> {
        let attempt = self.lock();
        let attempt = attempt.as_ref()?;
        let wanted = attempt.ticket.issuer == listener;
        wanted.then(|| (attempt.ticket.clone(), attempt.name.clone()))
    }

    /// Ends the redemption at `listener`, if one is under way there.
    pub(super) fn end(&self, listener: NodeId, outcome: JoinOutcome) {
        let mut attempt = self.lock();
        if attempt
            .as_ref()
            .is_some_and(|attempt| attempt.ticket.issuer == listener)
            && let Some(attempt) = attempt.take()
        {
            // Whoever asked may have given up.
            let _ = attempt.ended.send(outcome);
        }
    }

    /// Gives up.
    pub(super) fn abandon(&self) {
        self.lock().take();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Attempt>> {
        self.attempt.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a ticket did not lead into its mesh.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// One home, one mesh.
    #[error(
        "this home belongs to a mesh already; `peerage leave` first, or use another home with `--home DIR`"
    )]
    AlreadyInMesh,
    /// One redemption at a time.
    #[error("another ticket is being redeemed right now; wait for it to end")]
    AlreadyJoining,
    /// The ticket leads to this very node.
    #[error("this ticket was made by this very node; redeem it on another machine")]
    OwnTicket,
    /// The ticket has no address that can be dialed.
    #[error("the ticket names no address that this node can dial; ask for a new one")]
    NoAddress,
    /// The issuer said no.
    #[error("{0}")]
    Refused(Refusal),
    /// The issuer did not answer.
    #[error(
        "the node that made the ticket cannot be reached: {why}; is it running, and does the network let this machine reach it?"
    )]
    Unreachable {
        /// What was tried, and how it failed.
        why: String,
    },
    /// This node is stopping.
    #[error("the node is stopping or too busy to answer; try again")]
    Closed,
}
