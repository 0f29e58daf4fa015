//! The ways from node to node: QUIC, and TCP with noise and yamux, both past the door and through the gate.
//!
//! In-process channels (`/memory/…`) take the same road as TCP, so that a simulation meets the same gate.

use std::convert::identity;
use std::error::Error;
use std::io;
use std::time::Duration;

use futures::future::Either;
use libp2p::PeerId;
use libp2p::core::Transport;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{Boxed, TransportError};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::{dns, noise, tcp};

use super::attended::Attended;
use super::credit::Arrival;
use super::door::Door;
use super::gate::{Gate, GateError};
use super::in_process::InProcessTransport;
use super::muxer::Muxing;
use super::network::StartError;
use super::quic::QuicTransport;

/// Time for a secure channel to stand, from the first packet; the gate's own deadline comes after.
const SECURE_CHANNEL_DEADLINE: Duration = Duration::from_secs(10);

/// What the swarm listens and dials with.
pub(crate) fn gated_transport(
    keypair: &Keypair,
    in_process: InProcessTransport,
    gate: Gate,
    door: Door,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, StartError> {
    let quic = QuicTransport::new(keypair, door.clone()).map_err(StartError::Quic)?;
    let streams = stream_transport(keypair, in_process).map_err(StartError::Noise)?;
    let ways = quic
        .or_transport(Attended::new(streams, door))
        .map(|way, _| Either::into_inner(way))
        .map_err(|error| error.either(io::Error::other, identity));
    Ok(by_name(ways.boxed())
        .and_then(move |(peer, arrival), point| gate.admit(peer, arrival, point))
        .map_err(|error| error.either(ConnectError::Channel, ConnectError::Gate))
        .boxed())
}

/// The same, to `/dns`, `/dns4`, `/dns6` and `/dnsaddr` addresses too, as the system resolves names.
fn by_name(
    ways: Boxed<(PeerId, Arrival)>,
) -> impl Transport<Output = (PeerId, Arrival), Error = io::Error, ListenerUpgrade: Send, Dial: Send>
+ Send
+ Unpin {
    let system = hickory_resolver::system_conf::read_system_conf();
    let (config, options) = system.unwrap_or_else(|error| {
        tracing::warn!(%error, "the system names no resolver; addresses with host names will not be found");
        Default::default()
    });
    dns::tokio::Transport::custom(ways, config, options).map_err(io::Error::other)
}

fn stream_transport(
    keypair: &Keypair,
    in_process: InProcessTransport,
) -> Result<Boxed<(PeerId, Arrival)>, noise::Error> {
    Ok(tcp::tokio::Transport::new(tcp::Config::new().nodelay(true))
        .or_transport(in_process)
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(keypair)?)
        .multiplex(Muxing::default())
        .timeout(SECURE_CHANNEL_DEADLINE)
        .map(|(peer, muxer), _| (peer, muxer.into_arrival()))
        .boxed())
}

/// Why no connection stands.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No secure channel: nobody there, or not who was expected.
    #[error("{0}")]
    Channel(#[source] io::Error),
    /// A secure channel, but the gate stayed closed.
    #[error(transparent)]
    Gate(GateError),
}

/// What went wrong in one line, causes included: libp2p's own errors often say nothing but "failed".
pub(super) fn reason(error: &TransportError<io::Error>) -> String {
    let TransportError::Other(error) = error else {
        return "this kind of address is not spoken".to_owned();
    };
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        cause = error.source();
    }
    said
}
