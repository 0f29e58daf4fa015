//! What arbiters and holders have said of one task: of each the latest, whatever the order in which it was heard.

use serde::{Deserialize, Serialize};

use super::identifiers::{ClaimId, Fence, Holder};
use crate::id::Hash;

/// Results that one holder may have told under one fence; one is enough but where it crashed in between.
const RESULTS_MAX: usize = 4;

/// A lease that was granted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Grant {
    /// Under which fence.
    pub fence: Fence,
    /// For which attempt.
    pub claim: ClaimId,
    /// To whom.
    pub holder: Holder,
}

/// A completion that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// Under which fence.
    pub fence: Fence,
    /// By whom.
    pub holder: Holder,
    /// The hash of what came of it.
    pub result: Hash,
}

/// What one node said as arbiter of one round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ArbiterWord {
    /// The latest.
    pub(super) grant: Option<Grant>,
    /// The latest fence that was extended, and the last sign for which it was.
    pub(super) extended: Option<(Fence, u64)>,
    /// The first: there is one only, but where the arbiter forgot it.
    pub(super) completion: Option<Completion>,
}

impl ArbiterWord {
    pub(super) fn granted(&mut self, grant: Grant) {
        // An arbiter that says one fence twice is broken; all nodes still take the same of the two.
        let order = |grant: &Grant| (grant.fence, grant.claim);
        if self.grant.as_ref().map(order) < Some(order(&grant)) {
            self.grant = Some(grant);
        }
    }

    pub(super) fn extended(&mut self, fence: Fence, step: u64) {
        self.extended = self.extended.max(Some((fence, step)));
    }

    pub(super) fn completed(&mut self, completion: Completion) {
        let order = |one: &Completion| (one.fence, *one.result.as_bytes());
        match &self.completion {
            Some(known) if order(known) <= order(&completion) => {}
            _ => self.completion = Some(completion),
        }
    }
}

/// What one node said under the latest fence that it spoke of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HolderWord {
    pub(super) fence: Fence,
    /// The last sign of the agent.
    pub(super) step: u64,
    /// How much is done, and in which sign that was said.
    pub(super) percent: Option<(u64, u8)>,
    /// What is done, and in which sign that was said.
    pub(super) note: Option<(u64, String)>,
    pub(super) released: bool,
    /// By hash.
    pub(super) results: Vec<(Hash, String)>,
}

impl HolderWord {
    pub(super) fn under(fence: Fence) -> Self {
        Self {
            fence,
            step: 0,
            percent: None,
            note: None,
            released: false,
            results: Vec::new(),
        }
    }

    pub(super) fn working(&mut self, step: u64, percent: Option<u8>, note: Option<String>) {
        self.step = self.step.max(step);
        if let Some(percent) = percent {
            self.percent = self.percent.max(Some((step, percent)));
        }
        if let Some(note) = note {
            self.note = self.note.take().max(Some((step, note)));
        }
    }

    pub(super) fn finished(&mut self, result: String) {
        let hash = Hash::of(result.as_bytes());
        match self
            .results
            .binary_search_by_key(&hash.as_bytes(), |(known, _)| known.as_bytes())
        {
            Ok(_) => {}
            Err(place) => self.results.insert(place, (hash, result)),
        }
        self.results.truncate(RESULTS_MAX);
    }
}
