//! One task, folded from all that was said of it.

use std::collections::{BTreeMap, BTreeSet};

use super::definition::Definition;
use super::identifiers::{ClaimId, Fence, Holder, TaskId};
use super::item::TaskItem;
use super::reassignment::Reassignment;
use super::register::{End, RegisterRecord, RegisterWord};
use super::task::{Task, TaskPhase};
use super::words::{ArbiterWord, Completion, Grant, HolderWord};
use crate::id::{AgentName, Hash, NodeId};
use crate::log::chain_id::EpochId;
use crate::time::Timestamp;

/// Nodes of which something is kept of one task, in each of their parts; of those that speak of a task that nobody has
/// heard of yet, the last in the order of their ids are not heard.
const SPEAKERS_MAX: usize = 32;
/// Claims of one task that wait.
const CLAIMS_MAX: usize = 128;
/// Of these, claims of one node: beyond that its oldest makes room for its own alone.
const CLAIMS_PER_NODE_MAX: usize = 8;
/// Rounds in which one node is heard as arbiter and is not known to be it: of more, the earliest.
const STRANGE_ROUNDS_MAX: usize = 2;

/// Who says an item, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// The node that signed it.
    pub author: NodeId,
    /// The epoch of the chain that it stands in.
    pub epoch: EpochId,
    /// The author's clock.
    pub time: Timestamp,
}

/// An attempt to get the task that its arbiter has not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Which.
    pub id: ClaimId,
    /// For whom.
    pub holder: Holder,
    /// What the claimer had seen.
    pub seen: Option<Fence>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Created {
    creator: NodeId,
    epoch: EpochId,
    time: Timestamp,
    definition: Definition,
}

/// Who was named as the arbiter of a round.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reassigned {
    word: Box<Reassignment>,
    /// The arbiter has told it too: whoever hears what it decides hears why, though its admin is heard no more.
    told_by_arbiter: bool,
}

/// All that was said of one task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskRecord {
    created: Option<Created>,
    cancelled_by: BTreeSet<NodeId>,
    /// By round and admin: where two admins say different things, the smaller id counts.
    reassigned: BTreeMap<(u32, NodeId), Reassigned>,
    arbiters: BTreeMap<(u32, NodeId), ArbiterWord>,
    holders: BTreeMap<NodeId, HolderWord>,
    claims: Vec<Claim>,
    register: RegisterRecord,
}

impl TaskRecord {
    /// Whether it is known what the task is.
    pub fn is_created(&self) -> bool {
        self.created.is_some()
    }

    /// Takes what was said. Says whether it is heard: whatever cannot count is not.
    pub(super) fn apply(&mut self, said: Said, item: TaskItem) -> bool {
        match item {
            TaskItem::Created { definition, .. } => return self.created(said, definition),
            TaskItem::Cancelled { .. } => {
                self.cancelled_by.insert(said.author);
                bounded(&mut self.cancelled_by);
            }
            TaskItem::Reassigned(word) => return self.reassigned(said.author, word),
            TaskItem::Claimed {
                claim, agent, seen, ..
            } => self.claimed(said.author, claim, agent, seen),
            TaskItem::Withdrawn { claim, .. } => {
                let theirs = |one: &Claim| one.id == claim && one.holder.node == said.author;
                self.claims.retain(|one| !theirs(one));
            }
            TaskItem::Refused { claim, .. } => self.refused(said.author, claim),
            TaskItem::Granted { fence, .. }
            | TaskItem::Extended { fence, .. }
            | TaskItem::Completed { fence, .. } => return self.arbiter_said(said, fence, item),
            TaskItem::Register { word, .. } => return self.register_said(said, word),
            TaskItem::Working { fence, .. }
            | TaskItem::Released { fence, .. }
            | TaskItem::Finished { fence, .. } => {
                return self.holder_said(said.author, fence, item);
            }
        }
        true
    }

    fn created(&mut self, said: Said, definition: Definition) -> bool {
        let created = Created {
            creator: said.author,
            epoch: said.epoch,
            time: said.time,
            definition,
        };
        // A creator that says two things of one task is broken; all nodes still take the same.
        let order = |one: &Created| (one.time, one.epoch, one.definition.title.clone());
        match &self.created {
            Some(known) if order(known) <= order(&created) => return false,
            _ => {
                self.register.named(&created.definition.arbiters);
                self.created = Some(created);
            }
        }
        true
    }

