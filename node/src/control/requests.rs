//! What the owner asks of the mesh: found, invite, join, leave.

use std::sync::Arc;
use std::time::Duration;

use peerage_protocol::address_book::{KnownAddress, Source};
use peerage_protocol::id::{NodeId, NodeName};
use peerage_protocol::membership::admission::Refusal;
use peerage_protocol::membership::issuer::{Invitation, InviteError, TicketRecord};
use peerage_protocol::membership::revocation::Revocation;
use peerage_protocol::membership::role::Grant;
use peerage_protocol::membership::roster::Roster;
use peerage_protocol::membership::ticket::{Ticket, TicketId, TicketSecret};
use peerage_protocol::node_state::{Input, Rename, Reply, RequestsError, RevokeError};
use peerage_protocol::signature::Signer;
use peerage_protocol::time::Timestamp;

use super::exchanges::{RENAME, decode_chain};
use super::handle::{ControlClosed, ControlHandle};
use super::joining::{JOIN_WITHIN, JoinErrand, JoinError, JoinOutcome, Joining};
use super::network::PeerNetwork;
use super::snapshots::Snapshots;

/// How long `join` waits for the first link once it has its certificate.
const LINK_WITHIN: Duration = Duration::from_secs(5);

/// The mesh as its owner handles it.
#[derive(Clone)]
pub struct Membership {
    pub(super) control: ControlHandle,
    pub(super) snapshots: Arc<Snapshots>,
    pub(super) joining: Arc<Joining>,
    pub(super) network: Arc<dyn PeerNetwork>,
}

impl Membership {
    pub(super) fn new(
        control: ControlHandle,
        snapshots: Arc<Snapshots>,
        joining: Arc<Joining>,
        network: Arc<dyn PeerNetwork>,
    ) -> Self {
        Self {
            control,
            snapshots,
            joining,
            network,
        }
    }

    /// Founds a mesh; `root` is on disk already.
    pub async fn found(
        &self,
        root: Arc<dyn Signer>,
        name: NodeName,
    ) -> Result<Arc<Roster>, MembershipError> {
        let asked = self.control.ask(move |request| Input::Found {
            request,
            root,
            name,
        });
        match asked.await? {
            Reply::Founded(Ok(roster)) => Ok(roster),
            Reply::Founded(Err(_)) => Err(JoinError::AlreadyInMesh.into()),
            _ => Err(ControlClosed.into()),
        }
    }

    /// Makes a ticket that names `addresses`. Certificates live as long as usual without `certificate_lifetime`.
    pub async fn invite(
        &self,
        lifetime: Duration,
        uses: u32,
        grant: Grant,
        certificate_lifetime: Option<Duration>,
        addresses: Vec<String>,
    ) -> Result<Ticket, MembershipError> {
        let roster = self.snapshots.roster().ok_or(MembershipError::NoMesh)?;
        let (mut id, mut secret) = ([0; 16], [0; 32]);
        getrandom::fill(&mut id).map_err(|_| MembershipError::NoRandomness)?;
        getrandom::fill(&mut secret).map_err(|_| MembershipError::NoRandomness)?;
        let invitation = Invitation {
            id: TicketId(id),
            secret: TicketSecret(secret),
            lifetime,
            uses,
            grant,
            certificate_lifetime,
        };
        let asked = self.control.ask(move |request| Input::Invite {
            request,
            invitation,
        });
        let record = match asked.await? {
            Reply::Invited(invited) => invited?,
            _ => return Err(ControlClosed.into()),
        };
        Ok(Ticket {
            mesh: roster.mesh,
            issuer: roster.own.body().subject,
            id: record.id,
            secret: record.secret,
            expires: record.expires,
            addresses,
        })
    }

    /// The tickets that may admit somebody yet.
    pub async fn tickets(&self) -> Result<Vec<TicketRecord>, MembershipError> {
        match self
            .control
            .ask(|request| Input::Tickets { request })
            .await?
        {
            Reply::Tickets(tickets) => Ok(tickets),
            _ => Err(ControlClosed.into()),
        }
    }

    /// Takes a ticket back, on disk when this returns; whether there was one.
    pub async fn withdraw_ticket(&self, id: TicketId) -> Result<bool, MembershipError> {
        let asked = self
            .control
            .ask(move |request| Input::WithdrawTicket { request, id });
        match asked.await? {
            Reply::Withdrawn(was_there) => Ok(was_there),
            _ => Err(ControlClosed.into()),
        }
    }

    /// Gives this node another name in its mesh; returns once its certificate says so, on disk.
    pub async fn rename(&self, name: NodeName) -> Result<(), MembershipError> {
        let wanted = name.clone();
        let asked = self.control.ask(move |request| Input::Rename {
            request,
            name: wanted,
        });
        let admin = match asked.await? {
            Reply::Renamed(Ok(Rename::Done)) => return Ok(()),
            Reply::Renamed(Ok(Rename::Ask { admin })) => admin,
            Reply::Renamed(Err(Refusal::NoMesh)) => return Err(MembershipError::NoMesh),
            Reply::Renamed(Err(refusal)) => return Err(not_renamed(&name, refusal)),
            _ => return Err(ControlClosed.into()),
        };
        let body = name.as_str().as_bytes().to_vec();
        let answer = self.network.exchange(admin, RENAME, body).await;
        let chain = answer.map(|bytes| decode_chain(&bytes));
        let chain = chain.map_err(|why| not_renamed(&name, why))?;
        let chain =
            chain.ok_or_else(|| not_renamed(&name, "the admin's answer is no certificate"))?;
        let from = admin;
        self.control.tell(Input::Renewed { from, chain }).await;
        // Control has taken the certificate, or not, once it answers what comes after it.
        self.control
            .ask(|request| Input::Tickets { request })
            .await?;
        let roster = self.snapshots.roster();
        match roster.is_some_and(|roster| roster.own.body().name == name) {
            true => Ok(()),
            false => Err(not_renamed(&name, "the admin's certificate is not good")),
        }
    }

