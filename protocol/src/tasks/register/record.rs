//! One task's register, folded from all that was said of it.

use std::collections::BTreeMap;

use super::acceptor::Acceptor;
use super::standing::Standing;
use super::word::RegisterWord;
use super::{Ballot, Seat, majority};
use crate::id::NodeId;
use crate::log::chain_id::EpochId;
use crate::mutation::Mutation;
use crate::tasks::record::Said;
use crate::tasks::words::ArbiterWord;

/// Nodes of which something is kept of one register, in each of its parts.
const SPEAKERS_MAX: usize = 32;
/// Acceptances that are kept of one acceptor: so many attempts may run over each other before one is seen to stand.
const ACCEPTED_MAX: usize = 8;

/// What somebody wants of the acceptors: its latest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Under which ballot.
    pub ballot: Ballot,
    /// The epochs of the acceptors that it counts on.
    pub epochs: Vec<EpochId>,
    /// What is to be accepted, once it has come so far.
    pub value: Option<Standing>,
}

/// What one acceptor has said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct AcceptorWord {
    promised: Option<Ballot>,
    accepted: BTreeMap<Ballot, Standing>,
}

impl AcceptorWord {
    /// The latest ballot that it went along with.
    fn latest(&self) -> Option<Ballot> {
        let accepted = self.accepted.last_key_value();
        self.promised.max(accepted.map(|(ballot, _)| *ballot))
    }
}

/// What an acceptor told another one that has taken its seat anew.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Confirmation {
    seat: Seat,
    promised: Option<Ballot>,
    accepted: Option<(Ballot, Standing)>,
}

/// All that was said of one register.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegisterRecord {
    /// The seats that stand.
    seats: BTreeMap<NodeId, Seat>,
    /// The seats that were asked for last.
    asked: BTreeMap<NodeId, Seat>,
    open: bool,
    /// By whose seat it is, and who confirms it.
    confirmed: BTreeMap<(NodeId, NodeId), Confirmation>,
    requests: BTreeMap<NodeId, Request>,
    acceptors: BTreeMap<NodeId, AcceptorWord>,
    /// The latest that a majority has accepted.
    stands: Option<(Ballot, Standing)>,
    /// The same, as one arbiter alone would have said it.
    word: Option<ArbiterWord>,
}

impl RegisterRecord {
    /// Takes what was said. `arbiters` are those that the task names, once it is known; `by_creator` whether it comes from
    /// whoever created it, in the same epoch. Says whether it is heard.
    pub(in crate::tasks) fn apply(
        &mut self,
        said: Said,
        arbiters: Option<&[NodeId]>,
        by_creator: bool,
        word: RegisterWord,
    ) -> bool {
        if word.epoch().is_some_and(|epoch| epoch != said.epoch) {
            return false;
        }
        let author = said.author;
        let by_arbiter = arbiters.is_none_or(|arbiters| arbiters.contains(&author));
        match word {
            RegisterWord::Prepared { ballot, epochs } => {
                self.requested(author, ballot, epochs, None)
            }
            RegisterWord::Proposed {
                ballot,
                epochs,
                value,
            } => self.requested(author, ballot, epochs, Some(value)),
            RegisterWord::Opened { epochs } => {
                let Some(arbiters) = arbiters.filter(|_| by_creator) else {
                    return false;
                };
                self.opened(arbiters, &epochs)
            }
            _ if !by_arbiter || !self.has_room_for(author) => false,
            RegisterWord::Seated { turn } => {
                let epoch = said.epoch;
                raise(&mut self.asked, author, Seat { turn, epoch })
            }
            RegisterWord::Confirmed {
                node,
                seat,
                promised,
                accepted,
            } => {
                let confirmation = Confirmation {
                    seat,
                    promised,
                    accepted,
                };
                self.confirmed(node, author, confirmation)
            }
            RegisterWord::Promised { ballot, .. } => {
                let word = self.acceptors.entry(author).or_default();
                word.promised = word.promised.max(Some(ballot));
                true
            }
            RegisterWord::Accepted { ballot, value, .. } => {
                let word = self.acceptors.entry(author).or_default();
                word.accepted.insert(ballot, value);
                while word.accepted.len() > ACCEPTED_MAX {
                    word.accepted.pop_first();
                }
                arbiters
                    .into_iter()
                    .for_each(|arbiters| self.settle(arbiters));
                true
            }
        }
    }

