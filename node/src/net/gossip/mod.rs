//! News for everybody: gossipsub (libp2p's epidemic broadcast) among the members a link stands to.
//!
//! Messages are anonymous at this level, for what they say is signed inside, and are passed on only once control has
//! judged them. Nothing here is reliable: what is lost is repaired by asking.

mod awaited;
mod behaviour;
mod error;
mod traffic;

use std::fmt;

use libp2p::gossipsub;
use libp2p::gossipsub::{IdentTopic, TopicHash};
use peerage_protocol::id::RegionName;

pub(super) use awaited::Awaited;
pub(crate) use behaviour::{Behaviour, behaviour};
pub use error::PublishError;
pub(super) use error::{check_size, published};
pub(super) use traffic::Counters;
pub use traffic::GossipTraffic;

/// What nodes subscribe to; those in a region, to a topic below it.
const MEMBERS_TOPIC: &str = "peerage/1/members";

/// Names one message: the first 20 bytes of BLAKE3 (topic ‖ data), so that it is the same at every node.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct GossipId(pub [u8; 20]);

impl GossipId {
    /// The name of `data` under `topic`.
    fn of(topic: &TopicHash, data: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(topic.as_str().as_bytes());
        hasher.update(data);
        let mut id = [0; 20];
        hasher.finalize_xof().fill(&mut id);
        Self(id)
    }
}

impl fmt::Debug for GossipId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

/// What becomes of a message that was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GossipVerdict {
    /// It is passed on.
    Accept,
    /// It is not passed on; nothing is held against whom it came from.
    Ignore,
    /// It is not passed on, and whom it came from should have known better.
    Reject,
}

impl From<GossipVerdict> for gossipsub::MessageAcceptance {
    fn from(verdict: GossipVerdict) -> Self {
        match verdict {
            GossipVerdict::Accept => Self::Accept,
            GossipVerdict::Ignore => Self::Ignore,
            GossipVerdict::Reject => Self::Reject,
        }
    }
}

/// The topic of a region; without regions, of the whole mesh.
pub(crate) fn members_topic(region: Option<&RegionName>) -> IdentTopic {
    match region {
        Some(region) => IdentTopic::new(format!("{MEMBERS_TOPIC}/{region}")),
        None => IdentTopic::new(MEMBERS_TOPIC),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn each_region_has_its_topic_and_a_mesh_without_regions_its_own() {
        let region = "eu-west".parse().unwrap();
        let topic = members_topic(Some(&region)).to_string();
        assert_eq!(topic, "peerage/1/members/eu-west");
        assert_eq!(members_topic(None).to_string(), "peerage/1/members");
    }

    #[test]
    fn a_message_is_named_by_its_topic_and_its_bytes() {
        let topic = members_topic(None).hash();
        let id = GossipId::of(&topic, b"news");
        assert_eq!(id, GossipId::of(&topic, b"news"));
        assert_ne!(id, GossipId::of(&topic, b"other news"));
        assert_ne!(id, GossipId::of(&TopicHash::from_raw("other"), b"news"));
        let whole = blake3::hash(b"peerage/1/membersnews");
        assert_eq!(id.0, whole.as_bytes()[..20]);
    }
}
