//! A gossip message, and where it has been.

use std::sync::Arc;

use peerage_protocol::wire::announcement::Announcement;

/// Names a message by what it says.
pub(crate) type MessageId = u64;

/// Arrivals are kept in units of so many microseconds, so that 32 bits hold more than a day.
const UNIT_US: u64 = 32;
/// No arrival.
const NEVER: u32 = u32::MAX;

/// One message.
pub(crate) struct Message {
    pub(crate) payload: Arc<Announcement>,
    pub(crate) bytes: usize,
    pub(crate) publisher: usize,
    pub(crate) published_us: u64,
    /// Its place in the order of publications.
    pub(crate) number: u64,
    pub(crate) duplicates: u64,
    /// The nodes that could have had it: those in the mesh when it was published.
    pub(crate) audience: Arc<Vec<bool>>,
    /// When each node first had it.
    arrivals: Vec<u32>,
}

impl Message {
    pub(crate) fn new(
        payload: Arc<Announcement>,
        bytes: usize,
        publisher: usize,
        published_us: u64,
        number: u64,
        audience: Arc<Vec<bool>>,
    ) -> Self {
        Self {
            payload,
            bytes,
            publisher,
            published_us,
            number,
            duplicates: 0,
            arrivals: vec![NEVER; audience.len()],
            audience,
        }
    }

    /// A copy is at a node; whether it is the first.
    pub(crate) fn arrive(&mut self, now_us: u64, node: usize) -> bool {
        let Some(arrival) = self.arrivals.get_mut(node) else {
            return false;
        };
        let first = *arrival == NEVER;
        if first {
            let units = now_us.saturating_sub(self.published_us) / UNIT_US;
            *arrival = u32::try_from(units).unwrap_or(NEVER - 1).min(NEVER - 1);
        }
        first
    }

    /// When a node first had it.
    pub(crate) fn arrived_us(&self, node: usize) -> Option<u64> {
        let units = self
            .arrivals
            .get(node)
            .copied()
            .filter(|units| *units != NEVER)?;
        Some(self.published_us + u64::from(units) * UNIT_US)
    }

    pub(crate) fn forget_arrival(&mut self, node: usize) {
        if let Some(arrival) = self.arrivals.get_mut(node) {
            *arrival = NEVER;
        }
    }

    /// First arrivals at other nodes, in order, since the publication.
    pub(crate) fn spread_us(&self) -> Vec<u64> {
        let others = self.arrivals.iter().enumerate();
        let others = others.filter(|(node, units)| *node != self.publisher && **units != NEVER);
        let mut spread: Vec<u64> = others
            .map(|(_, units)| u64::from(*units) * UNIT_US)
            .collect();
        spread.sort_unstable();
        spread
    }

    /// How many of its audience `still` there never had it.
    pub(crate) fn missed(&self, still: impl Fn(usize) -> bool) -> u64 {
        let audience = self.audience.iter().zip(&self.arrivals).enumerate();
        let missed = audience
            .filter(|(node, (audience, units))| **audience && **units == NEVER && still(*node));
        missed.count() as u64
    }
}
