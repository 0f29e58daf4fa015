//! Repair: what gossip missed is found by comparing frontiers with one linked member after another, and pulled by
//! ranges, as fast as it is written and no faster: a node asks a member for more once it has what it asked for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::chain_id::ChainId;
use crate::id::NodeId;
use crate::time::Monotonic;
use crate::wire::log::{EntriesAsked, RANGES_MAX, Range};

/// Time between two comparisons that a node makes without a cause.
pub const COMPARE_EVERY: Duration = Duration::from_secs(5);
/// Pause before a member is compared with once more.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Longest pause, after comparisons that showed a difference and brought nothing.
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(30);
/// A question that was not answered by then is forgotten.
const LOST_AFTER: Duration = Duration::from_secs(30);
/// Ranges that wait to be asked of one member.
const RANGES_WAITING_MAX: usize = 8_192;

/// The conversation with one member.
#[derive(Debug, Default)]
struct Talk {
    /// When frontiers are to be compared.
    due: Option<Monotonic>,
    /// When they were last compared.
    compared: Option<Monotonic>,
    /// A question about frontiers is open since.
    open: Option<Monotonic>,
    /// Comparisons in a row that brought nothing although they differed.
    fruitless: u32,
    ranges: VecDeque<Range>,
    /// Entries were asked for, and when.
    pulling: Option<(Arc<EntriesAsked>, Monotonic)>,
}

impl Talk {
    fn next(&self) -> Option<Monotonic> {
        let pause = (AGAIN_AFTER * (1 << self.fruitless.min(5))).min(AGAIN_AFTER_MAX);
        self.compared.map(|compared| compared + pause)
    }

    fn is_busy(&self) -> bool {
        self.open.is_some() || self.pulling.is_some() || !self.ranges.is_empty()
    }
}

/// Whom to compare with, and what is being pulled of whom. Knows linked members only.
#[derive(Debug, Default)]
pub(crate) struct Repair {
    talks: BTreeMap<NodeId, Talk>,
    /// Chains that are being pulled, each of one member.
    claimed: BTreeSet<ChainId>,
    turn: Option<NodeId>,
    next_turn: Option<Monotonic>,
}

impl Repair {
    /// A member is linked, or was seen to differ: frontiers are compared as soon as that is not too soon again.
    pub(crate) fn compare(&mut self, now: Monotonic, node: NodeId) {
        let talk = self.talks.entry(node).or_default();
        let at = talk.next().map_or(now, |next| next.max(now));
        talk.due.get_or_insert(at);
    }

    /// The same, whatever earlier comparisons brought: there is a new reason.
    pub(crate) fn compare_anew(&mut self, now: Monotonic, node: NodeId) {
        let talk = self.talks.entry(node).or_default();
        (talk.fruitless, talk.due) = (0, None);
        self.compare(now, node);
    }

    /// The link to a member has ended.
    pub(crate) fn forget(&mut self, node: NodeId) {
        if let Some(talk) = self.talks.remove(&node) {
            self.release(&talk);
        }
    }

    fn release(&mut self, talk: &Talk) {
        let asked = talk.pulling.iter().flat_map(|(asked, _)| &asked.ranges);
        for range in talk.ranges.iter().chain(asked) {
            self.claimed.remove(&range.chain);
        }
    }

    /// Whether it is time to [take a turn](Self::take_turn).
    pub(crate) fn is_turn(&self, now: Monotonic) -> bool {
        self.next_turn.is_none_or(|next| next <= now)
    }

    /// The frontier of the next of those that are `linked` is to be compared without a cause.
    pub(crate) fn take_turn(&mut self, now: Monotonic, linked: &BTreeSet<NodeId>) {
        self.next_turn = (!linked.is_empty()).then(|| now + COMPARE_EVERY);
        self.turn = next_after(linked, self.turn);
        if let Some(node) = self.turn {
            self.compare(now, node);
        }
    }

    /// Whose frontier to ask for now; from whom no answer comes any more is forgotten.
    pub(crate) fn take_due(&mut self, now: Monotonic) -> Vec<NodeId> {
        self.drop_lost(now);
        let mut due = Vec::new();
        for (node, talk) in &mut self.talks {
            if talk.due.is_some_and(|at| at <= now) && !talk.is_busy() {
                talk.due = None;
                talk.compared = Some(now);
                talk.open = Some(now);
                due.push(*node);
            }
        }
        due
    }

