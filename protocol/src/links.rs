//! When to dial whom: neighbours are linked, and tried again with back-off while they are not; others are linked for
//! as long as somebody needs them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::id::NodeId;
use crate::mutation::Mutation;
use crate::time::Monotonic;

/// First pause after a failed dial; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause between dials of a member.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Pause after a refusal: the other side must change before another try is worth it.
const PAUSE_AFTER_REFUSAL: Duration = Duration::from_secs(60);
/// A dial that has brought neither link nor failure by then counts as failed.
const DIAL_LOST_AFTER: Duration = Duration::from_secs(30);
/// A dial begun so lately was made in the network that the node is in now.
const DIAL_FRESH_FOR: Duration = Duration::from_secs(2);
/// A member whose dials failed this often in a row is not counted on.
const FAILING_AFTER: u32 = 2;
/// How long a link that is no neighbour's is kept after it came about, and before it is looked at again.
pub(crate) const LINGER: Duration = Duration::from_secs(60);
/// Nodes that are no members (yet) and were sighted: as many are remembered.
const STRANGERS_MAX: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Up,
    Dialing { since: Monotonic },
    Waiting { until: Monotonic },
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    link: Link,
    failures: u32,
    /// A neighbour, wanted without end.
    wanted: bool,
    /// Wanted until then in any case.
    keep_until: Monotonic,
    /// This node made the link, so it is this node that ends it.
    dialed: bool,
    /// It was named as idle: when it ends, it is not made again.
    idle: bool,
}

/// The links of one node, wanted and standing.
#[derive(Clone, Debug, Default)]
pub struct Links {
    members: BTreeMap<NodeId, Entry>,
    strangers: BTreeMap<NodeId, Entry>,
    /// Members whose links came about, ended, or began or ceased to be wanted.
    changed: Vec<NodeId>,
    /// The next moments at which something is to be done; `None` when they have to be looked for.
    moments: Option<Moments>,
}

/// When to look at all links again.
#[derive(Clone, Copy, Debug)]
struct Moments {
    /// As in [`Links::next_deadline`].
    deadline: Option<Monotonic>,
    /// When the first ceases to be wanted.
    useless: Option<Monotonic>,
}

impl Links {
    /// Makes `neighbours` the members to which links are wanted without end. The links of others stay up for now.
    pub fn want(&mut self, now: Monotonic, neighbours: &BTreeSet<NodeId>) {
        self.moments = None;
        for (node, entry) in &mut self.members {
            entry.wanted = neighbours.contains(node);
        }
        for node in neighbours {
            self.entry(now, *node).wanted = true;
        }
        self.drop_useless(now);
    }

    /// The members whose links came about or ended, or began or ceased to be wanted, since this was last asked.
    pub(crate) fn take_changed(&mut self) -> Vec<NodeId> {
        std::mem::take(&mut self.changed)
    }

    fn drop_useless(&mut self, now: Monotonic) {
        let changed = &mut self.changed;
        self.members.retain(|node, entry| {
            let stays = entry.is_of_use(now);
            if !stays {
                changed.push(*node);
            }
            stays
        });
    }

    /// Wants a link to a member for `time` from now on.
    pub fn keep(&mut self, now: Monotonic, node: NodeId, time: Duration) {
        let entry = self.entry(now, node);
        entry.keep_until = entry.keep_until.max(now + time);
        entry.idle = false;
    }

    fn entry(&mut self, now: Monotonic, node: NodeId) -> &mut Entry {
        self.moments = None;
        let stranger = self.strangers.remove(&node);
        let changed = &mut self.changed;
        self.members.entry(node).or_insert_with(|| {
            changed.push(node);
            stranger.unwrap_or(Entry::due(now))
        })
    }

    /// Addresses of a node were told: it is tried at once, and where they are `news` even beside a dial of older ones,
    /// which may wait long for an answer from nobody. Returns the node that is no
    /// longer remembered in its place: the stranger that failed most often, or the node itself where none has failed.
    pub fn sighted(&mut self, now: Monotonic, node: NodeId, news: bool) -> Option<NodeId> {
        self.moments = None;
        if let Some(entry) = self.members.get_mut(&node) {
            entry.hasten(now, news);
            return None;
        }
        if let Some(entry) = self.strangers.get_mut(&node) {
            if news {
                entry.hasten(now, news);
            }
            return None;
        }
        let mut forgotten = None;
        if self.strangers.len() >= STRANGERS_MAX && !Mutation::RememberEveryStranger.is_on() {
            let worst = self
                .strangers
                .iter()
                .max_by_key(|(_, entry)| entry.failures);
            let worst = worst.filter(|(_, entry)| entry.failures > 0);
            let Some(worst) = worst.map(|(worst, _)| *worst) else {
                return Some(node);
            };
            self.strangers.remove(&worst);
            forgotten = Some(worst);
        }
        self.strangers.insert(node, Entry::due(now));
        forgotten
    }

