//! The log's questions: frontiers compared with linked members, missing entries pulled, contradictions looked into.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::NodeState;
use super::input::RequestId;
use super::log::Heard;
use super::output::{Output, Reply};
use crate::id::{Hash, NodeId};
use crate::log::chain::Chain;
use crate::log::chain_id::Lane;
use crate::log::direct::may_hold;
use crate::log::entry::Entry;
use crate::log::fork::Fork;
use crate::log::frontier::{Frontier, group_of};
use crate::log::retention::kept_for;
use crate::membership::admission::Refusal;
use crate::membership::role::Role;
use crate::membership::roster::Roster;
use crate::time::Now;
use crate::wire::log::{
    EntriesAsked, HEADS_TOLD_MAX, Head, LogAsked, LogTold, OpenedEntries, Range,
};

/// Repaired heads that are told again at once; others lack the rest no more than this node did.
const REPAIRED_TOLD_MAX: usize = 16;

impl NodeState {
    /// Frontiers are compared and ranges pulled, as far as it is time.
    pub(super) fn repair_log_when_due(&mut self, now: Now) {
        let at = now.monotonic;
        let chains = &self.log.chains;
        for (from, range) in self.log.early.take_due(at, |chain| chains.head(chain)) {
            if self.links.is_up(from) && self.may_read(from) && !self.is_held(range.chain) {
                self.log.repair.pull(from, [range]);
            }
        }
        if self.log.repair.is_turn(at) {
            // Whoever has nothing waits until somebody who has something asks.
            let turns: BTreeSet<NodeId> = match self.log.chains.is_empty() {
                true => BTreeSet::new(),
                false => {
                    let linked = self.links.standing();
                    linked.filter(|node| self.may_read(*node)).collect()
                }
            };
            self.log.repair.take_turn(at, &turns);
        }
        for to in self.log.repair.take_due(at) {
            let digest = self.frontier_with(to).digest();
            let own = self.log.own.wants_confirmation() || self.tasks_want_to_catch_up(now);
            let asked = LogAsked::Compare { digest, own };
            self.outputs.push_back(Output::AskLog { to, asked });
        }
        let chains = &self.log.chains;
        let pulls = self.log.repair.next_pulls(at, |chain| chains.head(chain));
        let pulls = pulls.into_iter();
        self.outputs
            .extend(pulls.map(|(from, asked)| Output::AskEntries { from, asked }));
    }

    /// Guests hold no log.
    pub(super) fn may_read(&self, node: NodeId) -> bool {
        let chain = self.roster.as_ref().and_then(|roster| roster.member(node));
        chain.is_some_and(|chain| chain.body().role != Role::Guest)
    }

    /// The frontier without what either of the two may not hold.
    fn frontier_with(&mut self, other: NodeId) -> Frontier {
        self.count_authors();
        let mut frontier = self.log.chains.frontier().clone();
        for chain in self.direct_chains_with(other) {
            frontier.toggle(chain);
        }
        frontier
    }

    fn direct_chains_with(&self, other: NodeId) -> impl Iterator<Item = &Chain> {
        let roster = self.roster.as_ref();
        self.log.chains.direct().filter(move |chain| {
            let both = |roster: &Arc<Roster>| {
                may_hold(roster, other, chain.id) && may_hold(roster, self.me, chain.id)
            };
            !self.log.chains.is_forked(chain.id.into()) && roster.is_some_and(both)
        })
    }

    fn count_authors(&mut self) {
        if std::mem::take(&mut self.log.authors_changed)
            && let Some(roster) = &self.roster
        {
            let me = self.me;
            let known = |author| author == me || roster.known(author).is_some();
            self.log.chains.count_authors(known);
        }
    }

    pub(super) fn log_asked(
        &mut self,
        now: Now,
        request: RequestId,
        from: NodeId,
        asked: &LogAsked,
    ) {
        let told = match self.may_read(from) {
            true => Ok(self.frontier_answer(now, from, asked)),
            false => Err(Refusal::OtherMesh),
        };
        self.reply(request, Reply::LogTold(told));
    }

