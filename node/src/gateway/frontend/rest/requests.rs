//! Joining without a ticket, at both ends: who waits, letting somebody in, asking to be let in.

use std::time::Duration;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use peerage_protocol::id::NodeId;
use peerage_protocol::membership::join_requests::JoinRequest;
use peerage_protocol::membership::role::{Grant, Role};
use peerage_protocol::node_state::WaitingRequests;
use peerage_protocol::time::Now;

use super::refusal::Refused;
use super::requests_api::{
    ApproveRequest, ApproveResponse, AskRequest, AskResponse, CollectRequest, CollectResponse,
    OpenRequests, RequestStatus, RequestsResponse,
};
use super::service::{OwnerService, bad_input, join_refused, membership_refused};
use super::views;
use crate::net::peer_id::node_id;

/// How long one question for the certificate waits for a decision.
const COLLECT_PATIENCE: Duration = Duration::from_secs(10);

impl OwnerService {
    pub(super) async fn requests(&self) -> Result<RequestsResponse, Refused> {
        let waiting = self.membership.requests().await;
        Ok(self.requests_shown(waiting.map_err(membership_refused)?))
    }

    pub(super) async fn open_requests(
        &self,
        request: &OpenRequests,
    ) -> Result<RequestsResponse, Refused> {
        if request.seconds.is_some() && self.snapshots.roster().is_none() {
            self.found().await?;
        }
        let window = request.seconds.map(Duration::from_secs);
        let waiting = self.membership.open_requests(window).await;
        Ok(self.requests_shown(waiting.map_err(membership_refused)?))
    }

    fn requests_shown(&self, requests: WaitingRequests) -> RequestsResponse {
        let now = self.clock.now();
        let (addresses, _) = views::ticket_addresses((self.listen)());
        let whole = |address: String| format!("{address}/p2p/{}", self.me);
        let until = requests.open_until;
        let waiting = requests.waiting.iter();
        RequestsResponse {
            open_until: until.map(|until| (now.wall + until.since(now.monotonic)).0),
            ask_at: addresses.into_iter().map(whole).collect(),
            requests: waiting.map(|one| status(one, now)).collect(),
        }
    }

    pub(super) async fn approve(
        &self,
        request: &ApproveRequest,
    ) -> Result<ApproveResponse, Refused> {
        let words = request.words.parse().map_err(|error| bad_input(&error))?;
        let role: Role = request.role.parse().map_err(|error| bad_input(&error))?;
        let only = self.guest_servers(&request.only)?;
        let lifetime = request.certificate_seconds.map(Duration::from_secs);
        let grant = Grant { role, only };
        let approved = self.membership.approve(words, grant, lifetime).await;
        let issued = approved.map_err(membership_refused)?;
        let body = issued.body();
        Ok(ApproveResponse {
            node: body.subject.to_string(),
            name: body.name.to_string(),
            role: body.role.to_string(),
        })
    }

    pub(super) async fn ask(&self, request: &AskRequest) -> Result<AskResponse, Refused> {
        let at = request.address.as_deref().map(whole_address).transpose()?;
        let asked = self.membership.ask_to_join(at, self.name.clone()).await;
        let heard = asked.map_err(membership_refused)?;
        Ok(AskResponse {
            node: heard.listener.to_string(),
            addresses: heard.addresses,
            words: heard.words.to_string(),
        })
    }

    pub(super) async fn collect(
        &self,
        request: &CollectRequest,
    ) -> Result<CollectResponse, Refused> {
        let listener: NodeId = request.node.parse().map_err(|error| bad_input(&error))?;
        let addresses = request.addresses.clone();
        let collected = self
            .membership
            .collect(listener, addresses, COLLECT_PATIENCE)
            .await;
        let roster = collected.map_err(|error| join_refused(&error))?;
        Ok(CollectResponse {
            joined: roster.map(|roster| views::joined(&roster, listener)),
        })
    }
}

fn status(request: &JoinRequest, now: Now) -> RequestStatus {
    let since = now.monotonic.since(request.asked);
    RequestStatus {
        node: request.node.to_string(),
        name: request.name.to_string(),
        words: request.words.to_string(),
        place: request.place.clone(),
        asked: (now.wall - since).0,
    }
}

/// A node and where it is, of an address such as `/ip4/192.0.2.1/tcp/4001/p2p/12D3Koo…`.
pub(super) fn whole_address(text: &str) -> Result<(NodeId, Vec<String>), Refused> {
    let needs_id = || {
        bad_input(
            &"an address to ask at ends in /p2p/ID, as `peerage requests --open 10m` prints it",
        )
    };
    let mut address: Multiaddr = text.parse().map_err(|error| bad_input(&error))?;
    let Some(Protocol::P2p(peer)) = address.pop() else {
        return Err(needs_id());
    };
    let node = node_id(&peer).ok_or_else(needs_id)?;
    Ok((node, vec![address.to_string()]))
}
