//! The channels between the nodes of one swarm, as long as each pair's latency says.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::Multiaddr;
use libp2p::core::transport::MemoryTransport;
use libp2p::core::{ConnectedPoint, Transport};
use libp2p::multiaddr::Protocol;
use peerage_node::net::in_process::{InProcessStream, InProcessTransport};

use super::delayed::Delayed;
use super::latency::LatencyRange;

/// The addresses and latencies of one swarm.
#[derive(Clone, Copy, Debug)]
pub(super) struct Channels {
    /// The port of the node with number 0.
    first_port: u64,
    /// What keys and latencies are drawn from.
    pub(super) seed: u64,
    latency: LatencyRange,
}

impl Channels {
    /// Channels of a swarm of its own, apart from others in this process.
    pub(super) fn new(seed: u64, latency: LatencyRange) -> Self {
        static SWARMS: AtomicU64 = AtomicU64::new(1);
        let swarm = SWARMS.fetch_add(1, Ordering::Relaxed);
        Self {
            first_port: swarm << 32,
            seed,
            latency,
        }
    }

    /// Where the node with this number listens.
    pub(super) fn address(self, number: u32) -> Multiaddr {
        Protocol::Memory(self.first_port + u64::from(number)).into()
    }

    /// What the node with number `own` listens and dials with.
    pub(super) fn transport(self, own: u32) -> InProcessTransport {
        MemoryTransport::default()
            .and_then(move |channel, point| self.delay(own, channel, point))
            .map(|channel, _| Box::new(channel) as Box<dyn InProcessStream>)
            .map_err(|error| io::Error::other(error.to_string()))
            .boxed()
    }

    /// The dialer knows both numbers, and tells the listener its own before anything else.
    async fn delay<S: InProcessStream>(
        self,
        own: u32,
        mut channel: S,
        point: ConnectedPoint,
    ) -> io::Result<Delayed<S>> {
        let other = match point {
            ConnectedPoint::Dialer { address, .. } => {
                channel.write_all(&own.to_be_bytes()).await?;
                channel.flush().await?;
                self.number(&address)?
            }
            ConnectedPoint::Listener { .. } => {
                let mut number = [0; 4];
                channel.read_exact(&mut number).await?;
                u32::from_be_bytes(number)
            }
        };
        let latency = self.latency.between(self.seed, own, other);
        Ok(Delayed::new(channel, latency))
    }

    fn number(self, address: &Multiaddr) -> io::Result<u32> {
        let port = address.iter().find_map(|part| match part {
            Protocol::Memory(port) => Some(port),
            _ => None,
        });
        let number = port.and_then(|port| port.checked_sub(self.first_port));
        number
            .and_then(|number| u32::try_from(number).ok())
            .ok_or_else(|| io::Error::other(format!("{address} is not of this swarm")))
    }
}
