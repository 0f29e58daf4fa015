//! A gossip fabric modelled on gossipsub 1.2 with the settings of a real node.
//!
//! Every node keeps a mesh of some of its links, along which messages are pushed as soon as the node has accepted them;
//! its own messages go the same way. Every heartbeat it tells some of the other links what it had lately,
//! and they ask for what they missed. A message is known by its id: its first copy counts, later ones are duplicates;
//! of a large message a node tells its mesh that it needs no other copy. Grafting and pruning take no time here, and
//! peers are not scored.

mod message;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rustc_hash::FxHashMap;

use crate::randomness::Randomness;
pub(crate) use message::{Message, MessageId, Whereabouts};

/// Links along which a node pushes: as many as it likes to have.
const MESH: usize = 8;
/// Fewer than this are made more.
const MESH_LOW: usize = 6;
/// More than this are made fewer.
const MESH_HIGH: usize = 12;
/// Of the links outside the mesh, as many at least are told what there was lately.
const LAZY: usize = 6;
/// The share of the links outside the mesh that is told, where that is more.
const LAZY_SHARE: f64 = 0.25;
/// Heartbeats for which a message is told of.
const TOLD_FOR: u32 = 5;
/// A verdict later than this comes too late for a message to be passed on: ten heartbeats.
const VERDICT_WITHIN_US: u64 = 10 * HEARTBEAT_US;
/// Of messages at least this large, nodes tell that they need no other copy.
const LARGE_BYTES: usize = 256;

/// Time between two heartbeats.
pub(crate) const HEARTBEAT_US: u64 = 700_000;
/// For how long ids of messages are remembered.
pub(crate) const REMEMBERED_US: u64 = 300_000_000;

/// Every node's part in the fabric, and every message that is remembered.
pub(crate) struct Fabric {
    randomness: Randomness,
    members: Vec<Member>,
    messages: FxHashMap<MessageId, Message>,
    /// In order of publication.
    order: BTreeMap<u64, MessageId>,
}

/// One node's part.
#[derive(Default)]
struct Member {
    links: BTreeSet<usize>,
    mesh: BTreeSet<usize>,
    /// What it had lately, and for how many more heartbeats it tells of it.
    recent: VecDeque<(MessageId, u32)>,
    beating: bool,
}

/// What became of a copy that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It is the first.
    First,
    /// There was one before.
    Duplicate,
}

/// Why a message is not published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotPublished {
    /// There is no link.
    NoPeers,
    /// It was said before, by this node or another.
    Duplicate,
}

/// What a heartbeat brings.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Beat {
    /// Whom to tell of which messages.
    pub(crate) tell: Vec<usize>,
    pub(crate) messages: Vec<MessageId>,
    /// Whether there will be a next one to any purpose.
    pub(crate) again: bool,
}

impl Fabric {
    pub(crate) fn new(nodes: usize, seed: u64) -> Self {
        Self {
            randomness: Randomness::new(seed, "fabric"),
            members: (0..nodes).map(|_| Member::default()).collect(),
            messages: FxHashMap::default(),
            order: BTreeMap::new(),
        }
    }

    /// A node has a link. Says whether its heartbeat must begin.
    pub(crate) fn connected(&mut self, node: usize, other: usize) -> bool {
        self.members[node].links.insert(other);
        if self.members[node].mesh.len() < MESH_LOW {
            self.graft(node, other);
        }
        self.needs_heartbeat(node)
    }

    /// A node has lost a link. Says whether its heartbeat must begin.
    pub(crate) fn disconnected(&mut self, node: usize, other: usize) -> bool {
        self.members[node].links.remove(&other);
        self.prune(node, other);
        self.needs_heartbeat(node)
    }

    /// A node has started anew: it has no links and remembers nothing.
    pub(crate) fn restarted(&mut self, node: usize) {
        let mesh = std::mem::take(&mut self.members[node].mesh);
        for other in mesh {
            self.members[other].mesh.remove(&node);
        }
        self.members[node] = Member::default();
        for message in self.messages.values_mut() {
            message.forget_arrival(node);
        }
    }

    /// A node publishes: whom it sends to, its mesh and as many others as make that [`MESH`].
    pub(crate) fn publish(
        &mut self,
        now_us: u64,
        node: usize,
        id: MessageId,
        message: Message,
    ) -> Result<Vec<usize>, NotPublished> {
        if self.members[node].links.is_empty() {
            return Err(NotPublished::NoPeers);
        }
        let known = self.messages.entry(id).or_insert(message);
        if !known.arrive(now_us, node) {
            return Err(NotPublished::Duplicate);
        }
        self.order.insert(known.number, id);
        self.remember(node, id);
        let Member { links, mesh, .. } = &self.members[node];
        let mut to: Vec<usize> = mesh.iter().copied().collect();
        let others: Vec<usize> = links.difference(mesh).copied().collect();
        let missing = MESH.saturating_sub(to.len());
        to.extend(self.randomness.choose(&others, missing));
        Ok(to)
    }

    /// A copy arrived at a node; `None` where the message is remembered no more.
    pub(crate) fn arrived(&mut self, now_us: u64, node: usize, id: MessageId) -> Option<Arrival> {
        let message = self.messages.get_mut(&id)?;
        if message.arrive(now_us, node) {
            return Some(Arrival::First);
        }
        message.duplicates += 1;
        Some(Arrival::Duplicate)
    }

    /// How far a message has come to a node; one that is remembered no more has been everywhere.
    pub(crate) fn whereabouts(&self, node: usize, id: MessageId) -> Whereabouts {
        self.messages
            .get(&id)
            .map_or(Whereabouts::Had, |message| message.whereabouts(node))
    }