    /// Anybody may speak of a task that is not known yet: beyond so many nobody else is heard.
    fn has_room_for(&self, author: NodeId) -> bool {
        let known = self.acceptors.contains_key(&author) || self.asked.contains_key(&author);
        known || self.acceptors.len().max(self.asked.len()) < SPEAKERS_MAX
    }

    /// The task is known: whoever is none of its arbiters has not spoken.
    pub(in crate::tasks) fn named(&mut self, arbiters: &[NodeId]) {
        let named = |node: &NodeId| arbiters.contains(node);
        self.acceptors.retain(|node, _| named(node));
        self.asked.retain(|node, _| named(node));
        self.seats.retain(|node, _| named(node));
        self.confirmed
            .retain(|(node, by), _| named(node) && named(by));
        self.settle(arbiters);
    }

    fn requested(
        &mut self,
        author: NodeId,
        ballot: Ballot,
        epochs: Vec<EpochId>,
        value: Option<Standing>,
    ) -> bool {
        if ballot.proposer != author {
            return false;
        }
        let request = Request {
            ballot,
            epochs,
            value,
        };
        let order = |request: &Request| (request.ballot, request.value.is_some());
        match self.requests.get(&author) {
            Some(known) if order(known) >= order(&request) => return false,
            _ => self.requests.insert(author, request),
        };
        while self.requests.len() > SPEAKERS_MAX {
            let oldest = self.requests.values().map(|request| request.ballot).min();
            self.requests
                .retain(|_, request| Some(request.ballot) != oldest);
        }
        true
    }

    fn opened(&mut self, arbiters: &[NodeId], epochs: &[EpochId]) -> bool {
        if self.open || arbiters.len() != epochs.len() {
            return false;
        }
        self.open = true;
        for (node, epoch) in arbiters.iter().zip(epochs) {
            let (turn, epoch) = (0, *epoch);
            raise(&mut self.seats, *node, Seat { turn, epoch });
        }
        true
    }

    fn confirmed(&mut self, node: NodeId, by: NodeId, confirmation: Confirmation) -> bool {
        let seat = confirmation.seat;
        match self.confirmed.get(&(node, by)) {
            Some(known) if known.seat >= seat => return false,
            // Only of a task that nobody knows yet.
            None if self.confirmed.len() >= SPEAKERS_MAX => return false,
            _ => self.confirmed.insert((node, by), confirmation),
        };
        raise(&mut self.seats, node, seat);
        true
    }

    /// Looks what a majority has accepted.
    fn settle(&mut self, arbiters: &[NodeId]) {
        let words = |ballot: &Ballot| {
            let accepted = self.acceptors.values();
            accepted
                .filter(|word| word.accepted.contains_key(ballot))
                .count()
        };
        let all = self.acceptors.values().flat_map(|word| &word.accepted);
        let stands = all
            .filter(|(ballot, _)| words(ballot) >= majority(arbiters.len()))
            .max_by_key(|(ballot, _)| **ballot);
        let stands = stands.map(|(ballot, value)| (*ballot, value.clone()));
        if self.stands.as_ref().map(|(ballot, _)| *ballot)
            < stands.as_ref().map(|(ballot, _)| *ballot)
        {
            self.word = stands.as_ref().map(|(_, value)| value.as_word());
            self.stands = stands;
        }
    }

