//! The log in a node's state: items are put in, entries of others are taken, and both are handed on once on disk.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use super::NodeState;
use super::input::RequestId;
use super::output::{Output, Reply};
use super::receipts::Receipts;
use super::record::{Record, Write};
use crate::id::NodeId;
use crate::limits::{CLOCK_LEEWAY, GOSSIP_BYTES_MAX};
use crate::log::chain::Place;
use crate::log::chain_id::{ChainId, Lane};
use crate::log::direct::may_hold;
use crate::log::entry::{Draft, Entry};
use crate::log::fork::{Fork, ForkedEpoch};
use crate::log::pending::Waiting;
use crate::log::{AppendError, Appended, LANE_BYTES_MAX};
use crate::time::Now;
use crate::wire::announcement::Announcement;

/// Bytes of an announcement around one entry.
const ANNOUNCED_AROUND: usize = 256;

/// What came of an entry that somebody told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It was taken, or waits for the one before it.
    News,
    /// It is known, or not taken now.
    Nothing,
    /// It contradicts what is known of its chain.
    Contradiction,
}

impl NodeState {
    /// Items are put into one of this node's own lanes. They go to disk, to `applied` and to members with what is
    /// handed out next; a request is answered then, or at once where it is refused.
    ///
    /// # Errors
    ///
    /// Why they are not taken.
    pub(super) fn append(
        &mut self,
        now: Now,
        lane: Lane,
        items: Vec<Bytes>,
        request: Option<RequestId>,
    ) -> Result<(), AppendError> {
        let roster = self.roster.as_ref().ok_or(AppendError::NoMesh)?;
        if !roster.own.body().role.offers() || self.is_put_out() {
            return Err(AppendError::NotAWriter);
        }
        if let Lane::Direct(recipient) = lane
            && recipient != self.me
            && roster.member(recipient).is_none()
        {
            return Err(AppendError::NoSuchRecipient);
        }
        if !self.log.own.is_ready() {
            return Err(AppendError::NotOpen);
        }
        if self.log.disk_full {
            return Err(AppendError::DiskFull);
        }
        let bytes = self.log.chains.lane_bytes(self.me, lane);
        if bytes >= LANE_BYTES_MAX {
            let limit = LANE_BYTES_MAX;
            return Err(AppendError::LaneFull { lane, bytes, limit });
        }
        self.log.last_now = Some(now);
        self.log.pending.add(lane, Waiting { items, request })
    }

    pub(super) fn append_asked(
        &mut self,
        now: Now,
        request: RequestId,
        lane: Lane,
        items: Vec<Bytes>,
    ) {
        if let Err(refused) = self.append(now, lane, items, Some(request)) {
            self.reply(request, Reply::Appended(Err(refused)));
        }
    }

    /// Whatever waits goes to disk in one transaction, and then to everybody. Says whether there was anything.
    pub(super) fn flush_log(&mut self) -> bool {
        let Some(now) = self.log.last_now else {
            return false;
        };
        self.seal_pending(now);
        let batch = std::mem::take(&mut self.log.batch);
        if batch.entries.is_empty() && batch.anchors.is_empty() && batch.epoch.is_none() {
            return false;
        }
        let mut writes: Vec<Write> = Vec::new();
        writes.extend(batch.epoch.map(|epoch| Write::Put(Record::Epoch(epoch))));
        let all = batch.anchors.iter().chain(&batch.entries);
        writes.extend(all.clone().cloned().map(Write::Append));
        // What this node had of the chain before is as gone as the rest: else a hole would stay before the anchor.
        writes.extend(batch.anchors.iter().map(|anchor| Write::Prune {
            chain: anchor.chain(),
            first: anchor.sequence() + 1,
        }));
        let chains: BTreeSet<ChainId> = all.map(|entry| entry.chain()).collect();
        let chains = chains.into_iter().filter_map(|id| self.log.chains.get(id));
        writes.extend(chains.map(|chain| Write::Put(Record::Chain(chain.clone()))));
        self.persist(writes);
        if !batch.entries.is_empty() {
            let entries = batch.entries.clone();
            self.outputs.push_back(Output::Applied(entries));
        }
        for entry in &batch.entries {
            self.hand_to_room(now, entry);
        }
        self.publish_tasks();
        self.settle_decisions(now);
        self.drop_received();
        for (request, appended) in batch.appended {
            self.reply(request, Reply::Appended(Ok(appended)));
        }
        self.tell_of_entries(now, &batch.own, &batch.repaired);
        true
    }