    fn register_said(&mut self, said: Said, word: RegisterWord) -> bool {
        let created = self.created.as_ref();
        let arbiters = created.map(|created| &created.definition.arbiters[..]);
        let by_creator = created
            .is_some_and(|created| (created.creator, created.epoch) == (said.author, said.epoch));
        self.register.apply(said, arbiters, by_creator, word)
    }

    /// What was said of its register; nothing counts where the task has one arbiter alone.
    pub fn register(&self) -> &RegisterRecord {
        &self.register
    }

    /// The nodes that decide on it together; none where one decides alone, and once an admin has named another one.
    pub fn register_arbiters(&self) -> &[NodeId] {
        match (&self.created, self.reassigned.is_empty()) {
            (Some(created), true) => &created.definition.arbiters,
            _ => &[],
        }
    }

    fn has_register(&self) -> bool {
        let created = self.created.as_ref();
        created.is_some_and(|created| !created.definition.arbiters.is_empty())
    }

    /// Takes an admin's word, which was found to prove itself: from the admin, or from whom it names.
    fn reassigned(&mut self, author: NodeId, word: Box<Reassignment>) -> bool {
        let (admin, arbiter) = (word.by(), word.body.arbiter);
        if ![admin, arbiter].contains(&author) {
            return false;
        }
        let place = (word.body.round, admin);
        let known = self.reassigned.entry(place).or_insert_with(|| Reassigned {
            word: word.clone(),
            told_by_arbiter: false,
        });
        // An admin that says two things of one round is broken; all nodes still take the same.
        if word.body < known.word.body {
            *known = Reassigned {
                word: word.clone(),
                told_by_arbiter: false,
            };
        }
        if known.word.body == word.body {
            known.told_by_arbiter |= author == arbiter;
        }
        // Later rounds stand.
        while self.reassigned.len() > SPEAKERS_MAX {
            self.reassigned.pop_first();
        }
        true
    }

    fn claimed(&mut self, node: NodeId, id: ClaimId, agent: AgentName, seen: Option<Fence>) {
        if self.claims.iter().any(|claim| claim.id == id) {
            return;
        }
        let mut own = self.claims.iter().filter(|claim| claim.holder.node == node);
        if let Some(oldest) = own.next().map(|claim| claim.id)
            && own.count() + 1 >= CLAIMS_PER_NODE_MAX
        {
            self.claims.retain(|claim| claim.id != oldest);
        }
        if self.claims.len() < CLAIMS_MAX {
            let holder = Holder { node, agent };
            self.claims.push(Claim { id, holder, seen });
        }
    }

    fn refused(&mut self, author: NodeId, claim: ClaimId) {
        if self.arbiter().is_none_or(|(_, arbiter)| arbiter == author) {
            self.claims.retain(|one| one.id != claim);
        }
    }

    fn arbiter_said(&mut self, said: Said, fence: Fence, item: TaskItem) -> bool {
        // A grant in another epoch than it says was sealed after its arbiter had lost its own.
        if matches!(item, TaskItem::Granted { .. }) && fence.epoch != said.epoch {
            return false;
        }
        let word = self.arbiters.entry((fence.round, said.author)).or_default();
        match item {
            TaskItem::Granted { claim, holder, .. } => {
                let grant = Grant {
                    fence,
                    claim,
                    holder,
                };
                word.granted(grant);
                self.drop_moot_claims();
            }
            TaskItem::Extended { step, .. } => word.extended(fence, step),
            TaskItem::Completed { holder, result, .. } => word.completed(Completion {
                fence,
                holder,
                result,
            }),
            _ => return false,
        }
        self.bound_arbiters(said.author);
        true
    }

    /// Anybody may say what an arbiter says, and who is one may be heard later: too many make room for those who are.
    fn bound_arbiters(&mut self, author: NodeId) {
        let strange = |(round, node): &(u32, NodeId)| self.arbiter_of(*round) != Some(*node);
        let own = self.arbiters.keys().filter(|(_, node)| *node == author);
        let own = own.filter(|speaker| strange(speaker)).copied();
        let mut dropped: Vec<(u32, NodeId)> = own.skip(STRANGE_ROUNDS_MAX).collect();
        let all = self.arbiters.keys().rev().copied();
        let excess = self.arbiters.len().saturating_sub(SPEAKERS_MAX);
        dropped.extend(all.filter(strange).take(excess));
        for speaker in dropped {
            self.arbiters.remove(&speaker);
        }
    }

