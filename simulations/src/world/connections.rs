//! Connections between nodes after the gate: links come up and go down, by closing or by silence.
//!
//! Each end of a link gives a sign of life every second, and the other declares it dead after
//! [`LINK_SILENCE_MAX`] without one. No such sign is an event here: an end is told of a silence when it has lasted.

use std::collections::BTreeMap;

use peerage_protocol::id::NodeId;
use peerage_protocol::limits::{CONNECTIONS_PER_NODE_MAX, LINK_SILENCE_MAX};
use peerage_protocol::node_state::Input;

use super::World;
use super::event::{Boot, Event, Id};
use crate::checks::Observation;

/// Bytes of a message that says that a connection is closed.
const CLOSE_BYTES: usize = 64;
/// An end looks at its connections this often.
const TICK_US: u64 = 500_000;

/// The end of the node that dialed.
pub(crate) const DIALER: usize = 0;
/// The end of the node that listened.
pub(crate) const LISTENER: usize = 1;

/// A connection that has passed the gate at one end at least.
pub(crate) struct Connection {
    pub(crate) ends: [End; 2],
    /// What waits for a partition to end, and from which end it comes, with its bytes.
    pub(crate) held_back: Vec<(usize, usize, Event)>,
    /// What arrived at the dialer's end before it was open.
    pub(crate) early: Vec<Event>,
}

/// How far one end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Its gate is not passed yet.
    Pending,
    /// It is a link, or one of several.
    Open,
    /// It is no more.
    Closed,
}

/// One end of a connection.
pub(crate) struct End {
    pub(crate) node: usize,
    /// Its key: its machine may go on with another.
    pub(crate) id: NodeId,
    pub(crate) boot: Boot,
    pub(crate) state: State,
    /// Since when this end hears nothing of the other.
    pub(crate) hears_nothing_since: Option<u64>,
}

impl World {
    /// A connection of which no end is open yet.
    pub(crate) fn connect(&mut self, dialer: (usize, Boot), listener: (usize, Boot)) -> Id {
        let id = self.next_id();
        let end = |(node, boot): (usize, Boot)| End {
            node,
            id: self.machines[node].id,
            boot,
            state: State::Pending,
            hears_nothing_since: None,
        };
        let connection = Connection {
            ends: [end(dialer), end(listener)],
            held_back: Vec::new(),
            early: Vec::new(),
        };
        self.connections.insert(id, connection);
        id
    }