    /// Redeems a ticket; returns once the certificate is on disk and the issuer linked, or a few seconds later.
    pub async fn join(&self, ticket: Ticket, name: NodeName) -> Result<Arc<Roster>, JoinError> {
        if self.snapshots.roster().is_some() {
            return Err(JoinError::AlreadyInMesh);
        }
        if ticket.addresses.is_empty() {
            return Err(JoinError::NoAddress);
        }
        let issuer = ticket.issuer;
        let addresses = ticket.addresses.clone();
        // A dial of old addresses, from a time when this node was a member, would answer for this one.
        self.network.disconnect(issuer).await;
        let ticket = Arc::new(ticket);
        let errand = JoinErrand::Redeem { ticket, name };
        let joined = self.run_errand(issuer, addresses, errand, JOIN_WITHIN);
        let joined = joined.await;
        // The issuer may vanish after its certificate was kept: this node is a member all the same.
        if self.snapshots.roster().is_none() {
            joined?;
        }
        self.wait_for_link(issuer).await;
        self.snapshots.roster().ok_or(JoinError::Closed)
    }

    /// One dial of `listener` for `errand`; says how it ended.
    pub(super) async fn run_errand(
        &self,
        listener: NodeId,
        addresses: Vec<String>,
        errand: JoinErrand,
        within: Duration,
    ) -> JoinOutcome {
        let mut outcome = self.joining.begin(listener, addresses.clone(), errand)?;
        self.network.dial(listener, addresses).await;
        let ended = tokio::time::timeout(within, &mut outcome).await;
        self.joining.abandon();
        match ended {
            Ok(Ok(joined)) => joined,
            Ok(Err(_)) => Err(JoinError::Closed),
            Err(_) => Err(JoinError::Unreachable {
                why: format!("no answer within {} s", within.as_secs()),
            }),
        }
    }

    pub(super) async fn wait_for_link(&self, node: NodeId) {
        let mut links = self.snapshots.links();
        let linked = links.wait_for(|links| links.get(&node).is_some_and(|link| link.up));
        if tokio::time::timeout(LINK_WITHIN, linked).await.is_err() {
            tracing::warn!(%node, "joined, but no link to the issuer stands yet; it is tried again");
        }
    }

    /// Puts `subject` out of the mesh; what it issued before `spare_issued_before` stays good.
    pub async fn revoke(
        &self,
        subject: NodeId,
        spare_issued_before: Option<Timestamp>,
    ) -> Result<Arc<Revocation>, MembershipError> {
        let asked = self.control.ask(move |request| Input::Revoke {
            request,
            subject,
            spare_issued_before,
        });
        match asked.await? {
            Reply::Revoked(revoked) => Ok(revoked?),
            _ => Err(ControlClosed.into()),
        }
    }

    /// Tells linked members that this node stops; whoever does not hear it will find out.
    pub async fn stopping(&self) {
        let told = self.control.ask(|request| Input::Stopping { request });
        if told.await.is_err() {
            tracing::debug!("nobody could be told that this node stops");
        }
    }

    /// Somebody says that a node may be found at these addresses.
    pub async fn sighted(&self, node: NodeId, addresses: Vec<String>, source: Source) {
        let sighted = Input::Sighted {
            node,
            addresses,
            source,
        };
        self.control.tell(sighted).await;
    }

    /// Where nodes are or were, strangers too; each one's best address first.
    pub async fn addresses(&self) -> Result<Vec<(NodeId, Vec<KnownAddress>)>, MembershipError> {
        let asked = self
            .control
            .ask(|request| Input::AddressesAsked { request });
        match asked.await? {
            Reply::Addresses(known) => Ok(known),
            _ => Err(ControlClosed.into()),
        }
    }

    /// Leaves the mesh; returns what was left.
    pub async fn leave(&self) -> Result<Arc<Roster>, MembershipError> {
        match self.control.ask(|request| Input::Leave { request }).await? {
            Reply::Left(Some(roster)) => Ok(roster),
            Reply::Left(None) => Err(MembershipError::NoMesh),
            _ => Err(ControlClosed.into()),
        }
    }
}

fn not_renamed(name: &NodeName, why: impl ToString) -> MembershipError {
    MembershipError::NotRenamed {
        name: name.clone(),
        why: why.to_string(),
    }
}

/// Why a request about the mesh failed.
#[derive(Debug, thiserror::Error)]
pub enum MembershipError {
    /// There is nothing to leave or to invite to.
    #[error(
        "this home belongs to no mesh; `peerage invite` founds one, `peerage join TICKET` enters one"
    )]
    NoMesh,
    /// No ticket is made.
    #[error(transparent)]
    Invite(#[from] InviteError),
    /// Nobody is put out.
    #[error(transparent)]
    Revoke(#[from] RevokeError),
    /// The home is in a mesh.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// The mesh does not know this node by the name.
    #[error("this node is not called {name} in its mesh: {why}")]
    NotRenamed {
        /// As asked for.
        name: NodeName,
        /// Why.
        why: String,
    },
    /// The node keeps the key it has.
    #[error("the key is not replaced: {why}")]
    NotRotated {
        /// Why.
        why: String,
    },
    /// Nobody is let in, or requests are not heard.
    #[error(transparent)]
    Requests(#[from] RequestsError),
    /// The system has no randomness to give.
    #[error("the system's random number generator failed")]
    NoRandomness,
    /// Control does not answer.
    #[error(transparent)]
    Closed(#[from] ControlClosed),
}
