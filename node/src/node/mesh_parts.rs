//! The mesh's parts of a node: the swarm behind its gate, what it does for members, and control, which starts running.

use std::sync::Arc;

use libp2p::Multiaddr;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::foundation::Foundation;
use super::gateway_parts::GatewayParts;
use super::{EVENTS_WAITING_MAX, StartError};
use crate::config::settings::Settings;
use crate::control::{
    Control, ControlError, MemberExchanges, Membership, PeerNetwork, Soundings, follow_network,
};
use crate::gateway::frontend::admission::Admission;
use crate::gateway::frontend::members::MemberSubstreams;
use crate::gateway::frontend::peer::PeerFrontend;
use crate::net::peer_id::keypair;
use crate::net::{Door, Network, NetworkSettings};

pub(super) struct MeshParts {
    pub(super) network: Network,
    pub(super) membership: Membership,
    pub(super) soundings: Arc<Soundings>,
    pub(super) door: Door,
    pub(super) control: JoinHandle<Result<(), ControlError>>,
}

impl MeshParts {
    /// Listens, and answers members from then on.
    pub(super) async fn start(
        base: &Foundation,
        parts: &GatewayParts,
        control: Control,
        settings: &Settings,
        listen: Vec<Multiaddr>,
        stop: &CancellationToken,
    ) -> Result<Self, StartError> {
        let soundings = Arc::new(Soundings::new(base.clock));
        let door = Door::default();
        let inbound = inbound(base, parts, &soundings, &door);
        let (network_events, events) = mpsc::channel(EVENTS_WAITING_MAX);
        let network_settings = NetworkSettings {
            region: settings.region.clone(),
            listen,
            links: parts.links.clone(),
            door: door.clone(),
            ..NetworkSettings::new(keypair(&Zeroizing::new(base.own.key.to_bytes())))
        };
        let gate = Arc::new(control.gate());
        let network =
            Network::start(network_settings, gate, Arc::new(inbound), network_events).await?;
        let peers: Arc<dyn PeerNetwork> = Arc::new(network.clone());
        let (handle, snapshots) = (base.handle.clone(), base.snapshots.clone());
        let membership = control.membership(peers.clone());
        let joining = control.joining_dials();
        let following = follow_network(events, peers.clone(), handle, snapshots.clone(), joining);
        tokio::spawn(following);
        let sounding = soundings.clone();
        tokio::spawn(sounding.run(peers.clone(), snapshots, stop.clone()));
        // It goes on until the last word is said, and is ended by hand.
        let control = tokio::spawn(control.run(peers, CancellationToken::new()));
        Ok(Self {
            network,
            membership,
            soundings,
            door,
            control,
        })
    }
}

fn inbound(
    base: &Foundation,
    parts: &GatewayParts,
    soundings: &Arc<Soundings>,
    door: &Door,
) -> MemberSubstreams {
    let exchanges = MemberExchanges::new(
        base.handle.clone(),
        base.snapshots.clone(),
        soundings.clone(),
        base.store.clone(),
    );
    let frontend = PeerFrontend::new(
        base.me,
        Arc::new(Admission::default()),
        parts.router.clone(),
        Arc::new(exchanges),
        door.clone(),
    );
    MemberSubstreams::new(frontend, base.snapshots.clone())
}
