//! Exchanges over links: one question, one answer, or none within the deadline.

use std::sync::Arc;

use peerage_protocol::catalog::manifest::EncodedManifest;
use peerage_protocol::id::{Hash, NodeId};
use peerage_protocol::log::entry::Entry;
use peerage_protocol::membership::certificate::CertificateChain;
use peerage_protocol::node_state::Input;
use peerage_protocol::wire::announcement::Announcement;
use peerage_protocol::wire::log::{EntriesAsked, EntriesTold, LogAsked, LogTold};
use peerage_protocol::wire::manifests::{ManifestsAsked, ManifestsTold};
use peerage_protocol::wire::summary::Summary;

use super::World;
use super::connections::State;
use super::event::{Boot, Event, Id};
use super::log::told_bytes;
use super::machine::Request;
use super::sizes::{EXCHANGE_BYTES, announcement_bytes, chain_bytes};

/// How long a node waits for an answer.
const ANSWER_WITHIN_US: u64 = 20_000_000;

/// A question under way.
pub(crate) struct Question {
    pub(crate) asker: usize,
    asker_boot: Boot,
    pub(crate) answerer: usize,
    /// The keys of both then: their machines may go on with others.
    keys: [NodeId; 2],
    /// The connection it goes over, and the asker's end of it.
    over: Option<(Id, usize)>,
    pub(super) body: Body,
    answer: Option<Answer>,
}

/// What is asked.
#[derive(Clone)]
pub(crate) enum Body {
    Goodbye(Arc<Announcement>),
    Carry(Arc<Announcement>),
    Reconcile(Arc<Summary>),
    Manifest(Hash),
    Manifests(Arc<ManifestsAsked>),
    Log(LogAsked),
    Entries(Arc<EntriesAsked>),
    Push(Vec<Arc<Entry>>),
    Renew,
}

/// What is answered.
#[derive(Clone)]
pub(crate) enum Answer {
    Heard,
    Manifest(Arc<EncodedManifest>),
    Manifests(ManifestsTold),
    Told(Arc<Announcement>),
    Log(LogTold),
    Entries(EntriesTold),
    Renewed(Arc<CertificateChain>),
    Refused,
}

impl World {
    /// Puts a question to a linked member; without a link it fails at once.
    pub(crate) fn put_question(&mut self, asker: usize, answerer: NodeId, body: Body) {
        let keys = [self.machines[asker].id, answerer];
        let over = self.link_to(asker, answerer);
        let Some(answerer) = self.place(answerer) else {
            return;
        };
        let Some(process) = &self.machines[asker].process else {
            return;
        };
        let asker_boot = process.boot;
        let id = self.next_id();
        let bytes = EXCHANGE_BYTES + body.bytes();
        self.questions.insert(
            id,
            Question {
                asker,
                asker_boot,
                answerer,
                keys,
                over,
                body,
                answer: None,
            },
        );
        if let Some(process) = &mut self.machines[asker].process {
            process.asking.insert(id);
        }
        let Some((connection, end)) = over else {
            self.queue
                .schedule(self.now_us, Event::QuestionDeadline { question: id });
            return;
        };
        self.send_over(connection, end, bytes, Event::Asked { question: id });
        let deadline_us = self.now_us + ANSWER_WITHIN_US;
        self.queue
            .schedule(deadline_us, Event::QuestionDeadline { question: id });
    }

    /// A question reached its answerer.
    pub(crate) fn asked(&mut self, id: Id) {
        let Some(question) = self.questions.get(&id) else {
            return;
        };
        let (asker, answerer) = (question.asker, question.answerer);
        let (over, body) = (question.over, question.body.clone());
        let [from, _] = question.keys;
        if !self.is_open_at_the_other_end(over, Event::Asked { question: id }) {
            return;
        }
        let again = self.network.duplicates(asker, answerer);
        match body {
            Body::Goodbye(announcement) => {
                let process = self.machines[answerer].process.as_ref();
                let mut said = announcement.members.iter();
                let counts = said.any(|member| self.truth.is_latest(member.chain()));
                if let Some(process) = process.filter(|process| process.roster.is_some() && counts)
                {
                    self.truth.goodbye_heard(asker, answerer, process.boot);
                }
                for _ in 0..=usize::from(again) {
                    let announcement = Announcement::clone(&announcement);
                    self.tell(answerer, Input::Announced { from, announcement });
                }
                self.reply_to(id, Answer::Heard);
            }
            Body::Carry(announcement) => {
                for _ in 0..=usize::from(again) {
                    let announcement = Announcement::clone(&announcement);
                    self.tell(answerer, Input::Carried { from, announcement });
                }
                self.reply_to(id, Answer::Heard);
            }
            Body::Reconcile(summary) => {
                let request = Request::Reconcile { question: id };
                self.ask(answerer, request, |request| Input::ReconcileAsked {
                    request,
                    from,
                    summary: Summary::clone(&summary),
                });
            }
            Body::Manifest(hash) => {
                let process = self.machines[answerer].process.as_ref();
                let manifest = process.map(|process| process.manifest.clone());
                let manifest = manifest.filter(|manifest| manifest.hash == hash);
                let manifest = self.false_manifest(answerer).or(manifest);
                self.reply_to(id, manifest.map_or(Answer::Refused, Answer::Manifest));
            }
            Body::Manifests(asked) => {
                let request = Request::Manifests { question: id };
                self.ask(answerer, request, |request| Input::ManifestsAsked {
                    request,
                    from,
                    asked: ManifestsAsked::clone(&asked),
                });
            }
            Body::Log(asked) => {
                let request = Request::Log { question: id };
                self.ask(answerer, request, |request| Input::LogAsked {
                    request,
                    from,
                    asked,
                });
            }
            Body::Entries(asked) => {
                let told = self.kept_entries(answerer, asker, &asked);
                self.reply_to(id, Answer::Entries(told));
            }
            Body::Push(entries) => {
                for _ in 0..=usize::from(again) {
                    let entries = entries.clone();
                    self.tell(answerer, Input::EntriesPushed { from, entries });
                }
                self.reply_to(id, Answer::Heard);
            }
            Body::Renew => {
                self.ask(answerer, Request::Renew { question: id }, |request| {
                    Input::RenewalAsked { request, from }
                });
            }
        }
    }

