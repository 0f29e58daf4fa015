//! What the gate asks of control: who this node is, why it dials, and whether a claim is good.

use std::sync::Arc;

use futures::future::BoxFuture;
use peerage_protocol::id::{MeshId, NodeId, NodeName};
use peerage_protocol::membership::certificate::CertificateChain;
use peerage_protocol::membership::ticket::{Ticket, TicketId, TicketProof, Transcript};
use serde::{Deserialize, Serialize};

/// What this node shows at every gate.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The mesh it belongs to.
    pub mesh: MeshId,
    /// Its own certificate with its issuers.
    pub chain: Arc<CertificateChain>,
}

/// Why this node dials another.
#[derive(Clone, Debug)]
pub enum Purpose {
    /// As one member to another.
    Member,
    /// To have its own certificate renewed; no link is established.
    Renew,
    /// To redeem a ticket; no link is established.
    Redeem {
        /// The ticket; its secret stays on this node.
        ticket: Arc<Ticket>,
        /// The name this node would like.
        name: NodeName,
    },
}

/// What a dialer claims, once both nonces are exchanged; bound to the secure channel by the node ids it proved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Claim {
    /// A valid certificate.
    Member {
        /// The dialer's certificate with its issuers.
        chain: CertificateChain,
    },
    /// A certificate, expired or not, that asks for a fresh one.
    Renew {
        /// The dialer's certificate with its issuers.
        chain: CertificateChain,
    },
    /// Possession of a ticket.
    Redeem {
        /// Which ticket.
        ticket: TicketId,
        /// Shows the secret for this handshake only.
        proof: TicketProof,
        /// The name the dialer would like.
        name: NodeName,
    },
}

/// What the listener answers to a claim.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Come in; here is my own certificate.
    Admit {
        /// The listener's certificate with its issuers.
        own: Arc<CertificateChain>,
    },
    /// Here is your certificate; the handshake ends here, dial again with it.
    Issue {
        /// The listener's certificate with its issuers.
        own: Arc<CertificateChain>,
        /// The dialer's fresh certificate, on disk at the issuer before this is said.
        issued: Arc<CertificateChain>,
    },
    /// No. The reason travels only to the holder of a valid ticket proof.
    Refuse {
        /// For the log of this node.
        reason: Refusal,
        /// Whether the dialer may be told `reason`.
        tell: bool,
    },
}

/// Why somebody is not let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// This node belongs to no mesh.
    #[error("this node belongs to no mesh")]
    NoMesh,
    /// The dialer belongs to another mesh.
    #[error("it belongs to another mesh")]
    OtherMesh,
    /// No protocol version in common.
    #[error("no protocol version in common")]
    Version,
    /// The certificate does not verify, or is another node's.
    #[error("its certificate is not good: {why}")]
    Certificate {
        /// What is wrong with it.
        why: String,
    },
    /// The certificate is past its expiry.
    #[error("its certificate has expired")]
    Expired,
    /// No such ticket, or a wrong proof.
    #[error("the ticket is not one of ours")]
    UnknownTicket,
    /// The ticket is past its end.
    #[error("the ticket has expired; ask for a new one")]
    TicketExpired,
    /// Every use of the ticket is taken.
    #[error("the ticket has been used; ask for a new one")]
    TicketUsed,
    /// This node does not issue certificates.
    #[error("this node is not an admin and issues no certificates")]
    NotAnIssuer,
    /// Something here is full.
    #[error("the listener is full: {what}")]
    Full {
        /// What is full.
        what: String,
    },
    /// The listener said no and did not say why.
    #[error("the other node refused and does not say why to strangers")]
    Unspoken,
    /// The listener could not answer now.
    #[error("the listener could not answer: {why}")]
    Unavailable {
        /// What went wrong.
        why: String,
    },
}

/// Control as the gate sees it. Every promise resolves only once what it says is on disk and in the snapshots that
/// the swarm's own check reads.
pub trait Gatekeeper: Send + Sync + 'static {
    /// What this node shows; `None` while it belongs to no mesh.
    fn credentials(&self) -> Option<Credentials>;

    /// Why this node dials `listener`, asked once a handshake.
    fn purpose(&self, listener: NodeId) -> Purpose;

    /// At the listener: whether the claim of `transcript.dialer` is good.
    fn judge(&self, transcript: Transcript, claim: Claim) -> BoxFuture<'_, Verdict>;

    /// At the dialer, after [`Verdict::Admit`]: whether the listener's certificate is good in turn.
    fn admitted(
        &self,
        listener: NodeId,
        theirs: CertificateChain,
    ) -> BoxFuture<'_, Result<(), Refusal>>;

    /// At the dialer, after [`Verdict::Issue`]: takes the fresh certificate and keeps it.
    fn issued(
        &self,
        listener: NodeId,
        theirs: CertificateChain,
        issued: CertificateChain,
    ) -> BoxFuture<'_, Result<(), Refusal>>;

    /// At the dialer: the listener said no.
    fn refused(&self, listener: NodeId, refusal: Refusal);

    /// Whether a link to `node` may stand now; asked again when a connection is established.
    fn is_member(&self, node: NodeId) -> bool;
}