    /// One end is past the gate. It is closed again at once where the roster has changed since, or there are too many.
    pub(crate) fn open(&mut self, id: Id, end: usize) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let (node, other) = (connection.ends[end].node, connection.ends[1 - end].node);
        connection.ends[end].state = State::Open;
        let them = connection.ends[1 - end].id;
        let early = std::mem::take(&mut connection.early);
        let wall = self.machines[node].wall(self.now_us);
        let address = self.machines[other].address.clone();
        let first = !self.is_linked_to(node, them);
        let Some(process) = &mut self.machines[node].process else {
            return;
        };
        let member = process
            .roster
            .as_ref()
            .is_some_and(|roster| roster.admits(them, wall));
        let connections = process.peers.entry(other).or_default();
        connections.push(id);
        if !member || connections.len() > CONNECTIONS_PER_NODE_MAX as usize {
            self.forget_connection(node, other, id);
            self.shut(id, end);
            return;
        }
        self.statistics.connections += u64::from(end == DIALER);
        self.observe(&Observation::LinkOpened { node, other: them });
        if first {
            self.fabric_connected(node, other);
        }
        if first {
            let address = (end == DIALER).then_some(address);
            self.tell(
                node,
                Input::LinkUp {
                    node: them,
                    address,
                },
            );
        }
        for event in early {
            self.queue.schedule(self.now_us, event);
        }
    }

    /// Closes every connection of `node` to `other`.
    pub(crate) fn disconnect(&mut self, node: usize, other: usize) {
        let process = self.machines[node].process.as_ref();
        let connections = process.and_then(|process| process.peers.get(&other));
        for id in connections.cloned().unwrap_or_default() {
            self.close(
                id,
                usize::from(self.connections[&id].ends[DIALER].node != node),
            );
        }
    }

    /// Closes every connection of `node` to whoever has this key.
    pub(crate) fn disconnect_key(&mut self, node: usize, them: NodeId) {
        for (id, end) in self.ends_of(node) {
            if self.connections[&id].ends[1 - end].id == them {
                self.close(id, end);
            }
        }
    }

    /// Closes a connection at one end, which tells the other.
    pub(crate) fn close(&mut self, id: Id, end: usize) {
        self.shut(id, end);
        self.lost(id, end);
    }

    /// One end says that it is gone.
    fn shut(&mut self, id: Id, end: usize) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.ends[end].state = State::Closed;
        let (node, other) = (connection.ends[end].node, connection.ends[1 - end].node);
        if self.network.passes(node, other) {
            let event = Event::Closed {
                connection: id,
                end: 1 - end,
            };
            self.send(node, other, CLOSE_BYTES, event);
        } else {
            self.hears_nothing(id, 1 - end);
        }
    }

    /// The other end said that it closed the connection.
    pub(crate) fn close_heard(&mut self, id: Id, end: usize) {
        self.lost(id, end);
    }

    /// An end has no connection any more.
    fn lost(&mut self, id: Id, end: usize) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.ends[end].state = State::Closed;
        let (node, other) = (connection.ends[end].node, connection.ends[1 - end].node);
        let (boot, them) = (connection.ends[end].boot, connection.ends[1 - end].id);
        if connection.ends[1 - end].state == State::Closed {
            self.connections.remove(&id);
        }
        if !self.machines[node].runs(boot) {
            return;
        }
        let (was_there, any_left) = self.forget_connection(node, other, id);
        if was_there && !any_left {
            self.fabric_disconnected(node, other);
        }
        if was_there && !self.is_linked_to(node, them) {
            self.tell(node, Input::LinkDown { node: them });
        }
        self.fail_questions_over(node, id);
    }

    /// Takes a connection out of a node's list; says whether it was there, and whether any to that machine is left.
    fn forget_connection(&mut self, node: usize, other: usize, id: Id) -> (bool, bool) {
        let Some(process) = &mut self.machines[node].process else {
            return (false, false);
        };
        let Some(connections) = process.peers.get_mut(&other) else {
            return (false, false);
        };
        let before = connections.len();
        connections.retain(|one| *one != id);
        let last = connections.is_empty();
        let was_there = connections.len() < before;
        if last {
            process.peers.remove(&other);
        }
        (was_there, !last)
    }

    /// Whether `node` has a connection to another under this very key.
    pub(crate) fn is_linked_to(&self, node: usize, them: NodeId) -> bool {
        self.link_to(node, them).is_some()
    }

    /// The dialer is not there any more to open its end.
    pub(crate) fn never_opens(&mut self, id: Id) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.ends[DIALER].state = State::Closed;
            self.hears_nothing(id, LISTENER);
        }
    }

    /// From now on `end` hears nothing of the other.
    pub(crate) fn hears_nothing(&mut self, id: Id, end: usize) {
        let since_us = self.now_us;
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let end_of_it = &mut connection.ends[end];
        if end_of_it.hears_nothing_since.is_none() {
            end_of_it.hears_nothing_since = Some(since_us);
            self.schedule_silence(id, end, since_us);
        }
    }

    fn schedule_silence(&mut self, connection: Id, end: usize, since_us: u64) {
        let bound_us = LINK_SILENCE_MAX.as_micros() as u64;
        // The last sign of life was heard up to a second before, and ticks fall where they do.
        let at_us = self.now_us + bound_us - self.randomness.below(2 * TICK_US);
        self.queue.schedule(
            at_us,
            Event::Silent {
                connection,
                end,
                since_us,
            },
        );
    }

    /// The silence has lasted, unless it was broken in between.
    pub(crate) fn silent(&mut self, id: Id, end: usize, since_us: u64) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        if connection.ends[end].hears_nothing_since != Some(since_us) {
            return;
        }
        if connection.ends[end].state == State::Open {
            self.close(id, end);
        } else {
            self.lost(id, end);
        }
    }

    /// Every connection of a node that is no more falls silent, or is closed by its machine.
    pub(crate) fn died(&mut self, node: usize, peers: &BTreeMap<usize, Vec<Id>>) {
        let closes = self.randomness.chance(0.5);
        for id in peers.values().flatten() {
            let Some(connection) = self.connections.get_mut(id) else {
                continue;
            };
            let end = usize::from(connection.ends[DIALER].node != node);
            connection.ends[end].state = State::Closed;
            if closes {
                self.shut(*id, end);
            } else {
                self.hears_nothing(*id, 1 - end);
            }
        }
        for id in self.unopened_by(node) {
            self.never_opens(id);
        }
    }

    /// Connections of which the listener may have opened its end, and `node`, which dialed, has not.
    fn unopened_by(&self, node: usize) -> Vec<Id> {
        let unopened = |connection: &Connection| {
            let dialer = &connection.ends[DIALER];
            dialer.node == node && dialer.state == State::Pending
        };
        let connections = self.connections.iter();
        let mut unopened: Vec<Id> = connections
            .filter(|(_, connection)| unopened(connection))
            .map(|(id, _)| *id)
            .collect();
        unopened.sort_unstable();
        unopened
    }

    /// A stalled node gives no signs of life.
    pub(crate) fn falls_silent(&mut self, node: usize) {
        for (id, end) in self.ends_of(node) {
            self.hears_nothing(id, 1 - end);
        }
    }

    /// A node that was stalled goes on: it has not counted the time, and gives signs of life again.
    pub(crate) fn speaks_again(&mut self, node: usize) {
        for (id, end) in self.ends_of(node) {
            self.look_again(id, end);
            self.look_again(id, 1 - end);
        }
    }

    /// Which connections are cut by a partition, or mended, may have changed.
    pub(crate) fn network_changed(&mut self) {
        for node in 0..self.machines.len() {
            for (id, end) in self.ends_of(node) {
                self.look_again(id, end);
                self.release_held_back(id);
            }
        }
    }

    /// Whether one end hears the other now, and what follows from it.
    fn look_again(&mut self, id: Id, end: usize) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        let (here, there) = (&connection.ends[end], &connection.ends[1 - end]);
        let alive = there.state != State::Closed && self.machines[there.node].is_awake();
        if alive && self.network.passes(there.node, here.node) {
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.ends[end].hears_nothing_since = None;
            }
        } else {
            self.hears_nothing(id, end);
        }
    }

    fn release_held_back(&mut self, id: Id) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let held_back = std::mem::take(&mut connection.held_back);
        for (end, bytes, event) in held_back {
            self.send_over(id, end, bytes, event);
        }
    }

    /// Sends over a connection; while the way is cut, what is sent waits.
    pub(crate) fn send_over(&mut self, id: Id, end: usize, bytes: usize, event: Event) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let (node, other) = (connection.ends[end].node, connection.ends[1 - end].node);
        if self.network.passes(node, other) {
            self.send(node, other, bytes, event);
        } else {
            connection.held_back.push((end, bytes, event));
        }
    }

    /// The connection over which `node` reaches `other`, and its end of it.
    pub(crate) fn link(&self, node: usize, other: usize) -> Option<(Id, usize)> {
        let process = self.machines[node].process.as_ref()?;
        let id = *process.peers.get(&other)?.first()?;
        let connection = self.connections.get(&id)?;
        Some((id, usize::from(connection.ends[DIALER].node != node)))
    }

    /// The same, to whoever has this key.
    pub(crate) fn link_to(&self, node: usize, them: NodeId) -> Option<(Id, usize)> {
        let process = self.machines[node].process.as_ref()?;
        let connections = process.peers.get(&self.place(them)?)?;
        connections.iter().find_map(|id| {
            let connection = self.connections.get(id)?;
            let end = usize::from(connection.ends[DIALER].node != node);
            (connection.ends[1 - end].id == them).then_some((*id, end))
        })
    }

    fn ends_of(&self, node: usize) -> Vec<(Id, usize)> {
        let process = self.machines[node].process.as_ref();
        let connections = process
            .into_iter()
            .flat_map(|process| process.peers.values().flatten());
        let end = |id: &Id| {
            let connection = self.connections.get(id)?;
            Some((*id, usize::from(connection.ends[DIALER].node != node)))
        };
        connections.filter_map(end).collect()
    }
}