    /// Whether what was sent over a connection is heard at its other end; what comes too early waits there.
    fn is_open_at_the_other_end(&mut self, over: Option<(Id, usize)>, event: Event) -> bool {
        let Some((connection, end)) = over else {
            return false;
        };
        let Some(connection) = self.connections.get_mut(&connection) else {
            return false;
        };
        match connection.ends[1 - end].state {
            State::Pending => connection.early.push(event),
            State::Open => return true,
            State::Closed => {}
        }
        false
    }

    /// The answerer has an answer.
    pub(crate) fn reply_to(&mut self, id: Id, answer: Answer) {
        let Some(question) = self.questions.get_mut(&id) else {
            return;
        };
        let bytes = EXCHANGE_BYTES + answer.bytes();
        question.answer = Some(answer);
        if let Some((connection, end)) = question.over {
            self.send_over(connection, 1 - end, bytes, Event::Replied { question: id });
        }
    }

    pub(crate) fn replied(&mut self, id: Id) {
        let answer = self
            .questions
            .get_mut(&id)
            .and_then(|question| question.answer.take());
        self.settle(id, answer);
    }

    pub(crate) fn question_deadline(&mut self, id: Id) {
        self.settle(id, None);
    }

    /// The questions that a node put over a connection that is no more have no answer.
    pub(crate) fn fail_questions_over(&mut self, node: usize, connection: Id) {
        let Some(process) = &self.machines[node].process else {
            return;
        };
        let over = |id: &Id| {
            let question = self.questions.get(id);
            question
                .and_then(|question| question.over)
                .is_some_and(|(over, _)| over == connection)
        };
        let failed: Vec<Id> = process.asking.iter().copied().filter(over).collect();
        for id in failed {
            self.settle(id, None);
        }
    }

    /// The asker hears what came of its question.
    fn settle(&mut self, id: Id, answer: Option<Answer>) {
        let Some(question) = self.questions.remove(&id) else {
            return;
        };
        let (asker, [_, from]) = (question.asker, question.keys);
        if !self.machines[asker].runs(question.asker_boot) {
            return;
        }
        if let Some(process) = &mut self.machines[asker].process {
            process.asking.remove(&id);
        }
        let input = match (question.body, answer) {
            (Body::Goodbye(_) | Body::Carry(_), _) => return,
            (Body::Push(_), _) => Input::PushAnswered { to: from },
            (Body::Log(asked), Some(Answer::Log(told))) => Input::LogTold {
                from,
                asked,
                told: Some(told),
            },
            (Body::Log(asked), _) => Input::LogTold {
                from,
                asked,
                told: None,
            },
            (Body::Entries(asked), Some(Answer::Entries(told))) => Input::EntriesTold {
                from,
                asked,
                told: self.opened(asker, told),
            },
            (Body::Entries(asked), _) => Input::EntriesTold {
                from,
                asked,
                told: None,
            },
            (Body::Reconcile(_), Some(Answer::Told(announcement))) => Input::Reconciled {
                from,
                announcement: Announcement::clone(&announcement),
            },
            (Body::Reconcile(_), _) => Input::ReconcileFailed { from },
            (Body::Manifest(_), Some(Answer::Manifest(manifest))) => Input::ManifestFetched {
                from,
                bytes: manifest.bytes.clone(),
            },
            (Body::Manifest(_), _) => Input::ManifestUnavailable { from },
            (Body::Manifests(asked), Some(Answer::Manifests(told))) => {
                Input::ManifestsTold { asked, told }
            }
            (Body::Manifests(asked), _) => Input::ManifestsTold {
                asked,
                told: ManifestsTold::default(),
            },
            (Body::Renew, Some(Answer::Renewed(chain))) => Input::Renewed {
                from,
                chain: CertificateChain::clone(&chain),
            },
            (Body::Renew, _) => return,
        };
        self.tell(asker, input);
    }
}

impl Body {
    fn bytes(&self) -> usize {
        match self {
            Body::Goodbye(announcement) => announcement_bytes(announcement),
            Body::Carry(announcement) => announcement.encode().len(),
            Body::Reconcile(summary) => 8 * summary.len(),
            Body::Manifest(_) => 32,
            Body::Manifests(asked) => 32 * asked.hashes.len(),
            Body::Log(asked) => asked.encode().len(),
            Body::Entries(asked) => 100 * asked.ranges.len(),
            Body::Push(entries) => entries.iter().map(|entry| entry.sealed().len()).sum(),
            Body::Renew => 0,
        }
    }
}

impl Answer {
    fn bytes(&self) -> usize {
        match self {
            Answer::Heard => 0,
            Answer::Manifest(manifest) => manifest.bytes.len(),
            Answer::Manifests(told) => told.manifests.iter().map(|bytes| 3 + bytes.len()).sum(),
            Answer::Told(announcement) => announcement_bytes(announcement),
            Answer::Log(told) => told.encode().len(),
            Answer::Entries(told) => told_bytes(told),
            Answer::Renewed(chain) => chain_bytes(chain),
            Answer::Refused => 64,
        }
    }
}
