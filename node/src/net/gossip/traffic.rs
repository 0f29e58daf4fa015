//! Counts what gossip brings, copies included: gossipsub itself tells of the first copy alone.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use libp2p::gossipsub::{DataTransform, IdentityTransform, Message, RawMessage, TopicHash};

/// What gossip brought to this node since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GossipTraffic {
    /// Messages received, every copy counted.
    pub copies: u64,
    /// Bytes of them, envelopes excluded.
    pub bytes: u64,
    /// Messages received for the first time.
    pub messages: u64,
}

/// The running counts; clones count together.
#[derive(Clone, Default)]
pub(crate) struct Counters {
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    copies: AtomicU64,
    bytes: AtomicU64,
    messages: AtomicU64,
}

impl Counters {
    /// A message came for the first time.
    pub(crate) fn first_copy(&self) {
        self.counts.messages.fetch_add(1, Ordering::Relaxed);
    }

    /// The counts now.
    pub(crate) fn traffic(&self) -> GossipTraffic {
        GossipTraffic {
            copies: self.counts.copies.load(Ordering::Relaxed),
            bytes: self.counts.bytes.load(Ordering::Relaxed),
            messages: self.counts.messages.load(Ordering::Relaxed),
        }
    }
}

/// Messages pass unchanged; every copy passes here, before duplicates are told apart.
impl DataTransform for Counters {
    fn inbound_transform(&self, raw: RawMessage) -> io::Result<Message> {
        let bytes = u64::try_from(raw.data.len()).unwrap_or(u64::MAX);
        self.counts.copies.fetch_add(1, Ordering::Relaxed);
        self.counts.bytes.fetch_add(bytes, Ordering::Relaxed);
        IdentityTransform.inbound_transform(raw)
    }

    fn outbound_transform(&self, _: &TopicHash, data: Vec<u8>) -> io::Result<Vec<u8>> {
        Ok(data)
    }
}
