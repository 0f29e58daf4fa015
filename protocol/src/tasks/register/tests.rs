//! Every interleaving of two claimers at three acceptors, with a crash and a loss of state.
//!
//! A question and its answer are one step here. That leaves out no history: what an acceptor answers is decided when it
//! hears the question, and a claimer that gets an answer later is one that goes on later, which is a step of its own.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};

use super::acceptor::{Acceptor, Refused};
use super::proposer::Proposer;
use super::*;

const ACCEPTORS: usize = 3;
const CLAIMERS: usize = 2;
const EPOCH: EpochId = EpochId([0; 16]);
/// Ballots that each claimer tries: two each take a minute, and find nothing more.
const ATTEMPTS: [u8; CLAIMERS] = [2, 1];

const fn node(byte: usize) -> NodeId {
    NodeId::from_public_key([byte as u8 + 1; 32])
}

/// Who has the task.
type Value = usize;

#[derive(Clone, PartialEq, Eq, Hash)]
enum Claimer {
    Trying {
        attempt: u8,
        proposer: Proposer<Value>,
        /// Acceptors that were asked in this phase, a bit each.
        asked: u8,
        /// The latest ballot for which it was refused.
        refused: Option<Ballot>,
    },
    Granted,
    HeldBy(Value),
    GaveUp,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct World {
    /// `None` where it has crashed for good.
    acceptors: Vec<Option<Acceptor<Value>>>,
    claimers: Vec<Claimer>,
    crashes_left: u8,
    losses_left: u8,
}

/// What becomes of an acceptor that loses its state.
#[derive(Clone, Copy)]
enum Loss {
    LeavesTheQuorum,
    ForgetsItsPromises,
}

impl World {
    fn new() -> Self {
        Self {
            acceptors: vec![Some(Acceptor::default()); ACCEPTORS],
            claimers: (0..CLAIMERS)
                .map(|claimer| trying(claimer, 1, None))
                .collect(),
            crashes_left: 1,
            losses_left: 1,
        }
    }

    fn next(&self, loss: Loss) -> Vec<Self> {
        let mut next = Vec::new();
        for claimer in 0..CLAIMERS {
            for acceptor in 0..ACCEPTORS {
                next.extend(self.asked(claimer, acceptor));
            }
            next.extend(self.went_on(claimer));
            if self.crashes_left > 0 && matches!(self.claimers[claimer], Claimer::Trying { .. }) {
                let mut world = self.clone();
                world.crashes_left -= 1;
                world.claimers[claimer] = Claimer::GaveUp;
                next.push(world);
            }
        }
        for acceptor in 0..ACCEPTORS {
            if self.acceptors[acceptor].is_none() {
                continue;
            }
            if self.crashes_left > 0 {
                let mut world = self.clone();
                world.crashes_left -= 1;
                world.acceptors[acceptor] = None;
                next.push(world);
            }
            if self.losses_left > 0 {
                let mut world = self.clone();
                world.losses_left -= 1;
                world.acceptors[acceptor] = Some(match loss {
                    Loss::LeavesTheQuorum => Acceptor::lost(),
                    Loss::ForgetsItsPromises => Acceptor::default(),
                });
                next.push(world);
            }
        }
        next
    }

    /// A claimer asks an acceptor what its phase has it ask, and takes the answer.
    fn asked(&self, claimer: usize, acceptor: usize) -> Option<Self> {
        let mut world = self.clone();
        let asked_one = world.acceptors[acceptor].as_mut()?;
        let Claimer::Trying {
            proposer,
            asked,
            refused,
            ..
        } = &mut world.claimers[claimer]
        else {
            return None;
        };
        if *asked & 1 << acceptor != 0 {
            return None;
        }
        *asked |= 1 << acceptor;
        let ballot = proposer.ballot();
        let answer = match proposer.proposed().copied() {
            None => asked_one
                .prepare(ballot)
                .map(|last| proposer.promised(node(acceptor), last)),
            Some(value) => asked_one
                .accept(ballot, value)
                .map(|()| proposer.accepted(node(acceptor))),
        };
        if let Err(Refused::Promised { to }) = answer {
            *refused = (*refused).max(Some(to));
        }
        Some(world)
    }

    /// A claimer does what follows from the answers that it has, where something does.
    fn went_on(&self, claimer: usize) -> Vec<Self> {
        let Claimer::Trying {
            attempt,
            proposer,
            refused,
            ..
        } = &self.claimers[claimer]
        else {
            return Vec::new();
        };
        let mut outcomes = Vec::new();
        match proposer.proposed() {
            Some(holder) if proposer.is_done() && *holder == claimer => {
                outcomes.push(Claimer::Granted);
            }
            Some(holder) if proposer.is_done() => outcomes.push(Claimer::HeldBy(*holder)),
            _ => {}
        }
        // Who finds a holder has that accepted again: a minority may have accepted it, and then it is not settled yet.
        if let Some(current) = proposer.current() {
            let holder = current.copied().unwrap_or(claimer);
            let mut proposer = proposer.clone();
            assert!(proposer.propose(holder));
            outcomes.push(Claimer::Trying {
                attempt: *attempt,
                proposer,
                asked: 0,
                refused: *refused,
            });
        }
        if let Some(other) = refused {
            outcomes.push(match attempt {
                last if *last == ATTEMPTS[claimer] => Claimer::GaveUp,
                attempt => trying(claimer, attempt + 1, Some(proposer.ballot().beyond(*other))),
            });
        }
        let each = outcomes.into_iter().map(|outcome| {
            let mut world = self.clone();
            world.claimers[claimer] = outcome;
            world
        });
        each.collect()
    }

