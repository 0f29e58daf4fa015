//! Manifests that linked members ask this node for: its own and those of others. What it is about to have itself is
//! waited for a moment, since whoever hears of a change passes the news on before it has seen the change.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::NodeState;
use super::input::RequestId;
use super::output::Reply;
use crate::id::{Hash, NodeId};
use crate::membership::admission::Refusal;
use crate::time::{Monotonic, Now};
use crate::wire::manifests::ManifestsAsked;

/// How long a question waits for manifests that are not here yet.
const WAIT_FOR: Duration = Duration::from_secs(1);
/// Questions that wait at one time; beyond that they are answered with what there is.
const WAITING_MAX: usize = 1_024;

/// Questions that were not answered yet, those asked first in front.
#[derive(Default)]
pub(super) struct ManifestAnswers {
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    request: RequestId,
    asked: BTreeSet<Hash>,
    missing: BTreeSet<Hash>,
    until: Monotonic,
}

impl ManifestAnswers {
    pub(super) fn next_deadline(&self) -> Option<Monotonic> {
        self.waiting.front().map(|waiting| waiting.until)
    }
}

impl NodeState {
    pub(super) fn manifests_asked(
        &mut self,
        now: Now,
        request: RequestId,
        from: NodeId,
        asked: ManifestsAsked,
    ) {
        if !self.is_member(from) {
            self.reply(request, Reply::Manifests(Err(Refusal::OtherMesh)));
            return;
        }
        let asked: BTreeSet<Hash> = asked.hashes.into_iter().collect();
        let missing = self.offers.missing(asked.clone());
        let waiting = Waiting {
            request,
            asked,
            missing,
            until: now.monotonic + WAIT_FOR,
        };
        let full = self.manifest_answers.waiting.len() >= WAITING_MAX;
        if full || !self.manifests.is_any_wanted(&waiting.missing) {
            self.answer_question(waiting);
        } else {
            self.manifest_answers.waiting.push_back(waiting);
        }
    }

    /// A manifest is here now.
    pub(super) fn answer_waiting_for(&mut self, hash: Hash) {
        let mut answered = Vec::new();
        let waiting = std::mem::take(&mut self.manifest_answers.waiting);
        for mut question in waiting {
            if question.missing.remove(&hash) && question.missing.is_empty() {
                answered.push(question);
            } else {
                self.manifest_answers.waiting.push_back(question);
            }
        }
        for question in answered {
            self.answer_question(question);
        }
    }

    pub(super) fn answer_when_due(&mut self, now: Now) {
        let due = |next: Monotonic| next <= now.monotonic;
        while self.manifest_answers.next_deadline().is_some_and(due) {
            if let Some(question) = self.manifest_answers.waiting.pop_front() {
                self.answer_question(question);
            }
        }
    }

    fn answer_question(&mut self, question: Waiting) {
        let told = self.offers.told(&question.asked);
        self.reply(question.request, Reply::Manifests(Ok(told)));
    }
}