    /// The network is another one: whoever waits is tried at `at` instead, even beside a dial that is not fresh.
    pub fn hasten_all(&mut self, at: Monotonic) {
        self.moments = None;
        for entry in self.members.values_mut().chain(self.strangers.values_mut()) {
            let stale = |since| at.since(since) >= DIAL_FRESH_FOR;
            let beside = matches!(entry.link, Link::Dialing { since } if stale(since));
            entry.hasten(at, beside);
        }
    }

    /// A link stands; `dialed` says whether this node made it.
    pub fn up(&mut self, now: Monotonic, node: NodeId, dialed: bool) {
        let entry = self.entry(now, node);
        entry.link = Link::Up;
        entry.failures = 0;
        entry.dialed = dialed;
        entry.idle = false;
        entry.keep_until = entry.keep_until.max(now + LINGER);
        self.changed.push(node);
    }

    /// The last connection to a node ended: it is dialed at once if it is still wanted. Says whether it was lost, and not
    /// given up here because it was idle.
    pub fn down(&mut self, now: Monotonic, node: NodeId) -> bool {
        self.moments = None;
        self.changed.push(node);
        let mut lost = true;
        if let Some(entry) = self.members.get_mut(&node) {
            lost = !entry.idle;
            // A link that came from the other end and was not wanted here is not this node's to make again, and one that
            // was idle is wanted by nobody.
            if !entry.wanted && (!entry.dialed || entry.idle) {
                entry.keep_until = now;
            }
            entry.link = Link::Waiting { until: now };
            entry.failures = 0;
            if Mutation::NeverRedial.is_on() {
                entry.link = Link::Waiting {
                    until: now + LONGEST_PAUSE * 1_000,
                };
            }
        }
        self.drop_useless(now);
        lost
    }

    /// A dial ended without a link and without a reason to wait: the next is made at once.
    pub fn dial_again(&mut self, now: Monotonic, node: NodeId) {
        if !self.is_up(node) {
            self.keep(now, node, LINGER);
            let entry = self.entry(now, node);
            entry.link = Link::Waiting { until: now };
        }
    }

    /// Links that this node made, that are no neighbours' and have lasted long enough. Each is named again after a
    /// while, for as long as it stands.
    pub fn idle(&mut self, now: Monotonic) -> Vec<NodeId> {
        if !self.is_time(now) {
            return Vec::new();
        }
        let mut idle = Vec::new();
        for (node, entry) in &mut self.members {
            if entry.is_spare() && entry.keep_until <= now {
                entry.keep_until = now + LINGER;
                entry.idle = true;
                idle.push(*node);
            }
        }
        self.moments = Some(self.find_moments());
        idle
    }

    /// A dial failed; the next waits for `longest` at most, and a spread of a quarter. Says whether the node is no longer
    /// remembered: a stranger that refuses is none of ours.
    pub fn failed(
        &mut self,
        now: Monotonic,
        node: NodeId,
        refused: bool,
        longest: Duration,
    ) -> bool {
        self.moments = None;
        if refused && self.strangers.remove(&node).is_some() {
            return true;
        }
        let members = self.members.get_mut(&node);
        let Some(entry) = members.or(self.strangers.get_mut(&node)) else {
            return false;
        };
        if entry.link == Link::Up {
            return false;
        }
        let pause = if refused {
            PAUSE_AFTER_REFUSAL
        } else {
            pause_after(node, entry.failures, longest)
        };
        entry.failures = entry.failures.saturating_add(1);
        entry.link = Link::Waiting { until: now + pause };
        false
    }

    /// Stops wanting a link.
    pub fn forget(&mut self, node: NodeId) {
        self.moments = None;
        self.members.remove(&node);
        self.strangers.remove(&node);
    }

    /// Whether a link to `node` stands.
    pub fn is_up(&self, node: NodeId) -> bool {
        self.members
            .get(&node)
            .is_some_and(|entry| entry.link == Link::Up)
    }

    /// Whether a link to `node` is wanted or stands.
    pub fn is_known(&self, node: NodeId) -> bool {
        self.members.contains_key(&node)
    }

    /// Whether the latest dials of `node` came to nothing.
    pub fn is_failing(&self, node: NodeId) -> bool {
        let entry = self.members.get(&node);
        entry.is_some_and(|entry| entry.failures >= FAILING_AFTER)
    }

