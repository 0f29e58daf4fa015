//! Nobody keeps a link to a member whose certificate has expired.
//!
//! At some of a node's steps one of its links is looked at, in turn.

use std::time::Duration;

use super::{Check, Finding, Observation, View};

/// A link may outlive a certificate by this: who writes looks at its deadlines late.
const CUT_WITHIN: Duration = Duration::from_secs(5);

/// One step in so many is looked at: an expired link is there for long, and looking costs.
const LOOK_EVERY: usize = 8;

/// Whose turn it is.
#[derive(Default)]
pub(super) struct Expiry {
    steps: usize,
}

impl Check for Expiry {
    fn name(&self) -> &'static str {
        "expiry"
    }

    fn observe(&mut self, seen: &Observation<'_>, view: &View<'_>) -> Result<(), Finding> {
        let Observation::Stepped { node, .. } = seen else {
            return Ok(());
        };
        self.steps = self.steps.wrapping_add(1);
        let machine = &view.machines[*node];
        let looked_at = self.steps.is_multiple_of(LOOK_EVERY);
        let Some(process) = machine.process.as_ref().filter(|_| looked_at) else {
            return Ok(());
        };
        let mut peers = process.peers.keys();
        let turn = self.steps / LOOK_EVERY;
        let peer = peers.nth(turn % process.peers.len().max(1));
        let roster = process.state.roster();
        let (Some(peer), Some(roster)) = (peer, roster) else {
            return Ok(());
        };
        let wall = machine.wall(view.now_us);
        let chain = roster.member(view.machines[*peer].id);
        let over = chain.map(|chain| wall.since(chain.end()));
        let late = over.filter(|over| *over > CUT_WITHIN);
        late.map_or(Ok(()), |over| {
            let (here, there) = (view.called(*node), view.called(*peer));
            let seconds = over.as_secs();
            let what =
                format!("{here} has a link to {there}, whose certificate expired {seconds} s ago");
            Err(Finding { node: *node, what })
        })
    }
}