    fn frontier_answer(&mut self, now: Now, from: NodeId, asked: &LogAsked) -> LogTold {
        let frontier = self.frontier_with(from);
        match asked {
            LogAsked::Compare { digest, own } => {
                let differs = frontier.digest() != *digest;
                if differs {
                    self.log.repair.compare(now.monotonic, from);
                }
                let own_chains = self.log.chains.of_author(from).filter(|_| *own);
                let own_chains = own_chains.filter(|chain| may_tell(now, chain));
                LogTold {
                    differs,
                    heads: own_chains.map(head_of).take(HEADS_TOLD_MAX).collect(),
                    ..LogTold::default()
                }
            }
            LogAsked::Heads { groups } => {
                let ours = frontier.groups();
                let differs = |author: NodeId| {
                    let group = group_of(author);
                    ours.get(group) != groups.get(group)
                };
                let chains = &self.log.chains;
                let public = chains.all().filter(|chain| chains.counts(chain));
                let all = public.chain(self.direct_chains_with(from));
                let all = all.filter(|chain| differs(chain.id.author) && may_tell(now, chain));
                let mut heads: Vec<Head> = all.map(head_of).take(HEADS_TOLD_MAX + 1).collect();
                let more = heads.len() > HEADS_TOLD_MAX;
                heads.truncate(HEADS_TOLD_MAX);
                let forks = chains.forks().filter(|(forked, _)| differs(forked.author));
                let forks = forks.map(|(_, fork)| fork.clone()).take(HEADS_TOLD_MAX / 4);
                LogTold {
                    differs: true,
                    forks: forks.collect(),
                    heads,
                    more,
                }
            }
        }
    }

    /// A linked member answered a question about frontiers, or did not.
    pub(super) fn log_told(
        &mut self,
        now: Now,
        from: NodeId,
        asked: &LogAsked,
        told: Option<LogTold>,
    ) {
        let Some(told) = told else {
            return self.log.repair.compared(from, Some(false));
        };
        match asked {
            LogAsked::Compare { own, .. } => {
                if *own {
                    self.own_heads_told(from, &told.heads);
                }
                if !told.differs || !self.links.is_up(from) {
                    return self.log.repair.compared(from, None);
                }
                let groups = self.frontier_with(from).groups().to_vec();
                let asked = LogAsked::Heads { groups };
                self.log.repair.goes_on(now.monotonic, from);
                self.outputs.push_back(Output::AskLog { to: from, asked });
            }
            LogAsked::Heads { .. } => {
                let news = told
                    .forks
                    .iter()
                    .filter(|fork| self.take_fork(fork) == Some(true));
                let forks = news.count();
                let ranges: Vec<Range> = told
                    .heads
                    .iter()
                    .filter_map(|head| self.missing(head))
                    .collect();
                let pulling = self.log.repair.pull(from, ranges);
                let found = forks + pulling > 0;
                self.log.repair.compared(from, Some(found));
            }
        }
    }

    /// What is to be pulled where a member's chain ends there.
    fn missing(&self, head: &Head) -> Option<Range> {
        let id = head.chain;
        let chain = self.log.chains.get(id);
        let (ours, hash) = chain.map_or((0, Hash::from([0; 32])), |c| (c.head, c.head_hash));
        let to = head.sequence;
        let from = match to == ours && hash != head.hash {
            true => to,
            false => ours + 1,
        };
        let roster = self.roster.as_ref()?;
        let known = id.author == self.me || roster.known(id.author).is_some();
        let taken = !self.log.chains.is_forked(id.into()) && !self.is_held(id);
        let wanted = known && from <= to && taken;
        (wanted && may_hold(roster, self.me, id)).then_some(Range {
            chain: id,
            from,
            to,
        })
    }

    /// What a member knows of this node's own chains: the last epoch goes on only if that is nothing new.
    fn own_heads_told(&mut self, from: NodeId, heads: &[Head]) {
        let knows = |head: &&Head| {
            let chain = self.log.chains.get(head.chain);
            chain.is_some_and(|chain| {
                head.sequence < chain.head
                    || head.sequence == chain.head && head.hash == chain.head_hash
            })
        };
        let own = heads.iter().filter(|head| head.chain.author == self.me);
        let current = self.log.own.current();
        let mut unknown = own.filter(|head| !knows(head)).peekable();
        if unknown.peek().is_none() {
            self.log.own.confirmed_by(from);
            self.tasks_caught_up_with(from);
        } else if current.is_none() || unknown.any(|head| Some(head.chain.epoch) == current) {
            self.log.own.refute();
        }
    }

