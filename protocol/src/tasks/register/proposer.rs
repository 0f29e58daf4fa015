//! One attempt to change a register.

use std::collections::{BTreeMap, BTreeSet};

use super::Ballot;
use crate::id::NodeId;

/// How far an attempt is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Phase<V> {
    /// Promises come in.
    Preparing {
        promises: BTreeMap<NodeId, Option<(Ballot, V)>>,
    },
    /// Acceptances come in.
    Accepting {
        value: V,
        accepted: BTreeSet<NodeId>,
    },
}

/// An attempt under one ballot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Proposer<V> {
    ballot: Ballot,
    acceptors: BTreeSet<NodeId>,
    phase: Phase<V>,
}

impl<V: Clone> Proposer<V> {
    /// An attempt with these acceptors: all of the register, lost ones too, for a majority is one of them all.
    pub fn new(ballot: Ballot, acceptors: impl IntoIterator<Item = NodeId>) -> Self {
        Self {
            ballot,
            acceptors: acceptors.into_iter().collect(),
            phase: Phase::Preparing {
                promises: BTreeMap::new(),
            },
        }
    }

    /// Its ballot.
    pub fn ballot(&self) -> Ballot {
        self.ballot
    }

    /// How many answers are needed.
    pub fn majority(&self) -> usize {
        super::majority(self.acceptors.len())
    }

    /// An acceptor has promised the ballot, and told what it accepted last.
    pub fn promised(&mut self, by: NodeId, last: Option<(Ballot, V)>) {
        if let Phase::Preparing { promises } = &mut self.phase
            && self.acceptors.contains(&by)
        {
            promises.insert(by, last);
        }
    }

    /// Once a majority has promised: the value as it stands, `None` inside where there has been none.
    pub fn current(&self) -> Option<Option<&V>> {
        let Phase::Preparing { promises } = &self.phase else {
            return None;
        };
        if promises.len() < self.majority() {
            return None;
        }
        let told = promises.values().flatten();
        let latest = told.max_by_key(|(ballot, _)| *ballot);
        Some(latest.map(|(_, value)| value))
    }

    /// Asks for the value to be accepted, once [`Proposer::current`] has said what it follows on. Says whether it is.
    pub fn propose(&mut self, value: V) -> bool {
        let may = self.current().is_some();
        if may {
            self.phase = Phase::Accepting {
                value,
                accepted: BTreeSet::new(),
            };
        }
        may
    }

    /// What is to be accepted.
    pub fn proposed(&self) -> Option<&V> {
        match &self.phase {
            Phase::Accepting { value, .. } => Some(value),
            Phase::Preparing { .. } => None,
        }
    }

    /// An acceptor has accepted the value.
    pub fn accepted(&mut self, by: NodeId) {
        if let Phase::Accepting { accepted, .. } = &mut self.phase
            && self.acceptors.contains(&by)
        {
            accepted.insert(by);
        }
    }

    /// Whether an acceptor has answered what is asked of it now.
    pub fn has_answered(&self, acceptor: NodeId) -> bool {
        match &self.phase {
            Phase::Preparing { promises } => promises.contains_key(&acceptor),
            Phase::Accepting { accepted, .. } => accepted.contains(&acceptor),
        }
    }

    /// Whether the change stands: a majority has accepted it.
    pub fn is_done(&self) -> bool {
        match &self.phase {
            Phase::Accepting { accepted, .. } => accepted.len() >= self.majority(),
            Phase::Preparing { .. } => false,
        }
    }
}
