//! Copies of gossip messages on their way. Most come where another was before; no event is needed for those.
//!
//! A copy to a node that has had the message, or that will have it by another copy before, is counted and paid for, and
//! does not happen. Only if that other is lost with its connection, those behind it come.

use super::World;
use super::event::{Event, Id};
use super::fabric::{MessageId, Whereabouts};
use super::gossip::{Content, Parcel};

/// What framing, encryption and transport add to a copy.
const COPY_BYTES: usize = 60;

/// A copy that arrives later than another of the same.
pub(crate) struct Behind {
    from: usize,
    over: (Id, usize),
    at_us: u64,
}

impl World {
    /// Sends a copy of a message over the link.
    pub(crate) fn send_copy(&mut self, from: usize, to: usize, message: MessageId) {
        let bytes = COPY_BYTES + self.fabric.message(message).map_or(0, |known| known.bytes);
        let (passes, whereabouts) = (
            self.network.passes(from, to),
            self.fabric.whereabouts(to, message),
        );
        let process = self.machines[from].process.as_ref();
        if passes && whereabouts == Whereabouts::Had {
            if process.is_some_and(|process| process.peers.contains_key(&to)) {
                self.account(from, to, bytes, "gossip");
                self.count_duplicates(message, 1);
            }
            return;
        }
        let Some(over) = self.link(from, to) else {
            return;
        };
        if !passes {
            let parcel = self.put_copy(from, to, over, 0, message);
            self.send_over(over.0, over.1, bytes, Event::Parcel { parcel });
            return;
        }
        let at_us = self.account(from, to, bytes, "gossip");
        match whereabouts {
            Whereabouts::OnItsWay(first) => match self.parcels.get_mut(first) {
                Some(first) if first.at_us <= at_us => {
                    first.behind.push(Behind { from, over, at_us })
                }
                _ => self.schedule_copy(from, to, over, at_us, message),
            },
            Whereabouts::Had | Whereabouts::Elsewhere => {
                self.schedule_copy(from, to, over, at_us, message);
            }
        }
    }

    /// Copies came where one had been.
    pub(crate) fn count_duplicates(&mut self, message: MessageId, copies: usize) {
        self.statistics.gossip_duplicates += copies as u64;
        self.fabric.count_duplicates(message, copies);
    }

    /// A parcel does not arrive when it was to: if it is a copy, those behind it may come before.
    pub(crate) fn let_others_go_ahead(&mut self, parcel: Id) {
        let Some(late) = self.parcels.get_mut(parcel) else {
            return;
        };
        let Content::Copy(message) = late.content else {
            return;
        };
        let (to, behind) = (late.to, std::mem::take(&mut late.behind));
        if self.fabric.whereabouts(to, message) == Whereabouts::OnItsWay(parcel) {
            self.fabric.await_copy(to, message, None);
        }
        for Behind { from, over, at_us } in behind {
            let at_us = at_us.max(self.now_us);
            let parcel = self.put_copy(from, to, over, at_us, message);
            self.queue.schedule(at_us, Event::Parcel { parcel });
        }
    }

    /// The next copy that comes to a node.
    fn schedule_copy(
        &mut self,
        from: usize,
        to: usize,
        over: (Id, usize),
        at_us: u64,
        message: MessageId,
    ) {
        let parcel = self.put_copy(from, to, over, at_us, message);
        self.fabric.await_copy(to, message, Some(parcel));
        self.queue.schedule(at_us, Event::Parcel { parcel });
    }

    fn put_copy(
        &mut self,
        from: usize,
        to: usize,
        over: (Id, usize),
        at_us: u64,
        message: MessageId,
    ) -> Id {
        self.parcels.put(Parcel {
            from,
            to,
            over,
            at_us,
            content: Content::Copy(message),
            behind: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use peerage_protocol::wire::announcement::Announcement;

    use super::*;
    use crate::outcome::Options;
    use crate::samples;
    use crate::world::connections::{DIALER, LISTENER, State};

    /// Nodes 0 and 1 with a link to node 2 each, and what these two publish.
    fn two_links() -> (World, [Id; 2]) {
        let mut world = World::new(&samples::plan(3, Vec::new()), &Options::default());
        (0..3).for_each(|node| world.boot(node));
        let links = [0, 1].map(|from| {
            let id = world.connect((from, 1), (2, 1));
            let connection = world.connections.get_mut(&id).unwrap();
            connection.ends[DIALER].state = State::Open;
            connection.ends[LISTENER].state = State::Open;
            for (node, other) in [(from, 2), (2, from)] {
                let process = world.machines[node].process.as_mut().unwrap();
                process.peers.insert(other, vec![id]);
                world.fabric.connected(node, other);
            }
            id
        });
        (world, links)
    }

    /// Node 0 publishes, and node 1 sends the same on as soon as it has it.
    fn two_copies(world: &mut World) -> MessageId {
        let announcement = Arc::<Announcement>::default();
        world.publish_by(0, announcement).unwrap();
        let message = world.fabric.remembered()[0];
        world.send_copy(1, 2, message);
        message
    }

    fn parcels(world: &mut World) -> usize {
        let happened = std::iter::from_fn(|| world.queue.next());
        let parcels: Vec<(u64, Event)> = happened
            .filter(|(_, event)| matches!(event, Event::Parcel { .. }))
            .collect();
        let count = parcels.len();
        for (at_us, event) in parcels {
            world.now_us = at_us;
            world.happen(event);
        }
        count
    }

    #[test]
    fn of_two_copies_the_later_is_counted_and_does_not_happen() {
        let (mut world, _) = two_links();
        let message = two_copies(&mut world);
        assert!(matches!(
            world.fabric.whereabouts(2, message),
            Whereabouts::OnItsWay(_)
        ));
        let happened = parcels(&mut world);
        assert_eq!(world.fabric.whereabouts(2, message), Whereabouts::Had);
        let duplicates = world.statistics.gossip_duplicates;
        // Were the second the faster, it would happen as well.
        assert!((1..=2).contains(&happened) && duplicates == 1, "{happened}");
        world.send_copy(1, 2, message);
        assert_eq!(world.statistics.gossip_duplicates, 2);
        assert_eq!(parcels(&mut world), 0);
    }

    #[test]
    fn a_copy_behind_one_that_is_lost_with_its_connection_comes() {
        let (mut world, [first, _]) = two_links();
        let message = two_copies(&mut world);
        world.connections.remove(&first);
        assert_eq!(parcels(&mut world), 1);
        assert_eq!(world.fabric.whereabouts(2, message), Whereabouts::Elsewhere);
        assert_eq!(parcels(&mut world), 1);
        assert_eq!(world.fabric.whereabouts(2, message), Whereabouts::Had);
        assert_eq!(world.statistics.gossip_duplicates, 0);
    }
}