    /// Whether it is time to ask others where `node` is: after its second failed dial in a row, the fourth, the eighth.
    pub(crate) fn is_worth_a_search(&self, node: NodeId) -> bool {
        let entry = self.members.get(&node);
        let failures = entry.map_or(0, |entry| entry.failures);
        failures >= FAILING_AFTER && failures.is_power_of_two()
    }

    /// Every node to which a link stands.
    pub fn standing(&self) -> impl Iterator<Item = NodeId> {
        self.members
            .iter()
            .filter(|(_, entry)| entry.link == Link::Up)
            .map(|(node, _)| *node)
    }

    /// The nodes to dial now; each is counted as being dialed from here on.
    pub fn due(&mut self, now: Monotonic) -> Vec<NodeId> {
        if !self.is_time(now) {
            return Vec::new();
        }
        self.moments = None;
        let mut due = Vec::new();
        self.drop_useless(now);
        for (node, entry) in self.members.iter_mut().chain(self.strangers.iter_mut()) {
            if entry.deadline().is_some_and(|deadline| deadline <= now) {
                entry.link = Link::Dialing { since: now };
                due.push(*node);
            }
        }
        due
    }

    /// When [`Links::due`] has something next.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.moments.unwrap_or_else(|| self.find_moments()).deadline
    }

    /// Whether any link may have something to be done about.
    fn is_time(&self, now: Monotonic) -> bool {
        let Some(Moments { deadline, useless }) = self.moments else {
            return true;
        };
        deadline.into_iter().chain(useless).any(|at| at <= now)
    }

    fn find_moments(&self) -> Moments {
        let entries = self.members.values().chain(self.strangers.values());
        let dials = entries.filter_map(Entry::deadline);
        let spare = self.members.values().filter(|entry| entry.is_spare());
        let passing = |entry: &&Entry| entry.link != Link::Up && !entry.wanted;
        let passing = self.members.values().filter(passing);
        Moments {
            deadline: dials.chain(spare.map(|entry| entry.keep_until)).min(),
            useless: passing.map(|entry| entry.keep_until).min(),
        }
    }
}

impl Entry {
    fn due(now: Monotonic) -> Self {
        Self {
            link: Link::Waiting { until: now },
            failures: 0,
            wanted: false,
            keep_until: Monotonic(0),
            dialed: false,
            idle: false,
        }
    }

    /// Up, or worth a dial.
    fn is_of_use(&self, now: Monotonic) -> bool {
        self.link == Link::Up || self.wanted || self.keep_until > now
    }

    /// Up, and not needed without end.
    fn is_spare(&self) -> bool {
        self.link == Link::Up && self.dialed && !self.wanted
    }

    fn hasten(&mut self, now: Monotonic, news: bool) {
        match self.link {
            Link::Up => {}
            Link::Dialing { .. } if !news => {}
            Link::Dialing { .. } | Link::Waiting { .. } => {
                self.link = Link::Waiting { until: now };
                self.failures = 0;
            }
        }
    }

    fn deadline(&self) -> Option<Monotonic> {
        match self.link {
            Link::Up => None,
            Link::Dialing { since } => Some(since + DIAL_LOST_AFTER),
            Link::Waiting { until } => Some(until),
        }
    }
}

