//! Whether everybody knows what there is to know.

use std::collections::{BTreeMap, BTreeSet};

use peerage_protocol::catalog::snapshot::Provider;
use peerage_protocol::id::NodeId;
use peerage_protocol::membership::certificate::Validity;
use peerage_protocol::membership::roster::Roster;

use super::event::Event;
use super::machine::{Machine, Process};
use super::process::tool_name;
use super::{World, called};
use crate::checks::secrecy::shows_words;
use crate::outcome::Violation;

/// How often a world is looked at while it has not converged.
const LOOK_EVERY_US: u64 = 250_000;
/// How long it must stay converged.
const STAYS_US: u64 = 10_000_000;

impl World {
    /// Looks whether the world has converged, once its faults are over; it ends when it has, and stays so.
    pub(crate) fn look(&mut self) {
        let why = self.still_not_converged().or_else(|| self.not_converged());
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
        let pause_us = match self.statistics.converged_at_us {
            Some(_) => STAYS_US / 2,
            None => LOOK_EVERY_US,
        };
        self.queue.schedule(self.now_us + pause_us, Event::Look);
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

    /// No disk holds the words of a direct message: what each step is checked for, once more for all that is left.
    pub(crate) fn check_disks(&mut self) {
        let shows = |machine: &&Machine| {
            let mut kept = machine.disk.entries();
            kept.any(|entry| entry.sealed().body.as_deref().is_some_and(shows_words))
        };
        let found = self.machines.iter().find(shows);
        if let (None, Some(machine)) = (&self.violation, found) {
            let number = machine.plan.number;
            self.violation = Some(Violation {
                at_us: self.now_us,
                check: "secrecy".to_owned(),
                node: Some(number),
                what: format!("#{} keeps a direct message that anybody can read", number.0),
            });
        }
    }

    /// What has not converged, in a sentence; `None` when everything has.
    pub(crate) fn not_converged(&self) -> Option<String> {
        if let Some(machine) = self.machines.iter().find(|machine| is_on_its_way(machine)) {
            return Some(format!("#{} still wants to join", machine.plan.number.0));
        }
        if let Some(linked) = self.linked_to_somebody_out() {
            return Some(linked);
        }
        if let Some(mistaken) = self.mistaken_for_away() {
            return Some(mistaken);
        }
        if let Some(namesakes) = self.two_of_one_name() {
            return Some(namesakes);
        }
        let expected = self.expected();
        let mut members = self.members();
        let wrong = members.find_map(|machine| self.found_wrong(&expected, machine));
        wrong
            .or_else(|| self.logs_differ())
            .or_else(|| self.tasks_differ())
            .or_else(|| self.decisions_differ())
    }

    /// The same of the member that was found wrong last, which mostly still is: the others need not be looked at.
    fn still_not_converged(&self) -> Option<String> {
        let wrong = self.found_wrong_last.get()?;
        let machine = self.machines.get(wrong)?;
        let member = roster(machine).is_some() && !self.truth.revenants.contains(&wrong);
        let found = member.then(|| self.found_wrong(&self.expected(), machine));
        found.flatten()
    }

    fn found_wrong(&self, expected: &Expected, machine: &Machine) -> Option<String> {
        let found = expected
            .missing_at(machine)
            .or(expected.too_much_at(machine))?;
        self.found_wrong_last.set(self.place(machine.id));
        let number = machine.plan.number.0;
        let named = |node| called(&self.by_id, &self.machines, node);
        Some(match found {
            Difference::Unknown(node) => format!("#{number} does not know {}", named(node)),
            Difference::Accepted(node) => {
                format!("#{number} would let in the replaced key of {}", named(node))
            }
            Difference::StillKnown(node) => format!("#{number} still knows {}", named(node)),
            Difference::Unlisted(node, tool) => {
                format!("#{number} does not list {tool} of {}", named(node))
            }
            Difference::StillListed(node, tool) => {
                format!(
                    "#{number} lists {tool} of {}, which does not share it",
                    named(node)
                )
            }
        })
    }

    /// A link that stands between a member and somebody who was put out.
    fn linked_to_somebody_out(&self) -> Option<String> {
        let is_out = |machine: &Machine| {
            let own = roster(machine).map(|roster| &roster.own);
            own.is_some_and(|own| self.truth.is_put_out(own))
        };
        self.members().find_map(|machine| {
            let mut peers = machine.process.as_ref()?.peers.keys();
            let out = peers.find(|peer| is_out(&self.machines[**peer]))?;
            let (here, there) = (machine.plan.number.0, self.machines[*out].plan.number.0);
            Some(format!("#{here} has a link to #{there}, which was put out"))
        })
    }

    /// Two members whose certificates say one name.
    fn two_of_one_name(&self) -> Option<String> {
        let mut holders = BTreeMap::new();
        self.members().find_map(|machine| {
            let (name, number) = (&roster(machine)?.own.body().name, machine.plan.number.0);
            let other: u32 = holders.insert(name, number)?;
            Some(format!(
                "#{other} and #{number} are both certified as {name}"
            ))
        })
    }

    /// A member that lives and is taken for away by another.
    fn mistaken_for_away(&self) -> Option<String> {
        let here: BTreeSet<NodeId> = self.members().map(|machine| machine.id).collect();
        self.members().find_map(|machine| {
            let mut away = machine.process.as_ref()?.away.keys();
            let mistaken = away.find(|node| here.contains(node))?;
            let there = called(&self.by_id, &self.machines, *mistaken);
            Some(format!("#{} takes {there} for away", machine.plan.number.0))
        })
    }

    fn expected(&self) -> Expected {
        let members: BTreeSet<NodeId> = self.members().map(|machine| machine.id).collect();
        let tolerated = self.ghosts().collect();
        let mut shared = BTreeMap::new();
        for machine in self.members() {
            let servers = machine.servers.iter().filter(|server| server.share);
            let tools = servers.flat_map(|server| {
                (0..server.tools).map(|tool| format!("{}/{}", server.name, tool_name(tool)))
            });
            let tools: BTreeSet<String> = tools.collect();
            if !tools.is_empty() {
                shared.insert(machine.id, tools);
            }
        }
        Expected {
            replaced: self.truth.replaced.iter().map(|old| old.id).collect(),
            members,
            tolerated,
            shared,
        }
    }

    /// Nodes that are no members any more, without anybody who could know: their goodbye was heard by nobody who still
    /// runs, or they forgot the mesh by an old backup.
    fn ghosts(&self) -> impl Iterator<Item = NodeId> {
        let gone = self.machines.iter().enumerate().filter(|(place, machine)| {
            let revenant = self.truth.revenants.contains(place);
            roster(machine).is_none() || revenant || self.has_expired(machine)
        });
        let unheard = gone.filter(|(place, machine)| {
            if self.truth.revenants.contains(place) || self.has_expired(machine) {
                return true;
            }
            let hearers = self.truth.goodbye(*place).unwrap_or_default();
            let still_there = |hearer: &(usize, u32)| {
                let machine = &self.machines[hearer.0];
                machine.runs(hearer.1) && roster(machine).is_some()
            };
            !hearers.iter().any(still_there)
        });
        unheard.map(|(_, machine)| machine.id)
    }

    /// Whoever could not renew its certificate in time is no member, and comes back by a new ticket only.
    fn has_expired(&self, machine: &Machine) -> bool {
        let (own, wall) = (
            roster(machine).map(|own| &own.own),
            machine.wall(self.now_us),
        );
        own.is_some_and(|own| own.validity(wall) == Validity::Expired)
    }

    fn members(&self) -> impl Iterator<Item = &Machine> {
        let machines = self.machines.iter().enumerate();
        let there = machines.filter(|(place, machine)| {
            let own = roster(machine).map(|roster| &roster.own);
            let is_in = own.is_some_and(|own| !self.truth.is_put_out(own));
            is_in && !self.truth.revenants.contains(place) && !self.has_expired(machine)
        });
        there.map(|(_, machine)| machine)
    }
}

/// What every member is to know.
struct Expected {
    /// Keys that were replaced by others.
    replaced: Vec<NodeId>,
    members: BTreeSet<NodeId>,
    /// Who may be known as well.
    tolerated: BTreeSet<NodeId>,
    /// The tools that each shares, with their servers.
    shared: BTreeMap<NodeId, BTreeSet<String>>,
}

/// What one node has too little or too much of.
enum Difference {
    Unknown(NodeId),
    StillKnown(NodeId),
    Accepted(NodeId),
    Unlisted(NodeId, String),
    StillListed(NodeId, String),
}

impl Expected {
    fn missing_at(&self, machine: &Machine) -> Option<Difference> {
        let roster = roster(machine)?;
        if roster.len() + 1 < self.members.len() || !self.tolerated.is_empty() {
            let unknown = |node: &&NodeId| **node != machine.id && roster.member(**node).is_none();
            if let Some(node) = self.members.iter().find(unknown) {
                return Some(Difference::Unknown(*node));
            }
        }
        let process = machine.process.as_ref()?;
        let listed: BTreeSet<(NodeId, &str, &str)> = listed(process).collect();
        for (node, tools) in self.shared.iter().filter(|(node, _)| **node != machine.id) {
            let unlisted = |tool: &&String| {
                let (server, name) = tool.split_once('/').unwrap_or((tool, ""));
                !listed.contains(&(*node, server, name))
            };
            if let Some(tool) = tools.iter().find(unlisted) {
                return Some(Difference::Unlisted(*node, tool.clone()));
            }
        }
        None
    }

