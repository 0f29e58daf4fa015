//! No sender fills another's place in an inbox: what waits unread of one node keeps its share, but for what was on its
//! way when that was full.

use peerage_protocol::wire::log::ENTRIES_TOLD_BYTES;

use super::{Check, Finding, Observation, View};
use crate::world::letters::{SHARES, is_for};

/// What is on its way when a share is found to be full: two pushes and an answer, each with an entry that is longer.
const ON_ITS_WAY_BYTES: u64 = 4 * ENTRIES_TOLD_BYTES as u64;

pub(super) struct UnreadShares;

impl Check for UnreadShares {
    fn name(&self) -> &'static str {
        "shares"
    }

    fn observe(&mut self, seen: &Observation<'_>, view: &View<'_>) -> Result<(), Finding> {
        let Observation::Applied { node, entry } = seen else {
            return Ok(());
        };
        let machine = &view.machines[*node];
        if !is_for(machine.id, entry) {
            return Ok(());
        }
        let author = entry.chain().author;
        let unread = machine.disk.inboxes.unread().get(&author).copied();
        let unread = unread.unwrap_or_default();
        match unread <= SHARES.most + ON_ITS_WAY_BYTES {
            true => Ok(()),
            false => Err(Finding {
                node: *node,
                what: format!(
                    "{unread} bytes of {} wait unread at {}, of which {} may",
                    view.called_by_id(author),
                    view.called(*node),
                    SHARES.most
                ),
            }),
        }
    }
}
