//! Letting in without a ticket: what an admin's owner does, and what a newcomer's owner does.

use std::sync::Arc;
use std::time::Duration;

use peerage_protocol::id::{NodeId, NodeName};
use peerage_protocol::membership::admission::Refusal;
use peerage_protocol::membership::certificate::CertificateChain;
use peerage_protocol::membership::join_request::{Opening, RequestWords};
use peerage_protocol::membership::role::Grant;
use peerage_protocol::membership::roster::Roster;
use peerage_protocol::node_state::{Input, Reply, WaitingRequests};
use tokio::time::Instant;

use super::handle::ControlClosed;
use super::joining::{JoinErrand, JoinError, Joined};
use super::requests::{Membership, MembershipError};

/// How long one node is given to hear a request.
const ASK_WITHIN: Duration = Duration::from_secs(12);
/// How often a newcomer looks whether it was let in.
const COLLECT_EVERY: Duration = Duration::from_secs(1);

/// A request that is heard somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeardRequest {
    /// By whom.
    pub listener: NodeId,
    /// Where it was reached.
    pub addresses: Vec<String>,
    /// What both machines show.
    pub words: RequestWords,
}

impl Membership {
    /// Has requests heard for so long, or with `None` not any more; says who waits.
    pub async fn open_requests(
        &self,
        window: Option<Duration>,
    ) -> Result<WaitingRequests, MembershipError> {
        let asked = self
            .control
            .ask(move |request| Input::OpenRequests { request, window });
        let waiting = as_requests(asked.await?)?;
        let until = window.filter(|_| waiting.open_until.is_some());
        self.snapshots
            .hear_requests(until.map(|window| Instant::now() + window));
        Ok(waiting)
    }

    /// Who waits to be let in.
    pub async fn requests(&self) -> Result<WaitingRequests, MembershipError> {
        let asked = self.control.ask(|request| Input::Requests { request });
        as_requests(asked.await?)
    }

    /// Lets in whoever shows these words; on disk when this returns.
    pub async fn approve(
        &self,
        words: RequestWords,
        grant: Grant,
        certificate_lifetime: Option<Duration>,
    ) -> Result<Arc<CertificateChain>, MembershipError> {
        let asked = self.control.ask(move |request| Input::Approve {
            request,
            words,
            grant,
            certificate_lifetime,
        });
        match asked.await? {
            Reply::Approved(approved) => Ok(approved?),
            _ => Err(ControlClosed.into()),
        }
    }

    /// Asks to be let in: at these addresses of `listener`, or of each node nearby until one hears it.
    pub async fn ask_to_join(
        &self,
        at: Option<(NodeId, Vec<String>)>,
        name: NodeName,
    ) -> Result<HeardRequest, MembershipError> {
        if self.snapshots.roster().is_some() {
            return Err(JoinError::AlreadyInMesh.into());
        }
        let asked = match at {
            Some(at) => vec![at],
            None => self.joining.nearby(),
        };
        let mut tried = Vec::new();
        for (listener, addresses) in asked {
            match self.ask_one(listener, addresses, name.clone()).await {
                Ok(heard) => return Ok(heard),
                Err(MembershipError::Join(JoinError::Refused(_))) => {
                    tried.push(format!("{listener} hears none"));
                }
                Err(MembershipError::Join(JoinError::Unreachable { why })) => {
                    tried.push(format!("{listener} cannot be reached ({why})"));
                }
                Err(other) => return Err(other),
            }
        }
        let tried = match tried.is_empty() {
            true => "no node is seen on the local network".to_owned(),
            false => tried.join("; "),
        };
        Err(JoinError::NobodyHears { tried }.into())
    }

    async fn ask_one(
        &self,
        listener: NodeId,
        addresses: Vec<String>,
        name: NodeName,
    ) -> Result<HeardRequest, MembershipError> {
        let mut outcome = Err(JoinError::NoAddress);
        // One address after the other: each handshake has words of its own.
        for address in &addresses {
            let mut opening = Opening([0; 32]);
            getrandom::fill(&mut opening.0).map_err(|_| MembershipError::NoRandomness)?;
            let name = name.clone();
            let errand = JoinErrand::Ask { opening, name };
            let asked = self.run_errand(listener, vec![address.clone()], errand, ASK_WITHIN);
            outcome = asked.await;
            if !matches!(outcome, Err(JoinError::Unreachable { .. })) {
                break;
            }
        }
        match outcome? {
            Joined::Asked(words) => Ok(HeardRequest {
                listener,
                addresses,
                words,
            }),
            Joined::Certified => Err(ControlClosed.into()),
        }
    }

    /// Fetches the certificate, once a person has seen the same words on both machines; `None` where nobody has
    /// approved within `patience`. A link stands when this returns with a roster, or a few seconds later.
    pub async fn collect(
        &self,
        listener: NodeId,
        addresses: Vec<String>,
        patience: Duration,
    ) -> Result<Option<Arc<Roster>>, JoinError> {
        let until = Instant::now() + patience;
        loop {
            let errand = JoinErrand::Collect;
            let asked = self.run_errand(listener, addresses.clone(), errand, ASK_WITHIN);
            match asked.await {
                Ok(_) => break,
                Err(JoinError::Refused(Refusal::Pending)) if Instant::now() < until => {
                    tokio::time::sleep(COLLECT_EVERY).await;
                }
                Err(JoinError::Refused(Refusal::Pending)) => return Ok(None),
                Err(JoinError::Refused(Refusal::Unspoken)) => return Err(JoinError::NotGranted),
                Err(error) => return Err(error),
            }
        }
        self.wait_for_link(listener).await;
        let roster = self.snapshots.roster().ok_or(JoinError::Closed)?;
        Ok(Some(roster))
    }
}

fn as_requests(reply: Reply) -> Result<WaitingRequests, MembershipError> {
    match reply {
        Reply::Requests(waiting) => Ok(waiting?),
        _ => Err(ControlClosed.into()),
    }
}