    fn too_much_at(&self, machine: &Machine) -> Option<Difference> {
        let foreign =
            |node: &NodeId| !self.members.contains(node) && !self.tolerated.contains(node);
        let mut known = roster(machine)?.members().map(|(node, _)| node);
        if let Some(node) = known.find(foreign) {
            return Some(Difference::StillKnown(node));
        }
        let revocations = roster(machine)?.revocations();
        let mut replaced = self.replaced.iter();
        if let Some(node) = replaced.find(|node| revocations.check_node(**node).is_ok()) {
            return Some(Difference::Accepted(*node));
        }
        for (node, server, tool) in listed(machine.process.as_ref()?) {
            let tool = format!("{server}/{tool}");
            let shared = self.shared.get(&node);
            if self.members.contains(&node) && !shared.is_some_and(|shared| shared.contains(&tool))
            {
                return Some(Difference::StillListed(node, tool));
            }
        }
        None
    }
}

/// The tools of others that a node lists, by owner, server and name.
fn listed(process: &Process) -> impl Iterator<Item = (NodeId, &str, &str)> {
    process
        .catalog
        .reachable()
        .filter_map(|entry| match &entry.provider {
            Provider::Peer { node, server, .. } => Some((*node, server.as_str(), &*entry.tool)),
            Provider::Local { .. } => None,
        })
}

fn roster(machine: &Machine) -> Option<&Roster> {
    machine.process.as_ref()?.roster.as_deref()
}

/// Whether a node is to be in the mesh and is not yet, or is not running yet.
fn is_on_its_way(machine: &Machine) -> bool {
    machine.process.is_none()
        || machine.next_key.is_some()
        || (machine.join.again && roster(machine).is_none())
}
