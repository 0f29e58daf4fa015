//! A gossip message, and where it has been.

use std::sync::Arc;

use peerage_protocol::wire::announcement::Announcement;

/// Names a message by what it says.
pub(crate) type MessageId = u64;

/// Arrivals are kept in units of so many microseconds, so that 31 bits hold most of a day.
const UNIT_US: u64 = 32;
/// No arrival.
const NEVER: u32 = u32::MAX;
/// Set where a copy is on its way; the other bits are the number of the parcel.
const ON_ITS_WAY: u32 = 1 << 31;
/// The latest arrival that can be told from the above.
const LATEST: u32 = ON_ITS_WAY - 1;

/// How far a message has come to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whereabouts {
    /// No copy is known to be on its way.
    Elsewhere,
    /// The copy in this parcel is on its way, and none before it.
    OnItsWay(u64),
    /// The node has had it.
    Had,
}

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
    /// When each node first had it, or that it is on its way there.
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
        let first = !has_had(*arrival);
        if first {
            let units = now_us.saturating_sub(self.published_us) / UNIT_US;
            *arrival = u32::try_from(units).unwrap_or(LATEST).min(LATEST);
        }
        first
    }

    /// How far it has come to a node.
    pub(crate) fn whereabouts(&self, node: usize) -> Whereabouts {
        match self.arrivals.get(node) {
            Some(arrival) if has_had(*arrival) => Whereabouts::Had,
            Some(&NEVER) | None => Whereabouts::Elsewhere,
            Some(arrival) => Whereabouts::OnItsWay(u64::from(arrival & !ON_ITS_WAY)),
        }
    }

    /// From now on the copy in `parcel` is the next that a node will have; `None` where there is none. A node that has
    /// had the message goes on having it.
    pub(crate) fn await_copy(&mut self, node: usize, parcel: Option<u64>) {
        let number = parcel.and_then(|parcel| u32::try_from(parcel).ok());
        let number = number.filter(|number| *number < LATEST);
        if let Some(arrival) = self.arrivals.get_mut(node)
            && !has_had(*arrival)
        {
            *arrival = number.map_or(NEVER, |number| number | ON_ITS_WAY);
        }
    }

    /// When a node first had it.
    pub(crate) fn arrived_us(&self, node: usize) -> Option<u64> {
        let units = self
            .arrivals
            .get(node)
            .copied()
            .filter(|units| has_had(*units))?;
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
        let others = others.filter(|(node, units)| *node != self.publisher && has_had(**units));
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
            .filter(|(node, (audience, units))| **audience && !has_had(**units) && still(*node));
        missed.count() as u64
    }
}

/// Whether this stands for an arrival.
const fn has_had(arrival: u32) -> bool {
    arrival <= LATEST
}
