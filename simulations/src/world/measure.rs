//! Measures a world while it runs, and at its end.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::World;
use super::event::Event;
use crate::outcome::Sample;

impl World {
    /// Adds a sample to the series.
    pub(crate) fn sample(&mut self) {
        let sample = self.measured();
        self.note_peaks();
        self.statistics.series.push(sample);
        let at_us = self.now_us + self.options.sample_us;
        self.queue.schedule(at_us, Event::Sample);
    }

    fn note_peaks(&mut self) {
        let mut peaks = BTreeMap::from([("events queued", self.queue.len())]);
        let mut note = |what, found: usize| {
            let most = peaks.entry(what).or_insert(0);
            *most = found.max(*most);
        };
        for machine in &self.machines {
            note("records on a disk", machine.disk.len());
            let Some(process) = &machine.process else {
                continue;
            };
            let known = process.roster.as_ref().map_or(0, |r| r.known_len());
            note("members in a roster", known);
            note("tools in a catalog", process.catalog.len());
            note("links of a node", process.peers.len());
            note("questions of a node", process.asking.len());
            note("inputs that wait for a node", process.inbox.len());
        }
        for (what, found) in peaks {
            let most = self.statistics.peaks.entry(what.to_owned()).or_default();
            *most = (*most).max(found as u64);
        }
    }

    fn measured(&self) -> Sample {
        let running = self
            .machines
            .iter()
            .filter_map(|machine| machine.process.as_ref());
        let (mut up, mut members, mut links) = (0, 0, 0);
        // How many know so many others.
        let mut by_others: FxHashMap<Option<usize>, u32> = FxHashMap::default();
        for process in running {
            up += 1;
            members += u32::from(process.roster.is_some());
            let others = process.roster.as_ref().map(|roster| roster.len());
            *by_others.entry(others).or_default() += 1;
            links += process.peers.len() as u64;
        }
        let all_others = usize::try_from(members)
            .ok()
            .and_then(|all| all.checked_sub(1));
        Sample {
            at_us: self.now_us,
            up,
            members,
            complete: all_others.map_or(0, |all| by_others.get(&Some(all)).copied().unwrap_or(0)),
            links: links / 2,
            events: self.statistics.events,
            messages: self.statistics.messages,
            bytes: self.statistics.bytes,
            bytes_across: self.statistics.bytes_across,
            queued: self.queue.len() as u64,
        }
    }

    pub(crate) fn measure_the_end(&mut self) {
        for message in self.fabric.remembered() {
            self.forget_message(message);
        }
        let statistics = &mut self.statistics;
        statistics.traffic = std::mem::take(&mut self.traffic).finish();
        statistics.nodes = u32::try_from(self.machines.len()).unwrap_or(u32::MAX);
        statistics.virtual_us = self.now_us;
        statistics.last_fault_us = self.plan.last_fault_us();
        for machine in &self.machines {
            let (messages, bytes) = machine.sent;
            statistics.messages_per_node.add(messages);
            statistics.bytes_per_node.add(bytes);
            let links = machine
                .process
                .as_ref()
                .map_or(0, |process| process.peers.len());
            statistics.links_per_node.add(links as u64);
        }
    }
}
