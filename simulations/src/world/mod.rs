//! The world: machines, the network between them and one queue of events in virtual time.
//!
//! Everything that happens follows from the plan. The nodes are [`NodeState`](peerage_protocol::node_state::NodeState)
//! as shipped; what carries out their outputs here does what the control plane and the network of a real node do.

mod actions;
mod awaited;
mod connections;
mod convergence;
mod copies;
mod describe;
mod dials;
mod disk;
mod dispatch;
mod errands;
mod event;
mod fabric;
mod gate;
mod gossip;
mod joins;
mod kinds;
pub(crate) mod letters;
mod log;
pub(crate) mod machine;
mod measure;
pub(crate) mod misbehaviour;
mod network;
mod observing;
mod outputs;
mod presence;
mod process;
mod questions;
mod queue;
mod requests;
mod rotations;
mod sizes;
mod slots;
mod strangers;
mod tasks;
mod trace;
mod traffic;
pub(crate) mod truth;
mod verifier;
mod votes;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use peerage_protocol::consensus::proposal::ProposalId;
use peerage_protocol::id::NodeId;
use peerage_protocol::node_state::Keys;
use peerage_protocol::signature::{Signer, Verifier};
use peerage_protocol::tasks::TaskId;
use rustc_hash::FxHashMap;

use crate::action::{Action, RaceNumber};
use crate::checks::{self, Check};
use crate::outcome::{Options, Outcome, Statistics, Violation};
use crate::plan::{NodeNumber, NodePlan, Plan};
use crate::randomness::{Randomness, derive};
use awaited::Awaited;
use connections::Connection;
use disk::Disk;
use event::{Event, Id};
use fabric::Fabric;
use gate::Handshake;
use gossip::Parcel;
use joins::Tickets;
use machine::{JoinProgress, Machine};
use misbehaviour::{Episode, OldNews};
use network::Network;
use questions::Question;
use queue::Queue;
use slots::Slots;
use strangers::Recorded;
use trace::Tracer;
use traffic::Traffic;
use truth::Truth;
use verifier::MemoisingVerifier;

/// Runs a plan to its end, or to the first check that fails.
pub fn run(plan: &Plan, options: &Options) -> Outcome {
    let mut world = World::new(plan, options);
    world.begin();
    while world.violation.is_none() {
        let Some((at_us, event)) = world.queue.next() else {
            break;
        };
        if at_us > world.horizon_us {
            break;
        }
        world.now_us = at_us;
        world.happen(event);
    }
    world.finish()
}

/// One world while it runs.
pub(crate) struct World {
    plan: Plan,
    options: Options,
    now_us: u64,
    horizon_us: u64,
    queue: Queue<Event>,
    machines: Vec<Machine>,
    by_id: FxHashMap<NodeId, usize>,
    by_number: FxHashMap<NodeNumber, usize>,
    by_address: FxHashMap<String, usize>,
    network: Network,
    randomness: Randomness,
    verifier: Arc<dyn Verifier>,
    last_id: Id,
    handshakes: FxHashMap<Id, Handshake>,
    connections: FxHashMap<Id, Connection>,
    questions: FxHashMap<Id, Question>,
    fabric: Fabric,
    parcels: Slots<Parcel>,
    /// The nodes in the mesh, until that changes.
    audience: Option<Arc<Vec<bool>>>,
    tickets: Tickets,
    recorded: Recorded,
    old_news: OldNews,
    /// Items that were put into logs.
    appended: u64,
    /// Tasks that agents race for, and how often one was claimed.
    races: BTreeMap<RaceNumber, TaskId>,
    claims: u64,
    /// The proposals that actions refer to, by number.
    proposals: FxHashMap<u32, ProposalId>,
    /// How members misbehave, by place; also those that have stopped.
    episodes: FxHashMap<usize, Episode>,
    truth: Truth,
    checks: Vec<Box<dyn Check>>,
    tracer: Tracer,
    statistics: Statistics,
    traffic: Traffic,
    awaited: Awaited,
    found_wrong_last: Cell<Option<usize>>,
    violation: Option<Violation>,
}

impl World {
    fn new(plan: &Plan, options: &Options) -> Self {
        let regions = plan.nodes.iter().map(|node| node.region).collect();
        let mut world = Self {
            now_us: 0,
            horizon_us: plan.horizon_us(),
            queue: Queue::default(),
            machines: Vec::with_capacity(plan.nodes.len()),
            by_id: FxHashMap::default(),
            by_number: FxHashMap::default(),
            by_address: FxHashMap::default(),
            network: Network::new(plan.network.clone(), regions, plan.seed),
            randomness: Randomness::new(plan.seed, "world"),
            verifier: Arc::new(MemoisingVerifier::default()),
            last_id: 0,
            handshakes: FxHashMap::default(),
            connections: FxHashMap::default(),
            questions: FxHashMap::default(),
            fabric: Fabric::new(plan.nodes.len(), plan.seed),
            parcels: Slots::default(),
            audience: None,
            tickets: Tickets::default(),
            recorded: Recorded::default(),
            old_news: OldNews::default(),
            appended: 0,
            races: BTreeMap::new(),
            claims: 0,
            proposals: FxHashMap::default(),
            episodes: FxHashMap::default(),
            truth: Truth::default(),
            checks: checks::all(),
            tracer: Tracer::new(options.trace),
            statistics: Statistics::default(),
            traffic: Traffic::default(),
            awaited: Awaited::default(),
            found_wrong_last: Cell::default(),
            violation: None,
            plan: plan.clone(),
            options: *options,
        };
        for (place, node) in plan.nodes.iter().enumerate() {
            world.add_machine(place, node);
        }
        world
    }