    fn seal_pending(&mut self, now: Now) {
        while let Some((lane, waiting)) = self.log.pending.take() {
            let Some(roster) = &self.roster else {
                return;
            };
            let Some((epoch, record)) = self.log.own.open(roster.len()) else {
                return;
            };
            self.log.batch.epoch = record.or(self.log.batch.epoch);
            let mesh = roster.mesh;
            let draft = self.draft(
                now,
                ChainId {
                    author: self.me,
                    epoch,
                    lane,
                },
            );
            let items: Vec<Bytes> = waiting.iter().flat_map(|one| one.items.clone()).collect();
            let entry = Arc::new(Entry::seal(draft, &items, mesh, &*self.keys.node));
            let mut first = 0;
            for one in &waiting {
                let appended = Appended {
                    chain: entry.chain(),
                    sequence: entry.sequence(),
                    first,
                };
                first += u16::try_from(one.items.len()).unwrap_or_default();
                let answer = one.request.map(|request| (request, appended));
                self.log.batch.appended.extend(answer);
            }
            self.log.chains.append(&entry);
            self.log.batch.entries.push(entry.clone());
            self.log.batch.own.push(entry);
        }
    }

    fn draft(&self, now: Now, chain: ChainId) -> Draft {
        let known = self.log.chains.get(chain).filter(|known| known.head > 0);
        if let Some(known) = known {
            return Draft {
                chain,
                sequence: known.head + 1,
                previous: known.head_hash,
                predecessor: None,
                time: now.wall.max(known.head_time),
                live_from: known.live_from,
            };
        }
        let last = self.log.own.last();
        let before = self.log.chains.predecessor(self.me, chain.lane, last);
        Draft {
            chain,
            sequence: 1,
            previous: before.map_or([0; 32].into(), |(_, hash)| hash),
            predecessor: before.map(|(predecessor, _)| predecessor),
            time: now.wall,
            live_from: 1,
        }
    }

    /// Own entries of public lanes are gossiped, each whole where it fits and by its header where it does not; so are
    /// the headers of repaired heads. Direct ones go to those who hold them.
    fn tell_of_entries(&mut self, now: Now, own: &[Arc<Entry>], repaired: &[Arc<Entry>]) {
        let mut told = Announcement::default();
        let mut bytes = ANNOUNCED_AROUND;
        let mut messages = Vec::new();
        for entry in own {
            if !entry.chain().lane.is_public() {
                self.push_direct(now, entry);
                continue;
            }
            let whole = entry.sealed().len() + ANNOUNCED_AROUND <= GOSSIP_BYTES_MAX;
            let entry = if whole {
                (**entry).clone()
            } else {
                entry.without_body()
            };
            let more = entry.sealed().len() + 16;
            if bytes + more > GOSSIP_BYTES_MAX {
                messages.push(std::mem::take(&mut told));
                bytes = ANNOUNCED_AROUND;
            }
            bytes += more;
            told.entries.push(entry.sealed().clone());
        }
        self.push_what_waits();
        if !told.entries.is_empty() {
            messages.push(told);
        }
        // Each alone and bare, so that all who repaired it say the very same, and gossip carries it once.
        let public = repaired
            .iter()
            .filter(|entry| entry.chain().lane.is_public());
        messages.extend(public.map(|entry| Announcement {
            entries: vec![entry.without_body().sealed().clone()],
            ..Announcement::default()
        }));
        for told in messages {
            self.publish(told);
        }
    }

    /// A direct entry goes to its recipient, or where that is not linked to those of its mailboxes that are. Whoever is
    /// not linked hears of it when frontiers are compared.
    fn push_direct(&mut self, now: Now, entry: &Arc<Entry>) {
        let Lane::Direct(recipient) = entry.chain().lane else {
            return;
        };
        let Some(roster) = self.roster.clone() else {
            return;
        };
        let to = match self.links.is_up(recipient) {
            true => vec![recipient],
            false => {
                self.link_wanted(now, recipient);
                let boxes = crate::log::direct::mailboxes(&roster, recipient);
                boxes
                    .into_iter()
                    .filter(|node| self.links.is_up(*node))
                    .collect()
            }
        };
        for to in to {
            // What finds no room is found when frontiers are compared.
            self.log.pushes.add(to, entry.clone());
        }
    }

    /// Hands over what waits for members that have taken what they were handed before.
    fn push_what_waits(&mut self) {
        let due = self.log.pushes.take_due().into_iter();
        let due = due.map(|(to, entries)| Output::PushEntries { to, entries });
        self.outputs.extend(due);
    }

    /// A member answered [`Output::PushEntries`], or did not.
    pub(super) fn push_answered(&mut self, to: NodeId) {
        self.log.pushes.answered(to);
        self.push_what_waits();
    }

