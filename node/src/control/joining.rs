//! Coming into a mesh, and into it under another key: dials that bring a certificate and no link, each for one errand at
//! one node.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use peerage_protocol::id::{MeshId, NodeId, NodeName};
use peerage_protocol::membership::admission::Refusal;
use peerage_protocol::membership::certificate::CertificateChain;
use peerage_protocol::membership::join_request::{Opening, RequestWords};
use peerage_protocol::membership::rotation::Rotation;
use peerage_protocol::membership::ticket::Ticket;
use tokio::sync::oneshot;

use crate::net::gatekeeper::Purpose;

/// How long a ticket's issuer is tried.
pub(super) const JOIN_WITHIN: Duration = Duration::from_secs(20);
/// Nodes seen on the local network that are remembered, to be asked.
const SIGHTED_MAX: usize = 64;

/// What came of a dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joined {
    /// A certificate is kept.
    Certified,
    /// The request is heard there, where the same words are shown.
    Asked(RequestWords),
}

/// How a dial ended.
pub(super) type JoinOutcome = Result<Joined, JoinError>;

/// What a node dials another for, other than a link.
#[derive(Clone)]
pub(super) enum JoinErrand {
    /// To redeem a ticket.
    Redeem { ticket: Arc<Ticket>, name: NodeName },
    /// To ask to be let in.
    Ask { opening: Opening, name: NodeName },
    /// To fetch the certificate, once a person has compared words.
    Collect,
    /// To have this node's key replaced.
    Rotate {
        chain: Arc<CertificateChain>,
        rotation: Arc<Rotation>,
    },
}

/// The dial under way, if there is one, and whom else one could ask.
#[derive(Default)]
pub(super) struct Joining {
    attempt: Mutex<Option<Attempt>>,
    sighted: Mutex<BTreeMap<NodeId, Vec<String>>>,
}

struct Attempt {
    listener: NodeId,
    addresses: Vec<String>,
    errand: JoinErrand,
    ended: oneshot::Sender<JoinOutcome>,
}

impl Joining {
    /// Begins; refused while another dial is under way.
    pub(super) fn begin(
        &self,
        listener: NodeId,
        addresses: Vec<String>,
        errand: JoinErrand,
    ) -> Result<oneshot::Receiver<JoinOutcome>, JoinError> {
        let mut attempt = self.lock();
        let pending = attempt.as_ref().is_some_and(|a| !a.ended.is_closed());
        if pending {
            return Err(JoinError::AlreadyJoining);
        }
        let (ended, outcome) = oneshot::channel();
        *attempt = Some(Attempt {
            listener,
            addresses,
            errand,
            ended,
        });
        Ok(outcome)
    }

    /// Why `listener` is dialed, if it is for this.
    pub(super) fn purpose(&self, listener: NodeId) -> Option<Purpose> {
        let attempt = self.lock();
        let attempt = attempt.as_ref().filter(|a| a.listener == listener)?;
        Some(match attempt.errand.clone() {
            JoinErrand::Redeem { ticket, name } => Purpose::Redeem { ticket, name },
            JoinErrand::Ask { opening, name } => Purpose::Ask { opening, name },
            JoinErrand::Collect => Purpose::Collect,
            JoinErrand::Rotate { chain, rotation } => Purpose::Rotate { chain, rotation },
        })
    }

    /// The mesh that a certificate of `listener` may admit to, and where it was reached. Whoever asked takes the mesh
    /// that it is given: a person has compared words with that very node.
    pub(super) fn expects(
        &self,
        listener: NodeId,
        issued: &CertificateChain,
    ) -> Option<(MeshId, Vec<String>)> {
        let attempt = self.lock();
        let attempt = attempt.as_ref().filter(|a| a.listener == listener)?;
        let mesh = match &attempt.errand {
            JoinErrand::Redeem { ticket, .. } => ticket.mesh,
            JoinErrand::Collect => issued.body().mesh,
            JoinErrand::Ask { .. } | JoinErrand::Rotate { .. } => return None,
        };
        Some((mesh, attempt.addresses.clone()))
    }

    /// The new key that `listener` is asked to certify.
    pub(super) fn rotating(&self, listener: NodeId) -> Option<NodeId> {
        let attempt = self.lock();
        let attempt = attempt.as_ref().filter(|a| a.listener == listener)?;
        match &attempt.errand {
            JoinErrand::Rotate { rotation, .. } => Some(rotation.new),
            _ => None,
        }
    }

    /// Ends the dial of `listener`, if one is under way there.
    pub(super) fn end(&self, listener: NodeId, outcome: JoinOutcome) {
        let mut attempt = self.lock();
        if attempt
            .as_ref()
            .is_some_and(|attempt| attempt.listener == listener)
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

    /// A node was seen on the local network.
    pub(super) fn sighted(&self, node: NodeId, addresses: Vec<String>) {
        let mut sighted = self.sighted.lock().unwrap_or_else(PoisonError::into_inner);
        if sighted.contains_key(&node) || sighted.len() < SIGHTED_MAX {
            sighted.insert(node, addresses);
        }
    }

    /// The nodes seen on the local network, with their addresses.
    pub(super) fn nearby(&self) -> Vec<(NodeId, Vec<String>)> {
        let sighted = self.sighted.lock().unwrap_or_else(PoisonError::into_inner);
        sighted
            .iter()
            .map(|(node, addresses)| (*node, addresses.clone()))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Attempt>> {
        self.attempt.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a node did not come into a mesh.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// One home, one mesh.
    #[error(
        "this home belongs to a mesh already; `peerage leave` first, or use another home with `--home DIR`"
    )]
    AlreadyInMesh,
    /// One at a time.
    #[error("this node is joining already; wait for it to end")]
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
    /// Nobody hears requests.
    #[error(
        "nobody hears requests: {tried}; have an admin run `peerage requests --open 10m`, and ask at the address that it prints"
    )]
    NobodyHears {
        /// Who was asked, in words.
        tried: String,
    },
    /// The request is not known any more.
    #[error(
        "the request was not granted: the window has closed, the admin's node started again, or somebody else was let in; ask anew"
    )]
    NotGranted,
    /// The issuer did not answer.
    #[error(
        "the other node cannot be reached: {why}; is it running, and does the network let this machine reach it?"
    )]
    Unreachable {
        /// What was tried, and how it failed.
        why: String,
    },
    /// This node is stopping.
    #[error("the node is stopping or too busy to answer; try again")]
    Closed,
}