/// Doubles with every failure, spread by up to a quarter so that two nodes do not dial in step.
fn pause_after(node: NodeId, failures: u32, longest: Duration) -> Duration {
    let pause = FIRST_PAUSE
        .saturating_mul(1 << failures.min(8))
        .min(longest);
    let spread = u32::from(node.public_key()[(failures % 32) as usize]);
    pause + pause * spread / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(byte: u8) -> NodeId {
        NodeId::from_public_key([byte; 32])
    }

    fn wanting(byte: u8) -> Links {
        let mut links = Links::default();
        links.want(Monotonic(0), &BTreeSet::from([node(byte)]));
        links
    }

    #[test]
    fn a_member_is_dialed_at_once_then_with_growing_pauses() {
        let mut links = wanting(1);
        assert_eq!(links.due(Monotonic(0)), [node(1)]);
        let mut pauses = Vec::new();
        let mut now = Monotonic(0);
        for _ in 0..10 {
            links.failed(now, node(1), false, LONGEST_PAUSE);
            let next = links.next_deadline().expect("a retry is planned");
            pauses.push(next.since(now));
            now = next;
            assert_eq!(links.due(now), [node(1)]);
        }
        assert!(pauses[0] >= FIRST_PAUSE);
        assert!(pauses.is_sorted());
        assert!(pauses[9] <= LONGEST_PAUSE * 5 / 4);
    }

    #[test]
    fn fresh_addresses_are_dialed_beside_a_dial_of_old_ones() {
        let mut links = wanting(1);
        assert_eq!(links.due(Monotonic(0)), [node(1)]);
        links.sighted(Monotonic(5), node(1), false);
        assert_eq!(links.due(Monotonic(5)), []);
        links.sighted(Monotonic(5), node(1), true);
        assert_eq!(links.due(Monotonic(5)), [node(1)]);
    }

    #[test]
    fn in_another_network_whoever_waits_is_dialed_and_links_that_stand_are_left_alone() {
        let mut links = Links::default();
        let all = BTreeSet::from([1, 2, 3].map(node));
        links.want(Monotonic(0), &all);
        assert_eq!(links.due(Monotonic(0)).len(), 3);
        links.up(Monotonic(0), node(1), true);
        (0..9).for_each(|_| {
            links.failed(Monotonic(0), node(2), false, LONGEST_PAUSE);
        });
        links.hasten_all(Monotonic(5));
        assert_eq!(links.due(Monotonic(4)), []);
        assert_eq!(links.due(Monotonic(5)), [node(2)]);
        let later = Monotonic(5) + DIAL_FRESH_FOR;
        links.hasten_all(later);
        assert_eq!(links.due(later), [node(2), node(3)]);
    }

    #[test]
    fn a_lost_link_is_dialed_at_once() {
        let mut links = wanting(1);
        links.up(Monotonic(0), node(1), true);
        assert_eq!(links.next_deadline(), None);
        links.down(Monotonic(5), node(1));
        assert_eq!(links.due(Monotonic(5)), [node(1)]);
    }

    #[test]
    fn a_link_that_stands_is_not_dialed_again() {
        let mut links = Links::default();
        links.up(Monotonic(0), node(1), true);
        links.dial_again(Monotonic(0), node(1));
        assert!(links.is_up(node(1)));
        assert_eq!(links.due(Monotonic(0)), []);
    }

    #[test]
    fn a_link_for_a_while_is_let_go_by_the_end_that_made_it() {
        let mut links = Links::default();
        links.keep(Monotonic(0), node(1), Duration::from_secs(5));
        assert_eq!(links.due(Monotonic(0)), [node(1)]);
        links.up(Monotonic(1), node(1), true);
        links.up(Monotonic(1), node(2), false);
        let lingered = Monotonic(1) + LINGER;
        assert_eq!(links.next_deadline(), Some(lingered));
        assert_eq!(links.idle(lingered - Duration::from_millis(1)), []);
        assert_eq!(links.idle(lingered), [node(1)]);
        assert_eq!(links.idle(lingered), [], "once in a while");
        links.down(lingered, node(1));
        links.down(lingered, node(2));
        assert!(!links.is_known(node(1)) && !links.is_known(node(2)));
    }

    #[test]
    fn an_idle_link_that_is_wanted_meanwhile_is_made_again_when_it_is_lost() {
        let mut links = Links::default();
        links.keep(Monotonic(0), node(1), Duration::from_secs(5));
        links.up(Monotonic(0), node(1), true);
        let lingered = Monotonic(0) + LINGER;
        assert_eq!(links.idle(lingered), [node(1)]);
        links.keep(lingered, node(1), Duration::from_secs(5));
        links.down(lingered, node(1));
        assert_eq!(links.due(lingered), [node(1)]);
    }

    #[test]
    fn a_member_that_is_no_neighbour_any_more_is_not_dialed_again() {
        let mut links = wanting(1);
        links.want(Monotonic(0), &BTreeSet::from([node(2)]));
        assert_eq!(links.due(Monotonic(0)), [node(2)]);
    }

    #[test]
    fn sighted_strangers_are_bounded() {
        let mut links = Links::default();
        for key in 0..10_000_u32 {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&key.to_be_bytes());
            links.sighted(Monotonic(0), NodeId::from_public_key(bytes), true);
        }
        assert_eq!(links.due(Monotonic(0)).len(), STRANGERS_MAX);
    }

    #[test]
    fn a_stranger_that_refuses_or_fails_makes_room_for_another() {
        let mut links = Links::default();
        for key in 0..=255 {
            assert_eq!(links.sighted(Monotonic(0), node(key), true), None);
        }
        let mut key = [7; 32];
        key[0] = 1;
        let late = NodeId::from_public_key(key);
        assert_eq!(links.sighted(Monotonic(0), late, true), Some(late));
        links.due(Monotonic(0));
        assert!(!links.failed(Monotonic(0), node(9), false, LONGEST_PAUSE));
        assert_eq!(links.sighted(Monotonic(0), late, true), Some(node(9)));
        assert!(links.failed(Monotonic(0), node(8), true, LONGEST_PAUSE));
        assert_eq!(links.sighted(Monotonic(0), node(9), true), None);
    }
}
