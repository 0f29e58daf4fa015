//! Carries out the actions of a plan.

use std::time::Duration;

use peerage_protocol::limits::CLOCK_LEEWAY;
use peerage_protocol::node_state::Input;

use super::event::Event;
use super::machine::{KillOrder, Request};
use super::network::{Degradation, Partition};
use super::process::local_servers;
use super::{World, address};
use crate::action::{Action, TimedAction, WriteUnderWay};
use crate::plan::NodeNumber;

/// How far a clock is off at most, however often it jumps: two that are off the other way round may differ by what the
/// protocol forgives, and no more is promised.
const SKEW_MAX_MS: i64 = CLOCK_LEEWAY.as_millis() as i64 / 2;

/// How far a clock is off that was off by `skew_ms` and jumps.
fn jumped(skew_ms: i64, by_ms: i64) -> i64 {
    let skew_ms = skew_ms.saturating_add(by_ms);
    skew_ms.clamp(-SKEW_MAX_MS, SKEW_MAX_MS)
}

impl World {
    /// Begins an action.
    pub(crate) fn act(&mut self, place: usize) {
        let TimedAction { action, .. } = self.plan.actions[place].clone();
        *self
            .statistics
            .actions
            .entry(action.kind().to_owned())
            .or_default() += 1;
        let lasts_us = action.lasts_us();
        self.excuse_for(&action);
        match action {
            Action::Partition {
                side, direction, ..
            } => {
                let side = self.mask(&side);
                self.network.cut(place, Partition { side, direction });
                self.network_changed();
                self.queue
                    .schedule(self.now_us + lasts_us, Event::Over { action: place });
            }
            Action::Degrade {
                nodes,
                loss,
                duplicate,
                reorder,
                latency_factor,
                ..
            } => {
                let everyone = nodes.is_empty();
                let mut nodes = self.mask(&nodes);
                if everyone {
                    nodes.fill(true);
                }
                self.network.degrade(
                    place,
                    Degradation {
                        nodes,
                        loss,
                        duplicate,
                        reorder,
                        latency_factor,
                    },
                );
                self.queue
                    .schedule(self.now_us + lasts_us, Event::Over { action: place });
            }
            Action::CutWay { draw, .. } => {
                if let Some(ends) = self.way_between_regions(draw) {
                    self.network.cut_way(place, ends);
                    self.network_changed();
                    self.queue
                        .schedule(self.now_us + lasts_us, Event::Over { action: place });
                }
            }
            other => self.act_on_one(place, other),
        }
    }

    fn act_on_one(&mut self, place: usize, action: Action) {
        let Some(node) = action
            .node()
            .and_then(|number| self.by_number.get(&number).copied())
        else {
            return;
        };
        match action {
            Action::Crash {
                before_output,
                write,
                down_us,
                ..
            } => self.order_kill(
                node,
                KillOrder {
                    outputs_left: before_output,
                    write,
                    down_us,
                },
            ),
            Action::RestoreBackup {
                age_us, down_us, ..
            } => self.restore_backup(node, age_us, down_us),
            Action::Pause { for_us, .. } => self.stall(node, for_us),
            Action::JumpClock { by_ms, .. } => {
                let skew_ms = &mut self.machines[node].skew_ms;
                *skew_ms = jumped(*skew_ms, by_ms);
            }
            Action::Leave { .. } => {
                self.ask(node, Request::Leave, |request| Input::Leave { request });
            }
            Action::Revoke { by, .. } => self.begin_revocation(node, by),
            Action::Join { inviter, .. } => self.begin_join(node, inviter),
            Action::AskIn { admin, .. } => self.begin_asking(node, admin),
            Action::Rotate { .. } => self.begin_rotation(node),
            Action::Move { .. } => self.move_to_another_address(node),
            Action::SetServers { servers, .. } => {
                let listed = local_servers(&servers);
                self.truth.offers(node, &servers);
                self.machines[node].servers = servers;
                self.await_change(node, &listed);
                self.tell(node, Input::LocalServers { servers: listed });
            }
            Action::Invite {
                ticket,
                uses,
                lifetime_us,
                ..
            } => self.invite(node, ticket.0, uses, Duration::from_micros(lifetime_us)),
            Action::Redeem { ticket, .. } => {
                let ticket = self.tickets.numbered.get(&ticket.0).cloned();
                self.machines[node].join.ticket = ticket;
                self.redeem(node);
            }
            Action::Stranger { attempt, .. } => self.stranger(place, attempt, node),
            Action::Append {
                lane,
                to,
                items,
                bytes,
                ..
            } => self.append(node, lane, to, items, bytes),
            Action::Contradict { .. } => self.contradict(node),
            Action::Task { race, deed, .. } => self.do_with_task(node, race, deed),
            Action::Propose {
                proposal,
                needed,
                lifetime_us,
                ..
            } => self.propose(node, proposal, needed, lifetime_us),
            Action::Vote {
                proposal, choice, ..
            } => self.vote(node, proposal, choice),
            Action::VoteTwice { proposal, .. } => self.vote_twice(node, proposal),
            Action::Misbehave { how, for_us, .. } => self.misbehave(node, how, for_us),
            Action::Partition { .. } | Action::CutWay { .. } | Action::Degrade { .. } => {}
        }
    }