    /// The next copy that a node will have lies in `parcel`, as far as is known.
    pub(crate) fn await_copy(&mut self, node: usize, id: MessageId, parcel: Option<u64>) {
        if let Some(message) = self.messages.get_mut(&id) {
            message.await_copy(node, parcel);
        }
    }

    /// So many copies came, or will come, where one had been.
    pub(crate) fn count_duplicates(&mut self, id: MessageId, copies: usize) {
        if let Some(message) = self.messages.get_mut(&id) {
            message.duplicates += copies as u64;
        }
    }

    /// How many a node tells that it needs no other copy of a message that it has just had.
    pub(crate) fn told_unwanted(&self, node: usize, id: MessageId) -> usize {
        let large = self.message(id).is_some_and(|m| m.bytes >= LARGE_BYTES);
        if large {
            self.members[node].mesh.len()
        } else {
            0
        }
    }

    /// The node accepts the message: whom it passes it on to. What another says arrives after `says_so_after_us`.
    pub(crate) fn accepted(
        &mut self,
        now_us: u64,
        node: usize,
        from: usize,
        id: MessageId,
        says_so_after_us: impl Fn(usize) -> u64,
    ) -> Vec<usize> {
        let Some(message) = self.messages.get(&id) else {
            return Vec::new();
        };
        let Some(arrived_us) = message.arrived_us(node) else {
            return Vec::new();
        };
        if now_us.saturating_sub(arrived_us) > VERDICT_WITHIN_US {
            return Vec::new();
        }
        let large = message.bytes >= LARGE_BYTES;
        let needs_none = |other: usize| {
            // It has said so by the time it has had the message for as long as it takes to say so.
            large
                && message
                    .arrived_us(other)
                    .is_some_and(|at_us| at_us + says_so_after_us(other) <= now_us)
        };
        let mesh = self.members[node].mesh.iter().copied();
        let to = mesh.filter(|other| *other != from && *other != message.publisher);
        let to: Vec<usize> = to.filter(|other| !needs_none(*other)).collect();
        self.remember(node, id);
        to
    }

    /// A node's heartbeat.
    pub(crate) fn heartbeat(&mut self, node: usize) -> Beat {
        self.mend_mesh(node);
        let member = &mut self.members[node];
        let messages: Vec<MessageId> = member.recent.iter().map(|(id, _)| *id).collect();
        for (_, beats) in &mut member.recent {
            *beats -= 1;
        }
        while member.recent.front().is_some_and(|(_, beats)| *beats == 0) {
            member.recent.pop_front();
        }
        let others: Vec<usize> = member.links.difference(&member.mesh).copied().collect();
        let count = LAZY.max((others.len() as f64 * LAZY_SHARE) as usize);
        let tell = if messages.is_empty() {
            Vec::new()
        } else {
            self.randomness.choose(&others, count)
        };
        self.members[node].beating = false;
        Beat {
            tell,
            messages,
            again: self.needs_heartbeat(node),
        }
    }

    /// Which of the messages told of a node has not had.
    pub(crate) fn missing(&self, node: usize, told: &[MessageId]) -> Vec<MessageId> {
        let unseen = |id: &&MessageId| {
            let message = self.messages.get(*id);
            message.is_some_and(|message| message.arrived_us(node).is_none())
        };
        told.iter().filter(unseen).copied().collect()
    }

    pub(crate) fn message(&self, id: MessageId) -> Option<&Message> {
        self.messages.get(&id)
    }

    /// A message is remembered no longer.
    pub(crate) fn forget(&mut self, id: MessageId) -> Option<Message> {
        let message = self.messages.remove(&id)?;
        self.order.remove(&message.number);
        Some(message)
    }

    /// Every message that is remembered, in order of publication.
    pub(crate) fn remembered(&self) -> Vec<MessageId> {
        self.order.values().copied().collect()
    }

    fn remember(&mut self, node: usize, id: MessageId) {
        self.members[node].recent.push_back((id, TOLD_FOR));
    }

    /// Whether a heartbeat that does not beat yet would do anything; it counts as beating from here on.
    pub(crate) fn needs_heartbeat(&mut self, node: usize) -> bool {
        let member = &mut self.members[node];
        let thin = member.mesh.len() < MESH_LOW && member.mesh.len() < member.links.len();
        let thick = member.mesh.len() > MESH_HIGH;
        let to_tell = !member.recent.is_empty() && member.links.len() > member.mesh.len();
        if !to_tell {
            // Everybody it could tell was sent what there was.
            member.recent.clear();
        }
        let needs = (thin || thick || to_tell) && !member.beating;
        member.beating |= needs;
        needs
    }

    fn mend_mesh(&mut self, node: usize) {
        let member = &self.members[node];
        let size = member.mesh.len();
        if size < MESH_LOW {
            let others: Vec<usize> = member.links.difference(&member.mesh).copied().collect();
            for other in self.randomness.choose(&others, MESH - size) {
                self.graft(node, other);
            }
        } else if size > MESH_HIGH {
            let mesh: Vec<usize> = member.mesh.iter().copied().collect();
            for other in self.randomness.choose(&mesh, size - MESH) {
                self.prune(node, other);
            }
        }
    }

    fn graft(&mut self, node: usize, other: usize) {
        let room = self.members[other].mesh.len() < MESH_HIGH;
        if room && self.members[other].links.contains(&node) {
            self.members[node].mesh.insert(other);
            self.members[other].mesh.insert(node);
        }
    }

    fn prune(&mut self, node: usize, other: usize) {
        self.members[node].mesh.remove(&other);
        self.members[other].mesh.remove(&node);
    }
}

#[cfg(test)]
mod tests;
