//! The ways from node to node: QUIC, and TCP with noise and yamux, both through the gate.
//!
//! In-process channels (`/memory/…`) take the same road as TCP, so that a simulation meets the same gate.

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
use libp2p::{dns, noise, quic, tcp, yamux};
use peerage_protocol::limits::SUBSTREAMS_PER_CONNECTION_MAX;

use super::bounded_close::BoundedClose;
use super::gate::{Gate, GateError};
use super::in_process::InProcessTransport;

/// Time for a secure channel to stand, from the first packet; the gate's own deadline comes after.
const SECURE_CHANNEL_DEADLINE: Duration = Duration::from_secs(10);

/// Silence after which QUIC gives a connection up; the pulse notices a dead peer long before.
const QUIC_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Time between two packets that keep paths through NATs open.
const QUIC_KEEP_ALIVE: Duration = Duration::from_secs(5);

/// Bytes in flight on one substream: a large result crosses a fast link without waiting for credit.
const QUIC_SUBSTREAM_WINDOW: u32 = 8 * 1024 * 1024;

/// Bytes in flight on one connection; also what a stranger can make this node hold before the gate ends.
const QUIC_CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;

/// What the swarm listens and dials with.
pub(crate) fn gated_transport(
    keypair: &Keypair,
    in_process: InProcessTransport,
    gate: Gate,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, noise::Error> {
    let ways = quic_transport(keypair)
        .or_transport(stream_transport(keypair, in_process)?)
        .map(|way, _| Either::into_inner(way))
        .map_err(|error| error.into_inner());
    Ok(by_name(ways.boxed())
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(BoundedClose::new(muxer))))
        .and_then(move |(peer, muxer), point| gate.admit(peer, muxer, point))
        .map_err(|error| error.either(ConnectError::Channel, ConnectError::Gate))
        .boxed())
}

/// The same, to `/dns`, `/dns4`, `/dns6` and `/dnsaddr` addresses too, as the system resolves names.
fn by_name(
    ways: Boxed<(PeerId, StreamMuxerBox)>,
) -> impl Transport<
    Output = (PeerId, StreamMuxerBox),
    Error = io::Error,
    ListenerUpgrade: Send,
    Dial: Send,
> + Send
+ Unpin {
    let system = hickory_resolver::system_conf::read_system_conf();
    let (config, options) = system.unwrap_or_else(|error| {
        tracing::warn!(%error, "the system names no resolver; addresses with host names will not be found");
        Default::default()
    });
    dns::tokio::Transport::custom(ways, config, options).map_err(io::Error::other)
}

fn quic_transport(keypair: &Keypair) -> Boxed<(PeerId, StreamMuxerBox)> {
    let mut config = quic::Config::new(keypair);
    config.handshake_timeout = SECURE_CHANNEL_DEADLINE;
    config.max_idle_timeout = u32::try_from(QUIC_IDLE_TIMEOUT.as_millis()).unwrap_or(u32::MAX);
    config.keep_alive_interval = QUIC_KEEP_ALIVE;
    config.max_concurrent_stream_limit = SUBSTREAMS_PER_CONNECTION_MAX;
    config.max_stream_data = QUIC_SUBSTREAM_WINDOW;
    config.max_connection_data = QUIC_CONNECTION_WINDOW;
    quic::tokio::Transport::new(config)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .boxed()
}

fn stream_transport(
    keypair: &Keypair,
    in_process: InProcessTransport,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, noise::Error> {
    let mut muxer = yamux::Config::default();
    muxer.set_max_num_streams(SUBSTREAMS_PER_CONNECTION_MAX as usize);
    Ok(tcp::tokio::Transport::new(tcp::Config::new().nodelay(true))
        .or_transport(in_process)
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(keypair)?)
        .multiplex(muxer)
        .timeout(SECURE_CHANNEL_DEADLINE)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
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
