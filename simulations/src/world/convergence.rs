//! Whether everybody knows what there is to know.

use std::collections::BTreeSet;

use peerage_protocol::catalog::snapshot::Provider;
use peerage_protocol::id::NodeId;

use super::World;
use super::event::Event;
use super::machine::Machine;
use super::process::tool_name;

/// How often a world is looked at while it has not converged.
const LOOK_EVERY_US: u64 = 250_000;

impl World {
    /// Looks whether the world has converged, once its faults are over.
    pub(crate) fn look(&mut self) {
        match self.not_converged() {
            None => {
                self.statistics.converged_at_us = Some(self.now_us);
            }
            Some(why) => {
                self.tracer.note(self.now_us, "not yet", &[], || why);
                let at_us = self.now_us + LOOK_EVERY_US;
                self.queue.schedule(at_us, Event::Look);
            }
        }
    }

    /// What has not converged, in a sentence; `None` when everything has.
    pub(crate) fn not_converged(&self) -> Option<String> {
        let members: Vec<&Machine> = self.members().collect();
        let ids: BTreeSet<NodeId> = members.iter().map(|machine| machine.id).collect();
        for machine in &members {
            let roster = machine
                .process
                .as_ref()
                .and_then(|process| process.roster.as_ref())?;
            if roster.len() + 1 != ids.len() {
                let (has, all) = (roster.len() + 1, ids.len());
                return Some(format!(
                    "#{} knows {has} of {all} members",
                    machine.plan.number.0
                ));
            }
        }
        members
            .iter()
            .find_map(|machine| self.not_complete(machine, &ids))
    }

    fn members(&self) -> impl Iterator<Item = &Machine> {
        self.machines.iter().filter(|machine| {
            machine
                .process
                .as_ref()
                .is_some_and(|process| process.roster.is_some())
        })
    }

    fn not_complete(&self, machine: &Machine, ids: &BTreeSet<NodeId>) -> Option<String> {
        let process = machine.process.as_ref()?;
        let roster = process.roster.as_ref()?;
        let number = machine.plan.number.0;
        if let Some((node, _)) = roster.members().find(|(node, _)| !ids.contains(node)) {
            return Some(format!("#{number} still has {node} in its roster"));
        }
        let mut listed = BTreeSet::new();
        for entry in process.catalog.reachable() {
            if let Provider::Peer { node, server, .. } = &entry.provider {
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
            return Some(format!("#{number} does not list {server}/{tool} of {node}"));
        }
        let (node, server, tool) = listed.difference(&shared).next()?;
        Some(format!(
            "#{number} lists {server}/{tool} of {node}, which is not shared"
        ))
    }
}
