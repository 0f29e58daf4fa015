//! Running one node: inputs in, outputs carried out in order, a write completed before what follows it, deadlines
//! kept; starting, killing and stalling it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use peerage_protocol::catalog::manifest::ToolEntry;
use peerage_protocol::catalog::shelf::Shelf;
use peerage_protocol::catalog::snapshot::LocalServer;
use peerage_protocol::id::{NodeId, RegionName};
use peerage_protocol::membership::certificate::CertificateChain;
use peerage_protocol::node_state::{Input, NodeState, Output, Record, RequestId, Write};
use rustc_hash::FxHashMap;

use super::event::{Boot, Event};
use super::kinds::input_kind;
use super::machine::{KillOrder, Process, Request};
use super::{World, called, describe};
use crate::action::WriteUnderWay;
use crate::checks::Observation;
use crate::outcome::count;
use crate::plan::ServerPlan;

/// How long a node that is to be killed at an output may stay silent.
const KILL_WAIT_US: u64 = 5_000_000;

impl World {
    /// Starts a machine's node from what its disk holds.
    pub(crate) fn boot(&mut self, node: usize) {
        if self.machines[node].process.is_some() {
            return;
        }
        self.put_key_in_force(node);
        let keys = self.keys(node);
        let now_us = self.now_us;
        let machine = &mut self.machines[node];
        machine.boots += 1;
        let state = NodeState::new(machine.now(now_us), keys, machine.disk.records());
        machine.process = Some(Process {
            boot: machine.boots,
            booted_us: now_us,
            inbox: VecDeque::new(),
            outputs: VecDeque::new(),
            writing: None,
            working: false,
            stalled: None,
            stalls: 0,
            kill: None,
            wake: 0,
            wake_at: None,
            woken: (0, 0),
            last_request: 0,
            requests: FxHashMap::default(),
            held: BTreeSet::new(),
            reads: false,
            roster: state.roster().cloned(),
            catalog: state.catalog().clone(),
            proposals: Arc::default(),
            manifest: state.manifest().clone(),
            joining: None,
            errand: None,
            collects_until_us: 0,
            join_attempts: 0,
            peers: BTreeMap::new(),
            asking: BTreeSet::new(),
            away: state.away().clone(),
            state,
        });
        let member = machine
            .process
            .as_ref()
            .is_some_and(|process| process.roster.is_some());
        let addresses = vec![machine.address.clone()];
        let servers = local_servers(&machine.servers);
        self.audience = None;
        self.crash_over(node);
        self.fabric.restarted(node);
        self.observe(&Observation::Booted { node });
        // Whoever left and is put back to an old backup may hold a certificate that has ended by that.
        let odd = self.truth.leavers.contains(&node) && self.truth.restored.contains(&node);
        if member && odd {
            self.truth.revenants.insert(node);
        } else if member {
            self.truth.entered(node);
        }
        self.open_log(node);
        self.go_on_rotating(node);
        if let Some(region) = self.named_region(node) {
            let region = Some(region);
            self.tell(node, Input::Region { region });
        }
        self.tell(node, Input::Wake);
        self.tell(node, Input::Listening { addresses });
        self.tell(node, Input::LocalServers { servers });
    }

    /// What a node says of its region.
    fn named_region(&self, node: usize) -> Option<RegionName> {
        let region = self.machines[node].plan.region;
        let named = self.plan.named_regions;
        named.then(|| format!("region-{region}").parse().ok())?
    }

    /// Gives a node an input, after those it has not taken yet.
    pub(crate) fn tell(&mut self, node: usize, input: Input) {
        if let Some(process) = &mut self.machines[node].process {
            process.inbox.push_back(input);
            self.work(node);
        }
    }

    /// Gives a node an input that will be answered.
    pub(crate) fn ask(
        &mut self,
        node: usize,
        request: Request,
        input: impl FnOnce(RequestId) -> Input,
    ) {
        if let Some(process) = &mut self.machines[node].process {
            let request = process.request(request);
            self.tell(node, input(request));
        }
    }

    /// Lets a node go on until it waits for its disk or has nothing to do.
    pub(crate) fn work(&mut self, node: usize) {
        let Some(process) = &mut self.machines[node].process else {
            return;
        };
        if process.working {
            return;
        }
        process.working = true;
        while self.step(node) {}
        if let Some(process) = &mut self.machines[node].process {
            process.working = false;
            self.schedule_wake(node);
        }
    }

