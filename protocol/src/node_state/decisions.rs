//! The room on the lane of decisions: takes what entries hold, and proves what is decided.
//!
//! A decision is on disk as a record of this node's own before anybody is told of it, so that it is made once whatever
//! happens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::NodeState;
use super::input::RequestId;
use super::output::{Output, Reply};
use super::proposing::{ProposeError, VoteError};
use super::record::{Record, RecordKey, Write};
use crate::consensus::book::{Book, BookError, Carried, Proposals, Taken};
use crate::consensus::electorate::Voter;
use crate::consensus::item::DecisionItem;
use crate::consensus::proof::Proof;
use crate::consensus::proposal::{Choice, Proposal, ProposalId};
use crate::consensus::vote::Vote;
use crate::id::NodeId;
use crate::limits::CLOCK_LEEWAY;
use crate::log::AppendError;
use crate::log::entry::Entry;
use crate::membership::certificate::CertificateChain;
use crate::membership::roster::Roster;
use crate::mutation::Mutation;
use crate::time::{Monotonic, Now, Timestamp};

/// What is known of proposals, and what is to be done about them.
#[derive(Default)]
pub(super) struct Decisions {
    pub(super) book: Book,
    /// Own proposals on their way to the disk.
    pub(super) proposing: BTreeMap<ProposalId, RequestId>,
    /// Own votes on their way to the disk.
    pub(super) casting: BTreeMap<(ProposalId, Voter), (Choice, Vec<RequestId>)>,
    /// To be looked at for an outcome.
    touched: BTreeSet<ProposalId>,
    /// They have an outcome, and a certificate for the proof is missing in this roster.
    unproved: BTreeSet<ProposalId>,
    unproved_with: Option<Arc<Roster>>,
    /// Decided, and when this node logs the proof unless somebody else has.
    pub(super) unlogged: BTreeMap<ProposalId, Monotonic>,
    /// A proof is in the log.
    pub(super) logged: BTreeSet<ProposalId>,
    changed: bool,
    answers: Vec<(RequestId, Reply)>,
}

impl Decisions {
    pub(super) fn next_deadline(&self) -> Option<Monotonic> {
        self.unlogged.values().min().copied()
    }
}

impl NodeState {
    /// The proposals as they were last published.
    pub fn proposals(&self) -> &Proposals {
        self.decisions.book.proposals()
    }

    /// An entry of the lane of decisions is on disk, in this run or an earlier one.
    pub(super) fn decisions_applied(&mut self, entry: &Arc<Entry>) {
        let Some(mesh) = self.roster.as_ref().map(|roster| roster.mesh) else {
            return;
        };
        let verifier = self.keys.verifier.clone();
        for item in entry.items() {
            // Of a later version, or nobody's: the log keeps it all the same.
            let Ok(item) = DecisionItem::decode(&item) else {
                continue;
            };
            let book = &mut self.decisions.book;
            let (id, taken) = match item {
                DecisionItem::Proposed(proposal) => {
                    let id = proposal.body.id();
                    let taken = match is_of_its_time(&proposal, entry.header().time) {
                        true => book.propose(&proposal, mesh, &*verifier),
                        false => Ok(Taken::Nothing),
                    };
                    self.proposal_on_disk(id, &taken);
                    (id, taken)
                }
                DecisionItem::Voted(vote) => {
                    let carried = Carried {
                        by: entry.chain().author,
                        at: entry.header().time,
                    };
                    let taken = book.vote(vote.clone(), carried, mesh, &*verifier);
                    self.vote_on_disk(&vote, &taken);
                    (vote.proposal, taken)
                }
                DecisionItem::Decided(proof) => {
                    let id = proof.proposal().body.id();
                    let taken = match is_of_its_time(proof.proposal(), entry.header().time) {
                        true => book.decided(&proof, mesh, &*verifier),
                        false => Ok(Taken::Nothing),
                    };
                    self.proof_in_log(id, &proof, &taken);
                    (id, taken)
                }
            };
            if taken == Ok(Taken::New) {
                self.decisions.touched.insert(id);
                self.decisions.changed = true;
            }
        }
    }

    fn proposal_on_disk(&mut self, id: ProposalId, taken: &Result<Taken, BookError>) {
        if let Some(request) = self.decisions.proposing.remove(&id) {
            let proposed = match taken {
                Ok(_) => Ok(id),
                Err(refused) => Err(ProposeError::Book(refused.clone())),
            };
            let reply = Reply::Proposed(proposed);
            self.decisions.answers.push((request, reply));
        }
    }

    fn vote_on_disk(&mut self, vote: &Vote, taken: &Result<Taken, BookError>) {
        let place = (vote.proposal, vote.voter.clone());
        let waiting = self.decisions.casting.remove(&place);
        for request in waiting.into_iter().flat_map(|(_, waiting)| waiting) {
            let voted = match taken {
                Ok(_) => Ok(()),
                Err(_) => Err(VoteError::Unknown),
            };
            let reply = Reply::Voted(voted);
            self.decisions.answers.push((request, reply));
        }
    }

