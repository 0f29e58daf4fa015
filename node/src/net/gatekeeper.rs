//! What the gate asks of control: who this node is, why it dials, and whether a claim is good.

use std::sync::Arc;

use futures::future::BoxFuture;
use peerage_protocol::id::{MeshId, NodeId, NodeName};
pub use peerage_protocol::membership::admission::{Claim, Refusal, Verdict};
use peerage_protocol::membership::certificate::CertificateChain;
use peerage_protocol::membership::join_request::{Opening, RequestWords};
use peerage_protocol::membership::revocation::Revocation;
use peerage_protocol::membership::rotation::Rotation;
use peerage_protocol::membership::ticket::{Ticket, Transcript};

/// What this node shows at every gate.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The mesh it belongs to.
    pub mesh: MeshId,
    /// Its own certificate with its issuers.
    pub chain: Arc<CertificateChain>,
    /// The digest of the revocations it knows.
    pub revocations: u64,
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
    /// To ask to be let in; no link is established.
    Ask {
        /// What the hello commits to.
        opening: Opening,
        /// The name this node would like.
        name: NodeName,
    },
    /// To fetch the certificate that was asked for; no link is established.
    Collect,
    /// To have this node's key replaced; no link is established.
    Rotate {
        /// The certificate of the key in force.
        chain: Arc<CertificateChain>,
        /// The word of both keys.
        rotation: Arc<Rotation>,
    },
}

/// Control as the gate sees it. Every promise resolves only once what it says is on disk and in the snapshots that
/// the swarm's own check reads.
pub trait Gatekeeper: Send + Sync + 'static {
    /// What this node shows; `None` while it belongs to no mesh.
    fn credentials(&self) -> Option<Credentials>;

    /// Why this node dials `listener`, asked once a handshake.
    fn purpose(&self, listener: NodeId) -> Purpose;

    /// At the listener: whether the claim of `transcript.dialer` is good, which dialed from `place`: an IP address, or
    /// nothing.
    fn judge(&self, transcript: Transcript, claim: Claim, place: String) -> BoxFuture<'_, Verdict>;

    /// At the dialer, after [`Verdict::Admit`]: whether the listener's certificate is good in turn, now that the
    /// revocations it told are known too.
    fn admitted(
        &self,
        listener: NodeId,
        theirs: CertificateChain,
        revocations: Vec<Arc<Revocation>>,
    ) -> BoxFuture<'_, Result<(), Refusal>>;

    /// At the dialer, after [`Verdict::Issue`]: takes the fresh certificate and keeps it.
    fn issued(
        &self,
        listener: NodeId,
        theirs: CertificateChain,
        issued: CertificateChain,
    ) -> BoxFuture<'_, Result<(), Refusal>>;

    /// At the dialer, after [`Purpose::Ask`]: the listener hears the request, and shows these words too.
    fn asked(&self, listener: NodeId, words: RequestWords);

    /// At the dialer: the listener said no.
    fn refused(&self, listener: NodeId, refusal: Refusal);

    /// Where `node` says that it listens; nothing where that is not known.
    fn addresses(&self, _node: NodeId) -> Vec<String> {
        Vec::new()
    }

    /// Whether a link to `node` may stand now; asked again when a connection is established.
    fn is_member(&self, node: NodeId) -> bool;
}
