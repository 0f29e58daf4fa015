//! Carries out what a node wants done, as the control plane of a real node does.

use std::sync::Arc;

use peerage_protocol::id::NodeId;
use peerage_protocol::node_state::{Output, Reply, RequestId};
use peerage_protocol::wire::announcement::Announcement;

use super::event::Event;
use super::kinds::output_kind;
use super::letters::is_for;
use super::machine::Request;
use super::questions::{Answer, Body};
use super::{World, called, describe};
use crate::checks::Observation;
use crate::outcome::count;

/// How long members are given to hear a goodbye before the links are cut.
const GOODBYE_WITHIN_US: u64 = 500_000;

impl World {
    pub(crate) fn carry_out(&mut self, node: usize, output: Output) {
        let kind = output_kind(&output);
        let numbers = [node as u64, kind.len() as u64, weight(&output)];
        let now_us = self.now_us;
        let (by_id, machines) = (&self.by_id, &self.machines);
        let number = machines[node].plan.number.0;
        self.tracer.note(now_us, "output", &numbers, || {
            let named = |node| called(by_id, machines, node);
            format!("#{number} {}", describe::output(&output, &named))
        });
        count(&mut self.statistics.outputs, kind);
        match output {
            Output::Persist(writes) => self.begin_write(node, writes),
            Output::PublishRoster(roster) => {
                if let Some(roster) = roster
                    .as_ref()
                    .filter(|roster| roster.own.issuers.is_empty())
                {
                    // The founder renews by itself.
                    self.truth.issued(&roster.own);
                }
                if let Some(roster) = &roster {
                    self.truth.revoked_by_somebody_in(roster);
                    self.roster_seen(node, roster);
                }
                if let Some(process) = &mut self.machines[node].process {
                    if process.roster.is_some() != roster.is_some() {
                        self.audience = None;
                    }
                    process.roster = roster;
                }
            }
            Output::PublishPresence(away) => self.presence_seen(node, &away),
            Output::PublishCatalog(catalog) => {
                self.observe(&Observation::CatalogPublished {
                    node,
                    catalog: &catalog,
                });
                self.catalog_seen(node, &catalog);
                if let Some(process) = &mut self.machines[node].process {
                    process.catalog = catalog;
                }
            }
            Output::PublishManifest(manifest) => {
                if let Some(process) = &mut self.machines[node].process {
                    process.manifest = manifest;
                }
            }
            Output::ManifestRefused(_) => {}
            Output::Reply { request, reply } => self.replied_to_request(node, request, reply),
            Output::Dial {
                node: to,
                addresses,
            } => self.dial(node, to, &addresses),
            // Addresses do not change here, so the table of addresses has nothing to add.
            Output::Provide(_) | Output::Seek { .. } => {}
            Output::Disconnect { node: to } => self.disconnect_key(node, to),
            Output::Release { node: to } => self.release(node, to),
            Output::Publish(announcement) => self.publish(node, announcement),
            Output::Carry { to, announcement } => {
                for to in to {
                    self.put_question(node, to, Body::Carry(announcement.clone()));
                }
            }
            Output::Reconcile { to, summary } => {
                self.put_question(node, to, Body::Reconcile(summary));
            }
            Output::Goodbye { to, announcement } => self.say_goodbye(node, &to, &announcement),
            Output::FetchManifest { from, hash } => {
                self.put_question(node, from, Body::Manifest(hash));
            }
            Output::AskManifests { from, asked } => {
                self.put_question(node, from, Body::Manifests(asked));
            }
            Output::RequestRenewal { from } => self.put_question(node, from, Body::Renew),
            Output::PublishProposals(proposals) => self.proposals_seen(node, proposals),
            Output::Applied(entries) => {
                for entry in &entries {
                    self.observe(&Observation::Applied { node, entry });
                }
                let me = self.machines[node].id;
                if entries.iter().any(|entry| is_for(me, entry)) {
                    self.look_into_inboxes(node);
                }
            }
            Output::TasksChanged { .. } => {}
            Output::AskLog { to, asked } => self.put_question(node, to, Body::Log(asked)),
            Output::AskEntries { from, asked } => {
                self.put_question(node, from, Body::Entries(asked));
            }
            Output::PushEntries { to, entries } => {
                for entry in &entries {
                    self.entry_sent(node, Some(to), entry.sealed());
                }
                self.put_question(node, to, Body::Push(entries));
            }
            Output::SweepLog(sweeps) => self.sweep_log(node, &sweeps),
            Output::LookUp { theirs } => self.look_up(node, theirs),
        }
    }

    /// Ends the link unless a question is under way over it.
    fn release(&mut self, node: usize, to: NodeId) {
        let Some(to) = self.place(to) else {
            return;
        };
        let asks = |asker: usize, answerer: usize| {
            let process = self.machines[asker].process.as_ref();
            let asking = process.into_iter().flat_map(|process| &process.asking);
            let mut asked = asking.filter_map(|question| self.questions.get(question));
            asked.any(|question| question.answerer == answerer)
        };
        if !asks(node, to) && !asks(to, node) {
            self.disconnect(node, to);
        }
    }