    fn holder_said(&mut self, node: NodeId, fence: Fence, item: TaskItem) -> bool {
        let word = self
            .holders
            .entry(node)
            .or_insert_with(|| HolderWord::under(fence));
        if word.fence > fence {
            return false;
        }
        if word.fence < fence {
            *word = HolderWord::under(fence);
        }
        match item {
            TaskItem::Working {
                step,
                percent,
                note,
                ..
            } => word.working(step, percent, note),
            TaskItem::Released { .. } => word.released = true,
            TaskItem::Finished { result, .. } => word.finished(result),
            _ => return false,
        }
        while self.holders.len() > SPEAKERS_MAX {
            // Whoever spoke under the oldest fence is done with it.
            let oldest = self.holders.iter().min_by_key(|(_, word)| word.fence);
            let Some(oldest) = oldest.map(|(node, _)| *node) else {
                break;
            };
            self.holders.remove(&oldest);
        }
        true
    }

    fn drop_moot_claims(&mut self) {
        let latest = self.latest_grant().map(|grant| grant.fence);
        self.claims.retain(|claim| claim.seen >= latest);
    }

    /// The round, and who decides in it; `None` while the task is not known.
    pub fn arbiter(&self) -> Option<(u32, NodeId)> {
        let created = self.created.as_ref()?;
        let latest = self
            .reassigned
            .last_key_value()
            .map(|((round, _), _)| *round);
        let Some(round) = latest else {
            return Some((0, created.creator));
        };
        self.arbiter_of(round).map(|arbiter| (round, arbiter))
    }

    fn arbiter_of(&self, round: u32) -> Option<NodeId> {
        match round {
            0 => self.created.as_ref().map(|created| created.creator),
            _ => {
                let said = self.reassignment(round)?;
                Some(said.word.body.arbiter)
            }
        }
    }

    fn reassignment(&self, round: u32) -> Option<&Reassigned> {
        let mut said = self.reassigned.range((round, SMALLEST)..);
        let ((of, _), said) = said.next()?;
        (*of == round).then_some(said)
    }

    /// The word by which this node decides, where it has not told it itself yet.
    pub fn untold_reassignment(&self, arbiter: NodeId) -> Option<&Reassignment> {
        let ((round, _), _) = self.reassigned.last_key_value()?;
        let said = self.reassignment(*round)?;
        let untold = said.word.body.arbiter == arbiter && !said.told_by_arbiter;
        untold.then_some(&said.word)
    }

    fn words(&self) -> impl Iterator<Item = &ArbiterWord> {
        let has_register = self.has_register();
        let counts = move |(round, node): &(u32, NodeId)| {
            self.arbiter_of(*round) == Some(*node) && !(has_register && *round == 0)
        };
        let words = self.arbiters.iter();
        let words = words.filter_map(move |(speaker, word)| counts(speaker).then_some(word));
        let register = self.register.as_word();
        words.chain(register.filter(|_| has_register))
    }

    /// The grant after which claims come.
    pub fn latest_grant(&self) -> Option<&Grant> {
        let grants = self.words().filter_map(|word| word.grant.as_ref());
        grants.max_by_key(|grant| grant.fence)
    }

    /// What was accepted; the first, should an arbiter have forgotten one.
    pub fn completion(&self) -> Option<&Completion> {
        let completions = self.words().filter_map(|word| word.completion.as_ref());
        completions.min_by_key(|completion| completion.fence)
    }

    /// The last sign for which the lease of `fence` was extended.
    pub fn extended(&self, fence: Fence) -> u64 {
        let signs = self.words().filter_map(|word| word.extended);
        let of_fence = signs.filter(|(extended, _)| *extended == fence);
        of_fence.map(|(_, step)| step).max().unwrap_or_default()
    }

    fn word_under(&self, holder: &Holder, fence: Fence) -> Option<&HolderWord> {
        let word = self.holders.get(&holder.node)?;
        (word.fence == fence).then_some(word)
    }

