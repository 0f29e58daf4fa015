//! What a node wants done.

use std::sync::Arc;

use super::input::RequestId;
use super::record::Write;
use crate::catalog::manifest::{EncodedManifest, ManifestError};
use crate::catalog::snapshot::Catalog;
use crate::id::{Hash, NodeId};
use crate::membership::admission::{Refusal, Verdict};
use crate::membership::certificate::CertificateChain;
use crate::membership::issuer::{InviteError, TicketRecord};
use crate::membership::roster::Roster;
use crate::wire::announcement::Announcement;

/// Something to do, in order.
#[derive(Clone, Debug)]
pub enum Output {
    /// Write this in one transaction and sync it, before anything that follows.
    Persist(Vec<Write>),
    /// The members have changed.
    PublishRoster(Option<Arc<Roster>>),
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
    /// End every connection to a node.
    Disconnect {
        /// To whom.
        node: NodeId,
    },
    /// Tell a linked member.
    Announce {
        /// Whom.
        to: NodeId,
        /// What.
        announcement: Arc<Announcement>,
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
    /// The answer to a claim.
    Verdict(Verdict),
    /// Whether a certificate was taken.
    Taken(Result<(), Refusal>),
    /// A fresh certificate, or why there is none.
    Renewal(Result<Arc<CertificateChain>, Refusal>),
    /// The mesh that was left; `None` when there was none.
    Left(Option<Arc<Roster>>),
}

/// A node belongs to one mesh at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this home belongs to a mesh already")]
pub struct AlreadyInMesh;
