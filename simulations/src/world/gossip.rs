//! Gossip between the nodes of a world: the fabric's copies and control messages as messages over links.

use std::sync::Arc;

use peerage_protocol::node_state::{Input, Judgement};
use peerage_protocol::wire::announcement::Announcement;

use super::World;
use super::connections::State;
use super::copies::Behind;
use super::event::{Boot, Event, Id};
use super::fabric::{Arrival, HEARTBEAT_US, Message, MessageId, NotPublished, REMEMBERED_US};
use super::machine::Request;
use crate::outcome::{Spread, count};

/// A control message, without the ids it names.
const CONTROL_BYTES: usize = 60;
/// An id in a control message.
const ID_BYTES: usize = 24;

/// A copy or a control message on its way.
pub(crate) struct Parcel {
    pub(super) from: usize,
    pub(super) to: usize,
    /// The connection it goes over, and the sender's end of it.
    pub(super) over: (Id, usize),
    /// When it arrives, if nothing happens to its connection before.
    pub(super) at_us: u64,
    pub(super) content: Content,
    /// Copies of the same to the same node that come later.
    pub(super) behind: Vec<Behind>,
}

pub(super) enum Content {
    Copy(MessageId),
    /// What the sender had lately.
    Have(Vec<MessageId>),
    /// What the sender wants of it.
    Want(Vec<MessageId>),
}

impl World {
    /// A node gossips something to everybody.
    pub(crate) fn publish(&mut self, node: usize, announcement: Arc<Announcement>) {
        self.old_news.add(&announcement);
        for entry in &announcement.entries {
            self.entry_sent(node, None, entry);
        }
        if self.publish_by(node, announcement) == Err(NotPublished::NoPeers) {
            self.tell(node, Input::PublishFailed);
        }
    }

    /// Gossips in a node's name, whether or not the node knows of it.
    pub(crate) fn publish_by(
        &mut self,
        node: usize,
        announcement: Arc<Announcement>,
    ) -> Result<(), NotPublished> {
        let encoded = announcement.encode();
        let id = message_id(&encoded);
        self.statistics.gossip_published += 1;
        count(&mut self.statistics.gossip_about, subject(&announcement));
        let number = self.next_id();
        let audience = self.audience(node);
        let (bytes, now_us) = (encoded.len(), self.now_us);
        let message = Message::new(announcement, bytes, node, now_us, number, audience);
        let to = self.fabric.publish(now_us, node, id, message)?;
        for to in to {
            self.send_copy(node, to, id);
        }
        let at_us = now_us + REMEMBERED_US;
        self.queue.schedule(at_us, Event::Forget { message: id });
        self.beat_if_needed(node);
        Ok(())
    }

    /// The nodes that are in the mesh now, those in the publisher's region where regions have names.
    fn audience(&mut self, publisher: usize) -> Arc<Vec<bool>> {
        if self.plan.named_regions {
            let inside = |place: usize| !self.network.is_across(publisher, place);
            let members = self.in_the_mesh();
            return Arc::new(
                members
                    .enumerate()
                    .map(|(place, is)| is && inside(place))
                    .collect(),
            );
        }
        if self.audience.is_none() {
            self.audience = Some(Arc::new(self.in_the_mesh().collect()));
        }
        self.audience.clone().unwrap_or_default()
    }

    /// Whether each node is in the mesh now.
    fn in_the_mesh(&self) -> impl Iterator<Item = bool> {
        let processes = self.machines.iter().map(|machine| machine.process.as_ref());
        processes.map(|process| process.is_some_and(|process| process.roster.is_some()))
    }

    /// Sends what is said about messages.
    fn send_control(&mut self, from: usize, to: usize, content: Content, ids: usize) {
        let Some(over) = self.link(from, to) else {
            return;
        };
        let parcel = self.parcels.put(Parcel {
            from,
            to,
            over,
            at_us: 0,
            content,
            behind: Vec::new(),
        });
        let bytes = CONTROL_BYTES + ID_BYTES * ids;
        self.send_over(over.0, over.1, bytes, Event::Parcel { parcel });
    }

    /// To whom a parcel is on its way.
    pub(crate) fn addressee(&self, parcel: Id) -> Option<usize> {
        self.parcels.get(parcel).map(|parcel| parcel.to)
    }

    /// A copy or a control message arrived.
    pub(crate) fn parcel_arrived(&mut self, id: Id) {
        let Some(parcel) = self.parcels.get(id) else {
            return;
        };
        let (connection, end) = parcel.over;
        match self.connections.get_mut(&connection) {
            Some(over) if over.ends[1 - end].state == State::Pending => {
                over.early.push(Event::Parcel { parcel: id });
                self.let_others_go_ahead(id);
                return;
            }
            Some(over) if over.ends[1 - end].state == State::Open => {}
            _ => {
                self.let_others_go_ahead(id);
                self.parcels.take(id);
                return;
            }
        }
        let Some(Parcel {
            from,
            to,
            content,
            behind,
            ..
        }) = self.parcels.take(id)
        else {
            return;
        };
        match content {
            Content::Copy(message) => {
                self.count_duplicates(message, behind.len());
                self.copy_arrived(from, to, message);
            }
            Content::Have(messages) => {
                let missing = self.fabric.missing(to, &messages);
                if !missing.is_empty() {
                    let count = missing.len();
                    self.send_control(to, from, Content::Want(missing), count);
                }
            }
            Content::Want(messages) => {
                for message in messages {
                    self.send_copy(to, from, message);
                }
            }
        }
    }

