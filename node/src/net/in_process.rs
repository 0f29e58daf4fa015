//! Channels within one process (`/memory/…`), for many nodes in one: they take the same road as TCP, gate included.

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::Transport;
use libp2p::core::transport::{Boxed, MemoryTransport};

/// One end of a channel.
pub trait InProcessStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> InProcessStream for S {}

/// What listens at and dials `/memory/…`; a simulation may give one that delays what passes.
pub type InProcessTransport = Boxed<Box<dyn InProcessStream>>;

/// Channels without any delay.
pub fn in_process_transport() -> InProcessTransport {
    MemoryTransport::default()
        .map(|channel, _| Box::new(channel) as Box<dyn InProcessStream>)
        .boxed()
}
