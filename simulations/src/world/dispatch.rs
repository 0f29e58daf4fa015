//! Each event to what it means.

use super::World;
use super::event::Event;

impl World {
    /// Lets an event happen, or keeps it for when the stalled node it concerns goes on.
    pub(crate) fn happen(&mut self, event: Event) {
        self.statistics.events += 1;
        if let Some(node) = self.concerned(&event)
            && let Some(process) = &mut self.machines[node].process
            && let Some(waiting) = &mut process.stalled
        {
            waiting.push_back(event);
            return;
        }
        let now_us = self.now_us;
        self.tracer
            .note(now_us, event.kind(), &event.numbers(), || {
                format!("{event:?}")
            });
        self.take(event);
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Act { action } => self.act(action),
            Event::Over { action } => self.over(action),
            Event::Found => self.found(),
            Event::Join { node } => self.join(node),
            Event::TicketHanded { node, boot } => self.ticket_handed(node, boot),
            Event::JoinGivenUp {
                node,
                boot,
                attempt,
            } => self.join_given_up(node, boot, attempt),
            Event::WordsCarried { node, admin, words } => self.words_carried(node, admin, words),
            Event::Collect { node, boot } => self.collect(node, boot),
            Event::Rotate { node, boot } => self.rotate_again(node, boot),
            Event::Boot { node } => self.boot(node),
            Event::Kill { node, boot } => self.kill_silent(node, boot),
            Event::Resume { node, boot, stall } => self.resume(node, boot, stall),
            Event::Wake { node, boot, wake } => self.wake(node, boot, wake),
            Event::Written { node, boot } => self.written(node, boot),
            Event::Depart { node, boot, to } => self.depart(node, boot, to),
            Event::Unreached {
                node, boot, key, ..
            } => self.unreached(node, boot, key),
            Event::Greeted { handshake } => self.greeted(handshake),
            Event::Claimed { handshake } => self.claimed(handshake),
            Event::Answered { handshake } => self.answered(handshake),
            Event::HandshakeDeadline { handshake } => self.handshake_deadline(handshake),
            Event::Closed { connection, end } => self.close_heard(connection, end),
            Event::Silent {
                connection,
                end,
                since_us,
            } => self.silent(connection, end, since_us),
            Event::Asked { question } => self.asked(question),
            Event::Replied { question } => self.replied(question),
            Event::QuestionDeadline { question } => self.question_deadline(question),
            Event::Parcel { parcel } => self.parcel_arrived(parcel),
            Event::Heartbeat { node, boot } => self.heartbeat(node, boot),
            Event::Read { node, boot } => self.read_inboxes(node, boot),
            Event::Forget { message } => self.forget_message(message),
            Event::Misdeed { node, boot, number } => self.misdeed(node, boot, number),
            Event::Sample => self.sample(),
            Event::Look => self.look(),
        }
    }

    /// The node whose process has to run for an event to mean anything to it.
    fn concerned(&self, event: &Event) -> Option<usize> {
        match event {
            Event::TicketHanded { node, .. }
            | Event::JoinGivenUp { node, .. }
            | Event::Collect { node, .. }
            | Event::Rotate { node, .. }
            | Event::Wake { node, .. }
            | Event::Written { node, .. }
            | Event::Depart { node, .. }
            | Event::Heartbeat { node, .. }
            | Event::Read { node, .. }
            | Event::Misdeed { node, .. }
            | Event::Unreached { node, .. } => Some(*node),
            Event::Parcel { parcel } => self.addressee(*parcel),
            Event::Greeted { handshake }
            | Event::Answered { handshake }
            | Event::HandshakeDeadline { handshake } => self
                .handshakes
                .get(handshake)
                .map(|handshake| handshake.dialer),
            Event::Claimed { handshake } => self
                .handshakes
                .get(handshake)
                .map(|handshake| handshake.listener),
            Event::Closed { connection, end }
            | Event::Silent {
                connection, end, ..
            } => {
                let connection = self.connections.get(connection);
                connection.map(|connection| connection.ends[*end].node)
            }
            Event::Asked { question } => self.questions.get(question).map(|asked| asked.answerer),
            Event::Replied { question } | Event::QuestionDeadline { question } => {
                self.questions.get(question).map(|asked| asked.asker)
            }
            Event::Act { .. }
            | Event::Over { .. }
            | Event::Found
            | Event::Join { .. }
            | Event::WordsCarried { .. }
            | Event::Boot { .. }
            | Event::Kill { .. }
            | Event::Resume { .. }
            | Event::Forget { .. }
            | Event::Sample
            | Event::Look => None,
        }
    }
}