    /// Takes an entry whose signature is good, told by a linked member.
    pub(super) fn take_entry(&mut self, now: Now, from: NodeId, entry: &Arc<Entry>) -> Heard {
        if !self.may_take(now, entry) {
            return Heard::Nothing;
        }
        self.log.last_now = Some(now);
        match self.log.chains.place(entry) {
            Ok(Place::Next) if entry.sealed().body.is_some() => {
                self.take_next(entry);
                let chain = entry.chain();
                while let Some(next) = self
                    .log
                    .early
                    .next_after(chain, self.log.chains.head(chain))
                {
                    if self.log.chains.place(&next) != Ok(Place::Next) {
                        break;
                    }
                    self.take_next(&next);
                }
                Heard::News
            }
            Ok(Place::Next | Place::Gap { .. }) => {
                self.log.early.keep(now.monotonic, from, entry);
                match entry.sealed().body {
                    Some(_) => Heard::News,
                    None => Heard::Nothing,
                }
            }
            Ok(Place::Diverges { sequence }) => {
                self.contradicted(from, entry, sequence);
                Heard::Contradiction
            }
            Ok(Place::Known) | Err(_) => Heard::Nothing,
        }
    }

    fn take_next(&mut self, entry: &Arc<Entry>) {
        let chain = entry.chain();
        if chain.author == self.me {
            self.own_entry_from_elsewhere(chain);
        }
        self.log.chains.append(entry);
        self.log.batch.entries.push(entry.clone());
    }

    /// Somebody knows an entry in this node's name that it does not: its home is an old backup, or was copied.
    fn own_entry_from_elsewhere(&mut self, chain: ChainId) {
        let current = self.log.own.current();
        if current.is_none() || current == Some(chain.epoch) {
            self.log.own.refute();
        }
    }

    /// Whether an entry is of a member that writes, of this time, and for this node to hold.
    pub(super) fn may_take(&self, now: Now, entry: &Entry) -> bool {
        let Some(roster) = &self.roster else {
            return false;
        };
        let chain = entry.chain();
        let writes = match chain.author == self.me {
            true => true,
            false => roster.known(chain.author).is_some_and(|member| {
                let body = member.chain().body();
                body.role.offers()
            }),
        };
        if self.log.disk_full || self.is_held(chain) {
            return false;
        }
        let timely = entry.header().time < now.wall + CLOCK_LEEWAY;
        writes && timely && (chain.lane.is_public() || may_hold(roster, self.me, chain))
    }

    /// What gossip says of the log: whether any of it is news, and whether any is forged.
    pub(super) fn log_gossiped(
        &mut self,
        now: Now,
        from: NodeId,
        announcement: &Announcement,
    ) -> (bool, bool) {
        let Some(mesh) = self.roster.as_ref().map(|roster| roster.mesh) else {
            return (false, false);
        };
        let (mut news, mut forged) = (false, false);
        for sealed in &announcement.entries {
            match sealed.clone().open(mesh, &*self.keys.verifier) {
                Ok(entry) if entry.chain().lane.is_public() => {
                    news |= self.take_entry(now, from, &Arc::new(entry)) == Heard::News;
                }
                Ok(_) | Err(_) => forged = true,
            }
        }
        for fork in &announcement.forks {
            match self.take_fork(fork) {
                Some(taken) => news |= taken,
                None => forged = true,
            }
        }
        (news, forged)
    }

    /// Keeps evidence; says whether it is news, and `None` where it is none.
    pub(super) fn take_fork(&mut self, fork: &Arc<Fork>) -> Option<bool> {
        let mesh = self.roster.as_ref()?.mesh;
        let forked = fork.check(mesh, &*self.keys.verifier).ok()?;
        Some(self.keep_fork(forked, fork))
    }

    /// Keeps evidence that was checked, and tells everybody where it is news.
    pub(super) fn keep_fork(&mut self, forked: ForkedEpoch, fork: &Arc<Fork>) -> bool {
        if !self.log.chains.add_fork(forked, fork.clone()) {
            return false;
        }
        if forked.author == self.me && self.log.own.current() == Some(forked.epoch) {
            self.log.own.abandon();
        }
        self.persist(vec![Write::Put(Record::Fork(fork.clone()))]);
        self.publish(Announcement {
            forks: vec![fork.clone()],
            ..Announcement::default()
        });
        true
    }

    /// The mesh was left: nothing of its log is kept, and whoever waits is told.
    pub(super) fn forget_log(&mut self) {
        self.receipts = Receipts::default();
        let mut left = std::mem::take(&mut self.log);
        self.log.own.set_seed_of(&left.own);
        for request in left.pending.clear() {
            self.reply(request, Reply::Appended(Err(AppendError::NoMesh)));
        }
        for (request, _) in left.batch.appended {
            self.reply(request, Reply::Appended(Err(AppendError::NoMesh)));
        }
    }

    pub(super) fn log_link_up(&mut self, now: Now, node: NodeId) {
        if self.may_read(node) && !self.log.chains.is_empty() {
            self.log.repair.compare(now.monotonic, node);
        }
    }

    /// The node stops in peace: its epoch may go on. Whoever still waits is told to try again.
    pub(super) fn close_log(&mut self) {
        while self.flush_log() {}
        for request in self.log.pending.clear() {
            self.reply(request, Reply::Appended(Err(AppendError::NotOpen)));
        }
        if let Some(record) = self.log.own.close() {
            self.persist(vec![Write::Put(Record::Epoch(record))]);
        }
    }
}
