//! Liveness: both ends of every connection give a sign of life each second; silence closes the connection.
//!
//! A killed peer is plain silence over QUIC, so nothing else would notice for half a minute. Silence is counted in
//! this node's own ticks, read after the substream: a node that was not scheduled itself blames nobody.

mod behaviour;
mod handler;
mod silence;

use libp2p::StreamProtocol;

pub(crate) use behaviour::{Behaviour, DeclaredDead};

/// The protocol of the one substream that carries signs of life; each is one byte.
const PROTOCOL: StreamProtocol = StreamProtocol::new("/peerage/pulse/1");