    /// One output carried out or one input taken; says whether there may be more.
    fn step(&mut self, node: usize) -> bool {
        if self.violation.is_some() {
            return false;
        }
        let now_us = self.now_us;
        let machine = &mut self.machines[node];
        let Some(process) = &mut machine.process else {
            return false;
        };
        if process.writing.is_some() || process.stalled.is_some() {
            return false;
        }
        if let Some(output) = process.outputs.pop_front() {
            if self.is_killed_before(node, &output) {
                return false;
            }
            self.carry_out(node, output);
            return true;
        }
        let Some(input) = process.inbox.pop_front() else {
            return false;
        };
        self.note_input(node, &input);
        let machine = &mut self.machines[node];
        let now = machine.now(now_us);
        if let Some(process) = &mut machine.process {
            process.state.handle(now, input);
            let outputs = std::iter::from_fn(|| process.state.poll_output());
            process.outputs.extend(outputs);
            let outputs = process.outputs.len();
            self.observe(&Observation::Stepped { node, outputs });
        }
        true
    }

    fn note_input(&mut self, node: usize, input: &Input) {
        let kind = input_kind(input);
        let (by_id, machines) = (&self.by_id, &self.machines);
        let numbers = [node as u64, kind.len() as u64];
        self.tracer.note(self.now_us, "input", &numbers, || {
            let named = |node| called(by_id, machines, node);
            let number = machines[node].plan.number.0;
            format!("#{number} {}", describe::input(input, &named))
        });
        count(&mut self.statistics.inputs, kind);
    }

    fn is_killed_before(&mut self, node: usize, output: &Output) -> bool {
        let Some(process) = &mut self.machines[node].process else {
            return true;
        };
        let Some(order) = &mut process.kill else {
            return false;
        };
        if order.outputs_left > 0 {
            order.outputs_left -= 1;
            return false;
        }
        let order = *order;
        if let Output::Persist(writes) = output {
            process.writing = Some(writes.clone());
        }
        self.kill(node, order);
        true
    }

    /// Begins a write; what follows waits for it.
    pub(crate) fn begin_write(&mut self, node: usize, writes: Vec<Write>) {
        let disk = self.plan.disk;
        let takes_us = self
            .randomness
            .between(disk.write_min_us, disk.write_max_us);
        let at_us = self.now_us + takes_us;
        if let Some(process) = &mut self.machines[node].process {
            process.writing = Some(writes);
            let boot = process.boot;
            self.queue.schedule(at_us, Event::Written { node, boot });
        }
    }

    pub(crate) fn written(&mut self, node: usize, boot: Boot) {
        let machine = &mut self.machines[node];
        if !machine.runs(boot) {
            return;
        }
        let writing = machine
            .process
            .as_mut()
            .and_then(|process| process.writing.take());
        if let Some(writes) = writing {
            self.commit(node, writes);
        }
        self.work(node);
    }

    fn commit(&mut self, node: usize, writes: Vec<Write>) {
        if writes.contains(&Write::Clear) {
            self.truth.left(node);
        }
        for subject in issued(&writes) {
            // Whoever left and is given a certificate again counts as back, even where the answer never reaches it.
            if let Some(place) = self.place(subject) {
                self.truth.readmitted(place);
            }
        }
        self.machines[node].disk.commit(self.now_us, writes);
    }

    fn schedule_wake(&mut self, node: usize) {
        let Some(process) = &mut self.machines[node].process else {
            return;
        };
        if process.writing.is_some() {
            // It looks at its deadlines again when it has written.
            return;
        }
        let deadline = process.state.next_deadline();
        if deadline == process.wake_at {
            return;
        }
        process.wake_at = deadline;
        process.wake += 1;
        let (boot, wake) = (process.boot, process.wake);
        if let Some(deadline) = deadline {
            let at_us = process
                .booted_us
                .saturating_add(deadline.0.saturating_mul(1_000));
            let at_us = at_us.max(self.now_us + 1);
            self.queue.schedule(at_us, Event::Wake { node, boot, wake });
        }
    }

    pub(crate) fn wake(&mut self, node: usize, boot: Boot, wake: u32) {
        let Some(process) = &mut self.machines[node].process else {
            return;
        };
        if process.boot == boot && process.wake == wake {
            process.wake_at = None;
            let moment = self.now_us / 1_000;
            let times = if process.woken.0 == moment {
                process.woken.1 + 1
            } else {
                1
            };
            process.woken = (moment, times);
            self.observe(&Observation::Woken { node, times });
            self.tell(node, Input::Wake);
        }
    }