    /// Whether the acceptors answer: all have once taken their seats.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// What a majority has accepted last, as far as is known.
    pub fn standing(&self) -> Option<&Standing> {
        self.stands.as_ref().map(|(_, value)| value)
    }

    pub(in crate::tasks) fn as_word(&self) -> Option<&ArbiterWord> {
        self.word.as_ref()
    }

    /// The seat of an arbiter, as it stands.
    pub fn seat(&self, node: NodeId) -> Option<Seat> {
        self.seats.get(&node).copied()
    }

    /// The seat that an arbiter asked for last.
    pub fn asked_seat(&self, node: NodeId) -> Option<Seat> {
        self.asked.get(&node).copied()
    }

    /// The epochs of the arbiters' seats.
    pub fn epochs(&self, arbiters: &[NodeId]) -> Vec<EpochId> {
        let seats = arbiters.iter().filter_map(|node| self.seats.get(node));
        seats.map(|seat| seat.epoch).collect()
    }

    /// The latest seat of `node` that `by` has confirmed.
    pub fn seat_confirmed(&self, node: NodeId, by: NodeId) -> Option<Seat> {
        let confirmation = self.confirmed.get(&(node, by))?;
        Some(confirmation.seat)
    }

    /// Whether an arbiter knows, in this epoch, all that it ever answered.
    pub fn is_sure(&self, node: NodeId, epoch: EpochId, arbiters: &[NodeId]) -> bool {
        let Some(seat) = self.seat(node).filter(|seat| seat.epoch == epoch) else {
            return false;
        };
        let mut others = arbiters.iter().filter(|other| **other != node);
        seat.turn == 0 || others.all(|by| self.seat_confirmed(node, *by) == Some(seat))
    }

    /// An arbiter as its own word, and what it was told when it took its seat anew, have it; `sure` where it knows all.
    pub fn acceptor(&self, node: NodeId, sure: bool) -> Acceptor<Standing> {
        let told = self.confirmed.iter().filter(|((of, _), _)| *of == node);
        let told = told.map(|(_, told)| (told.promised, told.accepted.clone()));
        let own = self.acceptors.get(&node).map(|word| {
            let last = word.accepted.last_key_value();
            let last = last.map(|(ballot, value)| (*ballot, value.clone()));
            let promised = word.promised.filter(|_| !Mutation::ForgetPromise.is_on());
            (promised, last)
        });
        let each: Vec<_> = own.into_iter().chain(told).collect();
        let promised = each.iter().filter_map(|(promised, _)| *promised).max();
        let accepted = each.into_iter().filter_map(|(_, accepted)| accepted);
        let accepted = accepted.max_by_key(|(ballot, _)| *ballot);
        Acceptor::recalled(promised, accepted, sure)
    }

    /// The latest ballot that an arbiter is known to have promised.
    pub fn promised(&self, node: NodeId) -> Option<Ballot> {
        self.acceptors.get(&node)?.latest()
    }

    /// What is wanted of the acceptors, the latest ballot first.
    pub fn requests(&self) -> Vec<&Request> {
        let mut requests: Vec<&Request> = self.requests.values().collect();
        requests.sort_by_key(|request| std::cmp::Reverse(request.ballot));
        requests
    }

    /// The greatest number of a ballot that is known.
    pub fn last_number(&self) -> u64 {
        let requested = self.requests.values().map(|request| Some(request.ballot));
        let promised = self.acceptors.values().map(AcceptorWord::latest);
        let told = self.confirmed.values().map(|told| told.promised);
        let all = requested.chain(promised).chain(told).flatten();
        all.map(|ballot| ballot.number).max().unwrap_or_default()
    }
}

/// Notes a seat unless a later one is known.
fn raise(seats: &mut BTreeMap<NodeId, Seat>, node: NodeId, seat: Seat) -> bool {
    let known = seats.get(&node).copied();
    if known >= Some(seat) {
        return false;
    }
    seats.insert(node, seat);
    true
}