    fn copy_arrived(&mut self, from: usize, to: usize, id: MessageId) {
        match self.fabric.arrived(self.now_us, to, id) {
            None => return,
            Some(Arrival::Duplicate) => {
                self.statistics.gossip_duplicates += 1;
                return;
            }
            Some(Arrival::First) => {}
        }
        // That it needs no other copy takes its bytes on the way, and no event: the fabric knows what it has had.
        let told = self.fabric.told_unwanted(to, id);
        self.count(
            to,
            "unwanted copies",
            told as u64,
            told * (CONTROL_BYTES + ID_BYTES),
        );
        let Some(message) = self.fabric.message(id) else {
            return;
        };
        let (payload, published_us) = (message.payload.clone(), message.published_us);
        self.statistics
            .gossip_first_us
            .add(self.now_us - published_us);
        let sender = self.machines[from].id;
        let request = Request::Gossip { message: id, from };
        self.ask(to, request, |request| Input::Gossiped {
            request,
            from: sender,
            announcement: Announcement::clone(&payload),
        });
    }

    /// A node has looked at a message.
    pub(crate) fn judged(&mut self, node: usize, from: usize, id: MessageId, judgement: Judgement) {
        let kind = match judgement {
            Judgement::Accept => "accepted",
            Judgement::Ignore => "ignored",
            Judgement::Reject => "rejected",
        };
        count(&mut self.statistics.gossip_judged, kind);
        if judgement == Judgement::Accept {
            let network = &self.network;
            let says_so = |other| network.usual_delay_us(other, node);
            let to = self.fabric.accepted(self.now_us, node, from, id, says_so);
            for to in to {
                self.send_copy(node, to, id);
            }
            self.beat_if_needed(node);
        }
    }

    /// A node has a link from here on.
    pub(crate) fn fabric_connected(&mut self, node: usize, other: usize) {
        // Each region gossips for itself.
        if self.plan.named_regions && self.network.is_across(node, other) {
            return;
        }
        if self.fabric.connected(node, other) {
            self.schedule_heartbeat(node);
        }
    }

    /// A node has a link no more.
    pub(crate) fn fabric_disconnected(&mut self, node: usize, other: usize) {
        if self.fabric.disconnected(node, other) {
            self.schedule_heartbeat(node);
        }
    }

    fn beat_if_needed(&mut self, node: usize) {
        if self.fabric.needs_heartbeat(node) {
            self.schedule_heartbeat(node);
        }
    }

    fn schedule_heartbeat(&mut self, node: usize) {
        let boot = self.machines[node].boots;
        // Heartbeats fall where they do; the next is up to one away.
        let at_us = self.now_us + 1 + self.randomness.below(HEARTBEAT_US);
        self.queue.schedule(at_us, Event::Heartbeat { node, boot });
    }

    pub(crate) fn heartbeat(&mut self, node: usize, boot: Boot) {
        if !self.machines[node].runs(boot) {
            return;
        }
        let beat = self.fabric.heartbeat(node);
        for to in beat.tell {
            let messages = beat.messages.clone();
            self.send_control(node, to, Content::Have(messages), beat.messages.len());
        }
        if beat.again {
            let at_us = self.now_us + HEARTBEAT_US;
            self.queue.schedule(at_us, Event::Heartbeat { node, boot });
        }
    }

    /// A message is remembered no longer: how it spread is what is left of it.
    pub(crate) fn forget_message(&mut self, id: MessageId) {
        let Some(message) = self.fabric.forget(id) else {
            return;
        };
        let missed = message.missed(|node| {
            let machine = &self.machines[node];
            machine.process.as_ref().is_some_and(|process| {
                process.roster.is_some() && process.booted_us <= message.published_us
            })
        });
        self.statistics.gossip_missed += missed;
        if self.options.spreads == 0 {
            return;
        }
        if self.statistics.spreads.len() >= self.options.spreads {
            self.statistics.spreads.remove(0);
        }
        self.statistics.spreads.push(Spread {
            publisher: self.machines[message.publisher].plan.number,
            published_us: message.published_us,
            bytes: message.bytes as u64,
            arrivals_us: message.spread_us(),
            duplicates: message.duplicates,
            missed,
        });
    }
}

/// What an announcement tells of.
fn subject(announcement: &Announcement) -> &'static str {
    let Announcement {
        members,
        revocations,
        accusations,
        entries,
        ..
    } = announcement;
    let told = [
        ("members", members.is_empty()),
        ("revocations", revocations.is_empty()),
        ("accusations", accusations.is_empty()),
        ("entries", entries.is_empty()),
    ];
    let mut subjects = told.into_iter().filter(|(_, empty)| !empty);
    match (subjects.next(), subjects.next()) {
        (Some((subject, _)), None) => subject,
        (Some(_), Some(_)) => "several",
        (None, _) => "others",
    }
}

fn message_id(encoded: &[u8]) -> MessageId {
    let hash = blake3::hash(encoded);
    let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}
