//! Whether everybody knows what there is to know.

use std::collections::BTreeSet;

use peerage_protocol::catalog::snapshot::Provider;
use peerage_protocol::id::NodeId;
use peerage_protocol::membership::roster::Roster;

use super::event::Event;
use super::machine::Machine;
use super::process::tool_name;
use super::{World, called};
use crate::outcome::Violation;

/// How often a world is looked at while it has not converged.
const LOOK_EVERY_US: u64 = 250_000;
/// How long it must stay converged.
const STAYS_US: u64 = 10_000_000;

impl World {
    /// Looks whether the world has converged, once its faults are over; it ends when it has, and stays so.
    pub(crate) fn look(&mut self) {
        let why = self.not_converged();
        let since_us = self.statistics.converged_at_us;
        match (why, since_us) {
            (None, Some(since_us)) if self.now_us - since_us >= STAYS_US => {
                self.horizon_us = self.now_us;
                return;
            }
            (None, Some(_)) => {}
            (None, None) => self.statistics.converged_at_us = Some(self.now_us),
            (Some(why), _) => {
                self.statistics.converged_at_us = None;
                self.tracer.note(self.now_us, "not yet", &[], || why);
            }
        }
        let at_us = self.now_us + LOOK_EVERY_US;
        self.queue.schedule(at_us, Event::Look);
    }

    /// The world has ended without a violation: that it has converged is the last check.
    pub(crate) fn check_convergence(&mut self) {
        if self.violation.is_none()
            && let Some(what) = self.not_converged()
        {
            let waited = self.plan.settle_us / 1_000_000;
            self.violation = Some(Violation {
                at_us: self.now_us,
                check: "convergence".to_owned(),
                node: None,
                what: format!("{what}, {waited} s after the last fault"),
            });
        }
    }

    /// What has not converged, in a sentence; `None` when everything has.
    pub(crate) fn not_converged(&self) -> Option<String> {
        if let Some(machine) = self.machines.iter().find(|machine| is_on_its_way(machine)) {
            return Some(format!("#{} still wants to join", machine.plan.number.0));
        }
        let members: BTreeSet<NodeId> = self.members().map(|machine| machine.id).collect();
        let mut most = members.clone();
        most.extend(self.ghosts());
        for machine in self.members() {
            let Some(roster) = roster(machine) else {
                continue;
            };
            if roster.len() + 1 < members.len() || roster.len() + 1 > most.len() {
                let (has, all) = (roster.len() + 1, members.len());
                return Some(format!(
                    "#{} knows {has} of {all} members",
                    machine.plan.number.0
                ));
            }
        }
        self.members()
            .find_map(|machine| self.not_complete(machine, &members, &most))
    }

    /// Nodes that are no members any more, without anybody who could know: their goodbye was heard by nobody who still
    /// runs, or they forgot the mesh by an old backup.
    fn ghosts(&self) -> impl Iterator<Item = NodeId> {
        let gone = self.machines.iter().enumerate().filter(|(place, machine)| {
            roster(machine).is_none() || self.truth.revenants.contains(place)
        });
        let unheard = gone.filter(|(place, _)| {
            if self.truth.revenants.contains(place) {
                return true;
            }
            let hearers = self.truth.goodbye(*place).unwrap_or_default();
            !hearers
                .iter()
                .any(|(hearer, boot)| self.machines[*hearer].runs(*boot))
        });
        unheard.map(|(_, machine)| machine.id)
    }

    fn members(&self) -> impl Iterator<Item = &Machine> {
        let machines = self.machines.iter().enumerate();
        let there = machines.filter(|(place, machine)| {
            roster(machine).is_some() && !self.truth.revenants.contains(place)
        });
        there.map(|(_, machine)| machine)
    }

    fn not_complete(
        &self,
        machine: &Machine,
        members: &BTreeSet<NodeId>,
        most: &BTreeSet<NodeId>,
    ) -> Option<String> {
        let process = machine.process.as_ref()?;
        let roster = process.roster.as_ref()?;
        let number = machine.plan.number.0;
        let known: BTreeSet<NodeId> = roster
            .members()
            .map(|(node, _)| node)
            .chain([machine.id])
            .collect();
        if let Some(node) = known.difference(most).next() {
            return Some(format!(
                "#{number} still has {} in its roster",
                self.named(*node)
            ));
        }
        if let Some(node) = members.difference(&known).next() {
            return Some(format!(
                "#{number} does not have {} in its roster",
                self.named(*node)
            ));
        }
        let mut listed = BTreeSet::new();
        for entry in process.catalog.reachable() {
            if let Provider::Peer { node, server, .. } = &entry.provider
                && members.contains(node)
            {
                listed.insert((*node, server.as_str().to_owned(), entry.tool.to_string()));
            }
        }
        let mut shared = BTreeSet::new();
        for other in self.members().filter(|other| other.id != machine.id) {
            for server in other.servers.iter().filter(|server| server.share) {
                for tool in 0..server.tools {
                    shared.insert((other.id, server.name.clone(), tool_name(tool)));
                }
            }
        }
        if let Some((node, server, tool)) = shared.difference(&listed).next() {
            let owner = self.named(*node);
            return Some(format!(
                "#{number} does not list {server}/{tool} of {owner}"
            ));
        }
        let (node, server, tool) = listed.difference(&shared).next()?;
        let owner = self.named(*node);
        Some(format!(
            "#{number} lists {server}/{tool} of {owner}, which is not shared"
        ))
    }

    fn named(&self, node: NodeId) -> String {
        called(&self.by_id, &self.machines, node)
    }
}

fn roster(machine: &Machine) -> Option<&Roster> {
    machine.process.as_ref()?.roster.as_deref()
}

/// Whether a node is to be in the mesh and is not yet, or is not running yet.
fn is_on_its_way(machine: &Machine) -> bool {
    machine.process.is_none() || (machine.join.again && roster(machine).is_none())
}