    fn drop_lost(&mut self, now: Monotonic) {
        let is_lost = |since: Monotonic| now.since(since) >= LOST_AFTER;
        let mut lost = Vec::new();
        for talk in self.talks.values_mut() {
            talk.open = talk.open.filter(|since| !is_lost(*since));
            if talk.pulling.as_ref().is_some_and(|(_, at)| is_lost(*at)) {
                lost.extend(talk.pulling.take());
            }
        }
        for range in lost.iter().flat_map(|(asked, _)| &asked.ranges) {
            self.claimed.remove(&range.chain);
        }
    }

    /// The frontiers are being compared further: another question is open.
    pub(crate) fn goes_on(&mut self, now: Monotonic, node: NodeId) {
        if let Some(talk) = self.talks.get_mut(&node) {
            talk.open = Some(now);
        }
    }

    /// A comparison is over; `found` says whether it brought something to pull, `None` that there was no difference.
    pub(crate) fn compared(&mut self, node: NodeId, found: Option<bool>) {
        if let Some(talk) = self.talks.get_mut(&node) {
            talk.open = None;
            talk.fruitless = match found {
                Some(false) => talk.fruitless.saturating_add(1),
                Some(true) | None => 0,
            };
        }
    }

    /// These are to be pulled of a linked member, unless their chains are being pulled of somebody. Says how many are.
    pub(crate) fn pull(&mut self, node: NodeId, ranges: impl IntoIterator<Item = Range>) -> usize {
        let talk = self.talks.entry(node).or_default();
        let before = talk.ranges.len();
        for range in ranges {
            if talk.ranges.len() < RANGES_WAITING_MAX && self.claimed.insert(range.chain) {
                talk.ranges.push_back(range);
            }
        }
        talk.ranges.len() - before
    }

    /// The next question for entries to each member that owes no answer; `head` says where a chain ends.
    pub(crate) fn next_pulls(
        &mut self,
        now: Monotonic,
        head: impl Fn(ChainId) -> u64,
    ) -> Vec<(NodeId, Arc<EntriesAsked>)> {
        let mut asked = Vec::new();
        for (node, talk) in &mut self.talks {
            if talk.pulling.is_some() || talk.ranges.is_empty() {
                continue;
            }
            let mut ranges = Vec::new();
            while ranges.len() < RANGES_MAX
                && let Some(range) = talk.ranges.pop_front()
            {
                match still_missing(range, head(range.chain)) {
                    Some(range) => ranges.push(range),
                    None => _ = self.claimed.remove(&range.chain),
                }
            }
            if !ranges.is_empty() {
                let question = Arc::new(EntriesAsked { ranges });
                talk.pulling = Some((question.clone(), now));
                asked.push((*node, question));
            }
        }
        asked
    }

