//! One announcement at a time to each member, the latest last: what waits is replaced, never queued.

use std::collections::HashMap;
use std::sync::Arc;

use peerage_protocol::id::NodeId;
use peerage_protocol::wire::announcement::Announcement;

/// Announcements under way and waiting.
#[derive(Default)]
pub(super) struct Announcer {
    members: HashMap<NodeId, Option<Arc<Announcement>>>,
}

impl Announcer {
    /// Returns the announcement if it may be sent now; else it waits in place of an older one.
    pub(super) fn offer(
        &mut self,
        to: NodeId,
        announcement: Arc<Announcement>,
    ) -> Option<Arc<Announcement>> {
        match self.members.get_mut(&to) {
            Some(waiting) => {
                *waiting = Some(announcement);
                None
            }
            None => {
                self.members.insert(to, None);
                Some(announcement)
            }
        }
    }

    /// The announcement under way has ended; returns the one that is under way from here on.
    pub(super) fn ended(&mut self, to: NodeId) -> Option<Arc<Announcement>> {
        let next = self.members.get_mut(&to)?.take();
        if next.is_none() {
            self.members.remove(&to);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use peerage_protocol::id::Hash;

    use super::*;

    fn announcement(text: &str) -> Arc<Announcement> {
        Arc::new(Announcement {
            addresses: Vec::new(),
            manifest: Hash::of(text.as_bytes()),
            members: Vec::new(),
            leaving: false,
        })
    }

    #[test]
    fn of_those_that_wait_only_the_latest_is_sent() {
        let mut announcer = Announcer::default();
        let node = NodeId::from_public_key([1; 32]);
        assert!(announcer.offer(node, announcement("first")).is_some());
        assert!(announcer.offer(node, announcement("second")).is_none());
        assert!(announcer.offer(node, announcement("third")).is_none());
        assert_eq!(announcer.ended(node).unwrap(), announcement("third"));
        assert!(announcer.ended(node).is_none());
        assert!(announcer.offer(node, announcement("fourth")).is_some());
    }
}