    /// A linked member answered [`Output::AskEntries`], or did not.
    pub(super) fn entries_told(
        &mut self,
        now: Now,
        from: NodeId,
        asked: &EntriesAsked,
        told: Option<&OpenedEntries>,
    ) {
        let mut last = None;
        if let Some(told) = told {
            for pruned in &told.pruned {
                self.take_pruned(now, from, pruned, &told.entries);
                last = Some(pruned.chain());
            }
            for entry in &told.entries {
                let heard = self.take_entry(now, from, entry);
                last = Some(entry.chain());
                let told_again = &mut self.log.batch.repaired;
                let room = told_again.len() < REPAIRED_TOLD_MAX;
                if room && heard == Heard::News && asked.ranges.iter().any(|r| is_end(r, entry)) {
                    told_again.push(entry.clone());
                }
            }
        }
        let chains = &self.log.chains;
        let head = |chain| chains.head(chain);
        self.log
            .repair
            .pulled(now.monotonic, from, asked, last, head);
    }

    /// What came before this is gone at whoever told it. That is believed where the author says so itself, of a direct
    /// lane where its recipient does (which has it, then), or where it
    /// is so old that nobody keeps it.
    fn take_pruned(&mut self, now: Now, from: NodeId, pruned: &Arc<Entry>, told: &[Arc<Entry>]) {
        let id = pruned.chain();
        let first = pruned.sequence() + 1;
        let released =
            |entry: &Arc<Entry>| entry.chain() == id && entry.header().live_from >= first;
        let aged = pruned.header().time + kept_for(id.lane) <= now.wall;
        let ahead = pruned.sequence() > self.log.chains.head(id);
        let forked = self.log.chains.is_forked(id.into());
        let end_to_end = from == id.author || id.lane == Lane::Direct(from);
        let believed = aged || told.iter().any(released) || !id.lane.is_public() && end_to_end;
        if ahead && !forked && believed && self.may_take(now, pruned) {
            self.log.last_now = Some(now);
            self.log.chains.begin_after(pruned);
            let anchor = Arc::new(pruned.without_body());
            self.log.batch.anchors.push(anchor);
        }
    }

    /// A linked member hands over direct entries.
    pub(super) fn entries_pushed(&mut self, now: Now, from: NodeId, entries: &[Arc<Entry>]) {
        if self.is_member(from) {
            for entry in entries {
                self.take_entry(now, from, entry);
            }
        }
    }

    /// An entry contradicts what stands at `sequence` of its chain: what stands there is looked up, or asked for.
    pub(super) fn contradicted(&mut self, from: NodeId, theirs: &Arc<Entry>, sequence: u64) {
        let chain = theirs.chain();
        if theirs.sequence() == sequence {
            let theirs = theirs.clone();
            self.outputs.push_back(Output::LookUp { theirs });
        } else if self.links.is_up(from) {
            let (from_sequence, to) = (sequence, sequence);
            let range = Range {
                chain,
                from: from_sequence,
                to,
            };
            self.log.repair.pull(from, [range]);
        }
    }

    /// What stands where another entry was told.
    pub(super) fn looked_up(&mut self, theirs: &Arc<Entry>, ours: Option<&Arc<Entry>>) {
        let fork = ours.and_then(|ours| Fork::of(ours, theirs));
        if let Some(fork) = fork {
            self.keep_fork(theirs.chain().into(), &Arc::new(fork));
        }
    }
}

fn head_of(chain: &Chain) -> Head {
    Head {
        chain: chain.id,
        sequence: chain.head,
        hash: chain.head_hash,
    }
}

/// Whether anybody still keeps the end of a chain.
fn may_tell(now: Now, chain: &Chain) -> bool {
    chain.head > 0 && now.wall < chain.head_time + kept_for(chain.id.lane)
}

fn is_end(range: &Range, entry: &Entry) -> bool {
    range.chain == entry.chain() && range.to == entry.sequence()
}