    fn say_goodbye(&mut self, node: usize, to: &[NodeId], announcement: &Arc<Announcement>) {
        let Some(process) = &self.machines[node].process else {
            return;
        };
        let boot = process.boot;
        for to in to {
            self.put_question(node, *to, Body::Goodbye(announcement.clone()));
            if let Some(to) = self.place(*to) {
                let at_us = self.now_us + GOODBYE_WITHIN_US;
                self.queue.schedule(at_us, Event::Depart { node, boot, to });
            }
        }
    }

    pub(crate) fn depart(&mut self, node: usize, boot: u32, to: usize) {
        if self.machines[node].runs(boot) {
            self.disconnect(node, to);
        }
    }

    fn replied_to_request(&mut self, node: usize, request: RequestId, reply: Reply) {
        let process = self.machines[node].process.as_mut();
        let Some(request) = process.and_then(|process| process.requests.remove(&request)) else {
            return;
        };
        self.observe_reply(node, request, &reply);
        match (request, reply) {
            (Request::InviteFor { joiner }, Reply::Invited(invited)) => {
                self.invited_for(node, joiner, invited.ok());
            }
            (Request::Invite { ticket }, Reply::Invited(invited)) => {
                self.invited(node, ticket, invited.ok());
            }
            (Request::Judge { handshake }, Reply::Verdict(verdict)) => {
                self.answer(node, handshake, verdict);
            }
            (Request::JudgeStranger { attempt }, Reply::Verdict(verdict)) => {
                self.stranger_answered(node, attempt, &verdict);
            }
            (Request::Admit { handshake }, Reply::Taken(taken)) => self.admitted(handshake, taken),
            (Request::Certify { handshake }, Reply::Taken(taken)) => {
                self.certified(handshake, taken)
            }
            (Request::Renew { question }, Reply::Renewal(renewal)) => {
                self.reply_to(question, renewal.map_or(Answer::Refused, Answer::Renewed));
            }
            (Request::Rotate, Reply::Taken(Ok(()))) => self.key_replaced(node),
            (Request::Rotate, Reply::Taken(Err(_))) => self.errand_over(node),
            (Request::Reconcile { question }, Reply::Reconciled(told)) => {
                self.reply_to(question, told.map_or(Answer::Refused, Answer::Told));
            }
            (Request::Manifests { question }, Reply::Manifests(told)) => {
                self.reply_to(question, told.map_or(Answer::Refused, Answer::Manifests));
            }
            (Request::Log { question }, Reply::LogTold(told)) => {
                self.reply_to(question, told.map_or(Answer::Refused, Answer::Log));
            }
            (Request::Append, Reply::Appended(appended)) => self.appended(node, appended),
            (Request::Task, Reply::Task(answer)) => self.task_answered(node, &answer),
            (Request::Propose { number }, Reply::Proposed(Ok(id))) => self.proposed(number, id),
            (Request::Gossip { message, from }, Reply::Gossiped(judgement)) => {
                self.judged(node, from, message, judgement);
            }
            (_, _) => {}
        }
    }
}

/// A number that differs where outputs of one kind differ much, for the hash of the trace.
fn weight(output: &Output) -> u64 {
    let weight = match output {
        Output::Persist(writes) => writes.len(),
        Output::PublishRoster(roster) => roster.as_ref().map_or(0, |roster| 1 + roster.len()),
        Output::PublishPresence(away) => away.len(),
        Output::PublishCatalog(catalog) => catalog.len(),
        Output::PublishManifest(manifest) => manifest.bytes.len(),
        Output::Dial { addresses, .. } => addresses.len(),
        Output::Publish(announcement)
        | Output::Carry { announcement, .. }
        | Output::Goodbye { announcement, .. } => {
            announcement.members.len() + announcement.entries.len()
        }
        Output::Reconcile { summary, .. } => summary.len(),
        Output::AskManifests { asked, .. } => asked.hashes.len(),
        Output::PublishProposals(proposals) => proposals.len(),
        Output::Applied(entries) | Output::PushEntries { entries, .. } => entries.len(),
        Output::LookUp { theirs } => theirs.sealed().len(),
        Output::AskEntries { asked, .. } => asked.ranges.len(),
        Output::SweepLog(sweeps) => sweeps.len(),
        Output::TasksChanged { changed, forgotten } => changed.len() + forgotten.len(),
        Output::ManifestRefused(_)
        | Output::Reply { .. }
        | Output::Provide(_)
        | Output::Seek { .. }
        | Output::Disconnect { .. }
        | Output::Release { .. }
        | Output::FetchManifest { .. }
        | Output::AskLog { .. }
        | Output::RequestRenewal { .. } => 0,
    };
    weight as u64
}
