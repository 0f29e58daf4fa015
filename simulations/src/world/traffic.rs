//! What the messages between nodes are, and how many bytes they take.

use std::collections::BTreeMap;

use super::World;
use super::event::Event;
use super::questions::Body;

/// Bytes sent so far, by kind of message.
#[derive(Default)]
pub(crate) struct Traffic(Vec<(&'static str, u64)>);

impl Traffic {
    pub(crate) fn add(&mut self, kind: &'static str, bytes: u64) {
        // There are few kinds, and the commonest comes first.
        match self.0.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, sum)) => *sum += bytes,
            None => self.0.push((kind, bytes)),
        }
    }

    pub(crate) fn finish(self) -> BTreeMap<String, u64> {
        let kinds = self.0.into_iter();
        kinds
            .map(|(kind, bytes)| (kind.to_owned(), bytes))
            .collect()
    }
}

impl World {
    /// What a message is called that brings about this event at its other end.
    pub(crate) fn traffic_kind(&self, event: &Event) -> &'static str {
        let body = |question| self.questions.get(question).map(|known| &known.body);
        match event {
            Event::Parcel { .. } => "gossip",
            Event::Asked { question } => match body(question) {
                Some(Body::Goodbye(_)) => "goodbyes",
                Some(Body::Carry(_)) => "carried",
                Some(Body::Reconcile(_)) => "summaries",
                Some(Body::Manifest(_) | Body::Manifests(_)) => "questions for manifests",
                Some(Body::Log(_) | Body::Entries(_)) => "questions about the log",
                Some(Body::Push(_)) => "entries",
                Some(Body::Renew) | None => "other questions",
            },
            Event::Replied { question } => match body(question) {
                Some(Body::Reconcile(_)) => "differences",
                Some(Body::Manifest(_) | Body::Manifests(_)) => "manifests",
                Some(Body::Log(_)) => "frontiers",
                Some(Body::Entries(_)) => "entries",
                Some(Body::Goodbye(_) | Body::Carry(_) | Body::Push(_) | Body::Renew) | None => {
                    "other answers"
                }
            },
            Event::Closed { .. } => "closed links",
            _ => "handshakes",
        }
    }
}