    /// The last sign of the agent that holds the latest grant.
    pub fn last_sign(&self) -> Option<u64> {
        let grant = self.latest_grant()?;
        let word = self.word_under(&grant.holder, grant.fence)?;
        Some(word.step)
    }

    /// What the holder of the latest grant says came of it, as a hash: the first in order, where there are several.
    pub fn finished(&self) -> Option<Hash> {
        let grant = self.latest_grant()?;
        let word = self.word_under(&grant.holder, grant.fence)?;
        word.results.first().map(|(hash, _)| *hash)
    }

    /// A result under whatever fence, and who told it: what a broken arbiter might accept.
    pub(crate) fn finished_at_all(&self) -> Vec<(Fence, NodeId, Hash)> {
        let each = self.holders.iter().flat_map(|(node, word)| {
            let results = word.results.iter();
            results.map(|(hash, _)| (word.fence, *node, *hash))
        });
        each.collect()
    }

    /// Claims that may be granted, in the order in which they came: those that have seen the latest grant.
    pub fn claims(&self) -> impl Iterator<Item = &Claim> {
        let latest = self.latest_grant().map(|grant| grant.fence);
        let claims = self.claims.iter();
        claims.filter(move |claim| claim.seen == latest)
    }

    /// Who created it.
    pub fn creator(&self) -> Option<NodeId> {
        self.created.as_ref().map(|created| created.creator)
    }

    /// The epoch in which it was created.
    pub fn created_in(&self) -> Option<EpochId> {
        self.created.as_ref().map(|created| created.epoch)
    }

    /// What it asks for.
    pub fn definition(&self) -> Option<&Definition> {
        self.created.as_ref().map(|created| &created.definition)
    }

    /// How far it is.
    pub fn phase(&self) -> TaskPhase {
        if let Some(Completion {
            fence,
            holder,
            result,
        }) = self.completion()
        {
            let word = self.word_under(holder, *fence);
            let told = word.and_then(|word| word.results.iter().find(|(hash, _)| hash == result));
            return TaskPhase::Completed {
                holder: holder.clone(),
                fence: *fence,
                result: told.map(|(_, text)| text.clone()),
            };
        }
        if self.is_cancelled() {
            return TaskPhase::Cancelled;
        }
        let Some(grant) = self.latest_grant() else {
            return TaskPhase::Open;
        };
        let word = self.word_under(&grant.holder, grant.fence);
        match word.is_some_and(|word| word.released) {
            true => TaskPhase::Open,
            false => TaskPhase::Held {
                holder: grant.holder.clone(),
                fence: grant.fence,
                step: self.extended(grant.fence),
            },
        }
    }

    /// What a register holds its creator alone does not change any more.
    fn is_cancelled(&self) -> bool {
        if self.has_register() && self.register.is_open() {
            let standing = self.register.standing();
            return standing.is_some_and(|standing| standing.end == Some(End::Cancelled));
        }
        let creator = self.created.as_ref().map(|created| created.creator);
        creator.is_some_and(|creator| self.cancelled_by.contains(&creator))
    }

    /// Whether the holder of the latest grant has given the task back.
    pub fn is_released(&self, fence: Fence, holder: &Holder) -> bool {
        let word = self.word_under(holder, fence);
        word.is_some_and(|word| word.released)
    }

    /// The task as it stands; `None` while it is not known what it is.
    pub fn task(&self, id: TaskId) -> Option<Task> {
        let created = self.created.as_ref()?;
        let (round, arbiter) = self.arbiter()?;
        let phase = self.phase();
        let spoke = match &phase {
            TaskPhase::Held { holder, fence, .. } | TaskPhase::Completed { holder, fence, .. } => {
                self.word_under(holder, *fence)
            }
            TaskPhase::Open | TaskPhase::Cancelled => None,
        };
        Some(Task {
            id,
            creator: created.creator,
            created: created.time,
            definition: created.definition.clone(),
            arbiter,
            round,
            phase,
            percent: spoke
                .and_then(|word| word.percent)
                .map(|(_, percent)| percent),
            note: spoke
                .and_then(|word| word.note.clone())
                .map(|(_, note)| note),
        })
    }
}

/// Before every node.
const SMALLEST: NodeId = NodeId::from_public_key([0; 32]);

fn bounded(nodes: &mut BTreeSet<NodeId>) {
    while nodes.len() > SPEAKERS_MAX {
        nodes.pop_last();
    }
}