    /// An answer was taken, or none came: what it left out is asked for again where it brought something of that chain,
    /// or had no room for it.
    pub(crate) fn pulled(
        &mut self,
        now: Monotonic,
        node: NodeId,
        asked: &EntriesAsked,
        last_told: Option<ChainId>,
        head: impl Fn(ChainId) -> u64,
    ) {
        let Some(talk) = self.talks.get_mut(&node) else {
            return;
        };
        if talk
            .pulling
            .as_ref()
            .is_none_or(|(open, _)| **open != *asked)
        {
            return;
        }
        talk.pulling = None;
        let last = last_told.and_then(|last| asked.ranges.iter().position(|r| r.chain == last));
        for (place, range) in asked.ranges.iter().enumerate().rev() {
            let now_at = head(range.chain);
            let progressed = now_at >= range.from;
            let no_room = last.is_some_and(|last| place > last);
            let goes_on = now_at < range.to && (progressed || no_room);
            let rest = still_missing(*range, now_at).filter(|_| goes_on);
            match rest {
                Some(rest) => talk.ranges.push_front(rest),
                None => _ = self.claimed.remove(&range.chain),
            }
        }
        // What is left to find shows when frontiers are compared once more.
        if talk.ranges.is_empty() && last_told.is_some() {
            self.compare(now, node);
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Monotonic> {
        let talks = self.talks.values();
        let due = talks.filter_map(|talk| match talk.is_busy() {
            true => {
                let since = talk.pulling.as_ref().map(|(_, at)| *at).or(talk.open);
                since.map(|since| since + LOST_AFTER)
            }
            false => talk.due,
        });
        due.chain(self.next_turn).min()
    }
}

/// What is left of a range where the chain ends at `head`. One that lies before the head as a whole is asked for as
/// evidence.
fn still_missing(range: Range, head: u64) -> Option<Range> {
    if range.from == range.to && range.to == head {
        return Some(range);
    }
    let from = range.from.max(head + 1);
    (from <= range.to).then_some(Range { from, ..range })
}

fn next_after(linked: &BTreeSet<NodeId>, turn: Option<NodeId>) -> Option<NodeId> {
    let after = turn.and_then(|turn| {
        let bounds = (std::ops::Bound::Excluded(turn), std::ops::Bound::Unbounded);
        linked.range(bounds).next().copied()
    });
    after.or_else(|| linked.first().copied())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::log::chain_id::{EpochId, Lane};

    const START: Monotonic = Monotonic(10_000);

    fn node(byte: u8) -> NodeId {
        NodeId::from_public_key([byte; 32])
    }

    fn range(author: u8, from: u64, to: u64) -> Range {
        let chain = ChainId {
            author: node(author),
            epoch: EpochId([1; 16]),
            lane: Lane::MESSAGES,
        };
        Range { chain, from, to }
    }

    #[test]
    fn a_chain_is_pulled_of_one_member_until_that_has_failed() {
        let mut repair = Repair::default();
        assert_eq!(repair.pull(node(1), [range(9, 1, 5)]), 1);
        assert_eq!(repair.pull(node(2), [range(9, 1, 5)]), 0);
        let pulls = repair.next_pulls(START, |_| 0);
        assert_eq!((pulls.len(), pulls[0].0), (1, node(1)));
        assert!(
            repair.next_pulls(START, |_| 0).is_empty(),
            "it owes an answer"
        );
        repair.pulled(START, node(1), &pulls[0].1, None, |_| 0);
        assert_eq!(repair.pull(node(2), [range(9, 1, 5)]), 1);
    }

    #[test]
    fn what_an_answer_left_out_is_asked_for_again_where_it_brought_some() {
        let mut repair = Repair::default();
        repair.pull(node(1), [range(8, 1, 5), range(9, 1, 5)]);
        let (_, asked) = repair.next_pulls(START, |_| 0).pop().unwrap();
        let told = asked.ranges[0].chain;
        let head = |chain| if chain == told { 3 } else { 0 };
        repair.pulled(START, node(1), &asked, Some(told), head);
        let (_, again) = repair.next_pulls(START, head).pop().unwrap();
        assert_eq!(again.ranges, [range(8, 4, 5), range(9, 1, 5)]);
        let told = again.ranges[1].chain;
        repair.pulled(START, node(1), &again, Some(told), |_| 3);
        let (_, last) = repair.next_pulls(START, |_| 3).pop().unwrap();
        assert_eq!(
            last.ranges,
            [range(9, 4, 5)],
            "the other brought nothing more"
        );
    }

    #[test]
    fn members_take_turns_and_whoever_differs_without_news_is_asked_less_often() {
        let mut repair = Repair::default();
        let linked = BTreeSet::from([node(1), node(2)]);
        repair.take_turn(START, &linked);
        assert_eq!(repair.take_due(START), [node(1)]);
        repair.compared(node(1), None);
        let next = START + COMPARE_EVERY;
        assert!(!repair.is_turn(START) && repair.is_turn(next));
        repair.take_turn(next, &linked);
        assert_eq!(repair.take_due(next), [node(2)]);
        repair.compared(node(2), Some(false));
        repair.compare(next, node(2));
        assert_eq!(repair.take_due(next + AGAIN_AFTER), []);
        assert_eq!(repair.take_due(next + 2 * AGAIN_AFTER), [node(2)]);
    }

    #[test]
    fn who_never_answers_is_asked_again_and_what_it_was_asked_for_may_be_had_elsewhere() {
        let mut repair = Repair::default();
        repair.pull(node(1), [range(9, 1, 5)]);
        assert_eq!(repair.next_pulls(START, |_| 0).len(), 1);
        let later = START + LOST_AFTER;
        repair.take_due(later);
        assert_eq!(repair.pull(node(2), [range(9, 1, 5)]), 1);
        repair.forget(node(2));
        assert_eq!(repair.pull(node(1), [range(9, 1, 5)]), 1);
    }
}