    /// Somebody has logged a proof: where that is good, nobody else need.
    fn proof_in_log(&mut self, id: ProposalId, proof: &Proof, taken: &Result<Taken, BookError>) {
        let Some(mesh) = self.roster.as_ref().map(|roster| roster.mesh) else {
            return;
        };
        let known = self
            .decisions
            .book
            .get(id)
            .and_then(|known| known.decision());
        let same = known.is_some_and(|known| known.choice() == proof.choice());
        let good = match taken {
            Ok(Taken::New) => true,
            Ok(Taken::Nothing) if self.decisions.logged.contains(&id) => true,
            Ok(Taken::Nothing) if known.is_some_and(|known| **known == *proof) => true,
            Ok(Taken::Nothing) => proof.verify(mesh, &*self.keys.verifier).is_ok(),
            Err(_) => false,
        };
        if good && same {
            self.decisions.logged.insert(id);
            self.decisions.unlogged.remove(&id);
        }
        if good && taken == &Ok(Taken::New) {
            let kept = self
                .decisions
                .book
                .get(id)
                .and_then(|known| known.decision());
            if let Some(kept) = kept.filter(|_| same).cloned() {
                self.persist(vec![Write::Put(Record::Decision(kept))]);
            }
        }
    }

    /// What an earlier run decided.
    pub(super) fn restore_decisions(&mut self, proofs: Vec<Arc<Proof>>) {
        let Some(mesh) = self.roster.as_ref().map(|roster| roster.mesh) else {
            return;
        };
        for proof in proofs {
            let id = proof.proposal().body.id();
            let restored = self
                .decisions
                .book
                .restore(&proof, mesh, &*self.keys.verifier);
            if restored.is_ok() {
                self.decisions.touched.insert(id);
                self.decisions.changed = true;
            }
        }
    }

    /// Decides what can be decided, and tells everybody here before whoever waits. Not before all that earlier runs kept
    /// is back: a double vote may be in the part that is missing.
    pub(super) fn settle_decisions(&mut self, now: Now) {
        if !self.log.own.is_ready() {
            return;
        }
        self.touch_those_to_be_looked_at(now);
        for id in std::mem::take(&mut self.decisions.touched) {
            self.decide(now, id);
        }
        self.log_proofs_when_due(now);
        if std::mem::take(&mut self.decisions.changed) {
            self.forget_old_proposals(now.wall);
            let proposals = Arc::new(self.decisions.book.proposals().clone());
            self.outputs.push_back(Output::PublishProposals(proposals));
        }
        for (request, reply) in std::mem::take(&mut self.decisions.answers) {
            self.reply(request, reply);
        }
    }

    fn touch_those_to_be_looked_at(&mut self, now: Now) {
        let Decisions {
            book,
            touched,
            unproved,
            unproved_with,
            ..
        } = &mut self.decisions;
        if !unproved.is_empty() {
            let same = match (&self.roster, &unproved_with) {
                (Some(roster), Some(with)) => Arc::ptr_eq(roster, with),
                _ => false,
            };
            if !same {
                touched.append(unproved);
                *unproved_with = self.roster.clone();
            }
        }
        if Mutation::DeadlineDecides.is_on() {
            let overdue = book.proposals().keys().copied();
            touched.extend(overdue.filter(|id| book.outcome(*id, now.wall).is_some()));
        }
    }

    fn decide(&mut self, now: Now, id: ProposalId) {
        if let Some(choice) = self.decisions.book.outcome(id, now.wall) {
            match self.prove(id, choice) {
                Some(proof) => {
                    self.persist(vec![Write::Put(Record::Decision(proof.clone()))]);
                    self.decisions.book.decide(id, &proof);
                    self.decisions.changed = true;
                }
                None => {
                    self.decisions.unproved.insert(id);
                    self.decisions.unproved_with = self.roster.clone();
                }
            }
        }
        self.schedule_logging(now, id);
    }

    fn prove(&self, id: ProposalId, choice: Choice) -> Option<Arc<Proof>> {
        let roster = self.roster.as_ref()?;
        let certificate = |node: NodeId| -> Option<Arc<CertificateChain>> {
            match node == self.me {
                true => Some(roster.own.clone()),
                false => roster.known(node).map(|member| member.chain().clone()),
            }
        };
        let proof = self.decisions.book.prove(id, choice, certificate);
        proof.ok().flatten().map(Arc::new)
    }

    fn forget_old_proposals(&mut self, now: Timestamp) {
        let forgotten = self.decisions.book.forget_old(now);
        for id in &forgotten {
            self.decisions.logged.remove(id);
            self.decisions.unlogged.remove(id);
            self.decisions.unproved.remove(id);
        }
        let deletes = forgotten.into_iter().map(RecordKey::Decision);
        let deletes: Vec<Write> = deletes.map(Write::Delete).collect();
        if !deletes.is_empty() {
            self.persist(deletes);
        }
    }

    /// The mesh was left: nothing of its decisions is kept, and whoever waits is told.
    pub(super) fn forget_decisions(&mut self) {
        let left = std::mem::take(&mut self.decisions);
        for request in left.proposing.into_values() {
            let refused = ProposeError::Append(AppendError::NoMesh);
            self.reply(request, Reply::Proposed(Err(refused)));
        }
        let casting = left.casting.into_values();
        for request in casting.flat_map(|(_, waiting)| waiting) {
            let refused = VoteError::Append(AppendError::NoMesh);
            self.reply(request, Reply::Voted(Err(refused)));
        }
        if !left.book.proposals().is_empty() {
            let nothing = Arc::new(Proposals::new());
            self.outputs.push_back(Output::PublishProposals(nothing));
        }
    }
}

/// A proposal says when it was made, and the entry when it was put into the log: one that is dated into the future would
/// be kept for ever.
fn is_of_its_time(proposal: &Proposal, entered: Timestamp) -> bool {
    proposal.body.proposed < entered + CLOCK_LEEWAY
}