    /// What an action began is over.
    pub(crate) fn over(&mut self, action: usize) {
        if self.network.mend(action) {
            self.network_changed();
        }
    }

    pub(crate) fn begin_revocation(&mut self, node: usize, by: NodeNumber) {
        let Some(by) = self.by_number.get(&by).copied() else {
            return;
        };
        let subject = self.machines[node].id;
        self.ask(by, Request::Revoke, |request| Input::Revoke {
            request,
            subject,
            spare_issued_before: None,
        });
    }

    fn begin_join(&mut self, node: usize, inviter: NodeNumber) {
        let Some(inviter) = self.by_number.get(&inviter).copied() else {
            return;
        };
        let process = self.machines[node].process.as_ref();
        if process.is_some_and(|process| process.roster.is_some()) {
            return;
        }
        let join = &mut self.machines[node].join;
        join.inviter = inviter;
        join.wanted_since_us = Some(self.now_us);
        join.again = true;
        join.ticket = None;
        self.join(node);
    }

    fn restore_backup(&mut self, node: usize, age_us: u64, down_us: u64) {
        self.kill(
            node,
            KillOrder {
                outputs_left: 0,
                write: WriteUnderWay::Lost,
                down_us,
            },
        );
        let at_us = self.now_us.saturating_sub(age_us);
        self.machines[node].disk.go_back_to(at_us);
        self.truth.restored.insert(node);
    }

    fn move_to_another_address(&mut self, node: usize) {
        let machine = &mut self.machines[node];
        machine.moves += 1;
        let new = address(machine.plan.number, machine.moves);
        let old = std::mem::replace(&mut machine.address, new.clone());
        self.by_address.remove(&old);
        self.by_address.insert(new.clone(), node);
        for other in self.linked_to(node) {
            self.disconnect(node, other);
        }
        self.tell(
            node,
            Input::Listening {
                addresses: vec![new],
            },
        );
    }

    /// Two nodes of different regions with a link.
    fn way_between_regions(&self, draw: u32) -> Option<(usize, usize)> {
        let mut ways = Vec::new();
        for node in 0..self.machines.len() {
            let others = self.linked_to(node).into_iter();
            let far = others.filter(|other| *other > node && self.network.is_across(node, *other));
            ways.extend(far.map(|other| (node, other)));
        }
        let place = (draw as usize).checked_rem(ways.len())?;
        ways.get(place).copied()
    }

    fn linked_to(&self, node: usize) -> Vec<usize> {
        let process = self.machines[node].process.as_ref();
        process
            .map(|process| process.peers.keys().copied().collect())
            .unwrap_or_default()
    }

    fn mask(&self, numbers: &[NodeNumber]) -> Vec<bool> {
        let mut mask = vec![false; self.machines.len()];
        for place in numbers
            .iter()
            .filter_map(|number| self.by_number.get(number))
        {
            mask[*place] = true;
        }
        mask
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_clock_is_off_by_more_than_half_of_what_is_forgiven() {
        let off = jumped(jumped(-100_000, -217_000), -235_000);
        assert_eq!(off, -300_000);
        assert_eq!(jumped(off, 235_000), -65_000);
        assert_eq!(jumped(0, i64::MAX), 300_000);
    }
}