    fn add_machine(&mut self, place: usize, node: &NodePlan) {
        let number = node.number;
        let key = SigningKey::from_bytes(&derive(self.plan.seed, &format!("node {}", number.0)));
        let id = NodeId::from_public_key(key.public_key());
        let of_node = |action: &Action| action.restarts() == Some(number);
        let restarts = self.plan.actions.iter().any(|timed| of_node(&timed.action));
        let backups = self.plan.actions.iter().any(|timed| {
            of_node(&timed.action) && matches!(timed.action, Action::RestoreBackup { .. })
        });
        let address = address(number, 0);
        self.truth.offers(place, &node.servers);
        self.by_id.insert(id, place);
        self.by_number.insert(number, place);
        self.by_address.insert(address.clone(), place);
        self.machines.push(Machine {
            plan: node.clone(),
            key: Arc::new(key),
            id,
            next_key: None,
            rotations: 0,
            disk: Disk::new(restarts, backups).of(id),
            skew_ms: node.clock_skew_ms,
            address,
            moves: 0,
            servers: node.servers.clone(),
            boots: 0,
            process: None,
            excused_until_us: 0,
            join: JoinProgress::default(),
            sent: (0, 0),
        });
    }

    fn begin(&mut self) {
        for (node, machine) in self.machines.iter_mut().enumerate() {
            self.queue.schedule(0, Event::Boot { node });
            if let (Some(at_us), true) = (machine.plan.joins_at_us, node > 0) {
                machine.join.again = true;
                machine.join.wanted_since_us = Some(at_us);
                self.queue.schedule(at_us, Event::Join { node });
            }
        }
        self.queue.schedule(0, Event::Found);
        for (action, timed) in self.plan.actions.iter().enumerate() {
            self.queue.schedule(timed.at_us, Event::Act { action });
        }
        if self.options.sample_us > 0 {
            self.queue.schedule(0, Event::Sample);
        }
        let over = self.plan.last_fault_us();
        self.queue.schedule(over, Event::Look);
    }

    fn finish(mut self) -> Outcome {
        self.check_disks();
        self.check_convergence();
        self.measure_the_end();
        let (trace_hash, trace) = self.tracer.finish();
        Outcome {
            trace_hash,
            violation: self.violation,
            statistics: self.statistics,
            trace,
        }
    }

    fn next_id(&mut self) -> Id {
        self.last_id += 1;
        self.last_id
    }

    fn keys(&self, node: usize) -> Keys {
        let machine = &self.machines[node];
        let root = machine.disk.root.clone();
        Keys {
            node: machine.key.clone(),
            root: root.map(|root| root as Arc<dyn Signer>),
            verifier: self.verifier.clone(),
        }
    }

    /// The machine of `node`, if it is one of this world.
    fn place(&self, node: NodeId) -> Option<usize> {
        self.by_id.get(&node).copied()
    }

    /// Sends `bytes` from one node to another, where `event` then happens.
    fn send(&mut self, from: usize, to: usize, bytes: usize, event: Event) {
        let kind = self.traffic_kind(&event);
        let at_us = self.account(from, to, bytes, kind);
        self.queue.schedule(at_us, event);
    }

    /// Counts `bytes` that go from one node to another, and says when they arrive.
    fn account(&mut self, from: usize, to: usize, bytes: usize, kind: &'static str) -> u64 {
        self.statistics.messages += 1;
        self.statistics.bytes += bytes as u64;
        self.traffic.add(kind, bytes as u64);
        if self.network.is_across(from, to) {
            self.statistics.bytes_across += bytes as u64;
        }
        let sent = &mut self.machines[from].sent;
        *sent = (sent.0 + 1, sent.1 + bytes as u64);
        self.network.arrival_us(self.now_us, from, to, bytes)
    }
}

/// What a node is called in traces.
fn called(by_id: &FxHashMap<NodeId, usize>, machines: &[Machine], node: NodeId) -> String {
    match by_id.get(&node) {
        Some(place) => format!("#{}", machines[*place].plan.number.0),
        None => "a stranger".to_owned(),
    }
}

/// Where a node listens after it has moved so many times.
fn address(number: NodeNumber, moves: u32) -> String {
    let [_, a, b, c] = number.0.to_be_bytes();
    format!("/ip4/10.{a}.{b}.{c}/udp/{}/quic-v1", 4_001 + moves)
}

#[cfg(test)]
mod check_tests;
#[cfg(test)]
mod tests;