    /// Claims are linearizable: there is one that came first, and all that were answered agree on it.
    fn is_linearizable(&self) -> bool {
        let first = |(claimer, outcome): (usize, &Claimer)| match outcome {
            Claimer::Granted => Some(claimer),
            Claimer::HeldBy(holder) => Some(*holder),
            Claimer::Trying { .. } | Claimer::GaveUp => None,
        };
        let mut firsts = self.claimers.iter().enumerate().filter_map(first);
        match firsts.next() {
            Some(one) => firsts.all(|other| other == one),
            None => true,
        }
    }
}

/// 128 bits that stand for a world (FNV-1a): a million worlds collide with a chance of 10⁻²⁶.
struct Fingerprint(u128);

impl Hasher for Fingerprint {
    fn finish(&self) -> u64 {
        self.0 as u64
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u128::from(*byte))
                .wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
    }
}

fn fingerprint(world: &World) -> u128 {
    let mut hasher = Fingerprint(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
    world.hash(&mut hasher);
    hasher.0
}

fn trying(claimer: usize, attempt: u8, ballot: Option<Ballot>) -> Claimer {
    let ballot = ballot.unwrap_or(Ballot {
        number: 1,
        proposer: node(10 + claimer),
        epoch: EPOCH,
    });
    Claimer::Trying {
        attempt,
        proposer: Proposer::new(ballot, (0..ACCEPTORS).map(node)),
        asked: 0,
        refused: None,
    }
}

/// Walks through every world that can be; gives how many, how many ended in a grant, and the first that is wrong.
fn walk(loss: Loss) -> (usize, usize, Option<World>) {
    let mut seen = BTreeSet::from([fingerprint(&World::new())]);
    let mut ahead = vec![World::new()];
    let mut grants = 0;
    while let Some(world) = ahead.pop() {
        if !world.is_linearizable() {
            return (seen.len(), grants, Some(world));
        }
        grants += usize::from(world.claimers.contains(&Claimer::Granted));
        for next in world.next(loss) {
            if seen.insert(fingerprint(&next)) {
                ahead.push(next);
            }
        }
    }
    (seen.len(), grants, None)
}

#[test]
fn in_every_interleaving_with_a_crash_and_a_loss_of_state_claims_are_linearizable() {
    let (worlds, grants, wrong) = walk(Loss::LeavesTheQuorum);
    println!("{worlds} worlds, {grants} with a grant");
    assert!(wrong.is_none());
    assert!(worlds > 10_000 && grants > 1_000, "{worlds}, {grants}");
}

#[test]
fn an_acceptor_that_forgets_its_promises_and_stays_has_two_hold_one_task() {
    let (_, _, wrong) = walk(Loss::ForgetsItsPromises);
    let wrong = wrong.map(|world| {
        let granted = |claimer: &&Claimer| **claimer == Claimer::Granted;
        world.claimers.iter().filter(granted).count()
    });
    assert!(wrong.is_some());
}

#[test]
fn an_acceptor_keeps_its_promise_and_a_lost_one_answers_nothing() {
    let one = Ballot {
        number: 1,
        proposer: node(1),
        epoch: EPOCH,
    };
    let later = one.beyond(Ballot {
        number: 4,
        proposer: node(2),
        epoch: EPOCH,
    });
    assert_eq!(later.number, 5);
    let mut acceptor = Acceptor::default();
    assert_eq!(acceptor.prepare(later), Ok(None));
    assert_eq!(
        acceptor.accept(one, 7),
        Err(Refused::Promised { to: later })
    );
    assert_eq!(acceptor.accept(later, 7), Ok(()));
    let latest = later.beyond(later);
    assert_eq!(acceptor.prepare(latest), Ok(Some((later, 7))));
    let mut lost = Acceptor::<usize>::lost();
    assert_eq!(lost.prepare(latest), Err(Refused::Lost));
    assert_eq!(lost.accept(latest, 7), Err(Refused::Lost));
}

#[test]
fn nothing_is_proposed_before_a_majority_has_promised_and_strangers_do_not_count() {
    let ballot = Ballot {
        number: 1,
        proposer: node(9),
        epoch: EPOCH,
    };
    let mut proposer = Proposer::new(ballot, (0..3).map(node));
    proposer.promised(node(0), None);
    proposer.promised(node(7), None);
    assert!(!proposer.propose(1));
    proposer.promised(node(1), Some((ballot, 5)));
    assert_eq!(proposer.current(), Some(Some(&5)));
    assert!(proposer.propose(5));
    proposer.accepted(node(0));
    assert!(!proposer.is_done());
    proposer.accepted(node(2));
    assert!(proposer.is_done());
}