    /// Has a node killed before one of the outputs that follow.
    pub(crate) fn order_kill(&mut self, node: usize, order: KillOrder) {
        let at_us = self.now_us + KILL_WAIT_US;
        let Some(process) = &mut self.machines[node].process else {
            return;
        };
        let boot = process.boot;
        if order.outputs_left == 0 {
            self.kill(node, order);
            return;
        }
        process.kill = Some(order);
        self.queue.schedule(at_us, Event::Kill { node, boot });
    }

    pub(crate) fn kill_silent(&mut self, node: usize, boot: Boot) {
        let process = self.machines[node].process.as_ref();
        let order = process
            .filter(|process| process.boot == boot)
            .and_then(|process| process.kill);
        if let Some(order) = order {
            self.kill(node, order);
        }
    }

    /// Kills a node now; its machine starts again later.
    pub(crate) fn kill(&mut self, node: usize, order: KillOrder) {
        let now_us = self.now_us;
        let machine = &mut self.machines[node];
        let Some(process) = machine.process.take() else {
            return;
        };
        match (process.writing, order.write) {
            (Some(writes), WriteUnderWay::Kept) => self.commit(node, writes),
            (Some(_), WriteUnderWay::Lost | WriteUnderWay::Torn) | (None, _) => {}
        }
        let machine = &self.machines[node];
        let number = u64::from(machine.plan.number.0);
        self.tracer.note(now_us, "killed", &[number], || {
            format!("#{number}, for {} s", order.down_us / 1_000_000)
        });
        self.audience = None;
        self.crash_begins(node, order);
        self.died(node, &process.peers);
        self.break_off_handshakes(process.requests.into_values());
        self.queue
            .schedule(now_us + order.down_us, Event::Boot { node });
    }

    /// Stalls a node for a while.
    pub(crate) fn stall(&mut self, node: usize, for_us: u64) {
        let at_us = self.now_us + for_us;
        let Some(process) = &mut self.machines[node].process else {
            return;
        };
        process.stalled.get_or_insert_default();
        process.stalls += 1;
        let (boot, stall) = (process.boot, process.stalls);
        self.queue
            .schedule(at_us, Event::Resume { node, boot, stall });
        self.falls_silent(node);
    }

    pub(crate) fn resume(&mut self, node: usize, boot: Boot, stall: u32) {
        let process = self.machines[node].process.as_mut();
        let process = process.filter(|process| process.boot == boot && process.stalls == stall);
        let Some(waited) = process.and_then(|process| process.stalled.take()) else {
            return;
        };
        for event in waited {
            self.queue.schedule(self.now_us, event);
        }
        self.speaks_again(node);
        self.work(node);
    }
}

/// To whom the transaction gives certificates for tickets.
fn issued(writes: &[Write]) -> Vec<NodeId> {
    let tickets = writes.iter().filter_map(|write| match write {
        Write::Put(Record::Ticket(ticket)) => Some(ticket),
        _ => None,
    });
    let redeemed = tickets.flat_map(|ticket| &ticket.redeemed);
    let fresh = |chain: &Arc<CertificateChain>| {
        let written =
            |write: &Write| matches!(write, Write::Put(Record::Member(new)) if new == chain);
        writes.iter().any(written)
    };
    redeemed
        .filter(|(_, chain)| fresh(chain))
        .map(|(node, _)| *node)
        .collect()
}

/// The servers of a plan as their node sees them.
pub(crate) fn local_servers(servers: &[ServerPlan]) -> Vec<LocalServer> {
    let server = |server: &ServerPlan| {
        let name = server.name.parse().ok()?;
        let tool = |number: u16| ToolEntry {
            name: tool_name(number).into(),
            definition: definition(number, server.edition),
        };
        Some(LocalServer {
            name,
            share: server.share,
            tools: (0..server.tools).map(tool).collect(),
            shelf: Shelf::default(),
        })
    };
    servers.iter().filter_map(server).collect()
}

/// The name of a server's tool.
pub(crate) fn tool_name(number: u16) -> String {
    format!("tool_{number}")
}

/// What a server says of a tool in one edition.
pub(crate) fn definition(number: u16, edition: u32) -> Arc<str> {
    format!(r#"{{"name":"tool_{number}","description":"edition {edition}"}}"#).into()
}
