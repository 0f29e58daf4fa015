//! The log keeps its word: chains without gaps, nothing acknowledged that is not on disk, no place used twice.

use std::collections::BTreeMap;

use peerage_protocol::id::Hash;
use peerage_protocol::log::Appended;
use peerage_protocol::log::chain_id::{ChainId, Lane};
use peerage_protocol::log::entry::Entry;

use super::{Check, Finding, Observation, View};

/// What was applied where, and what stands at each place of the chains of honest nodes.
#[derive(Default)]
pub(crate) struct Log {
    /// The last entry of each chain that each node has applied since it started.
    applied: BTreeMap<(usize, ChainId), (u64, Hash)>,
    /// What each author itself put at a place.
    sealed: BTreeMap<(ChainId, u64), Hash>,
}

impl Check for Log {
    fn name(&self) -> &'static str {
        "log"
    }

    fn observe(&mut self, seen: &Observation<'_>, view: &View<'_>) -> Result<(), Finding> {
        match seen {
            Observation::Booted { node } | Observation::Left { node } => {
                self.applied.retain(|(at, _), _| at != node);
                Ok(())
            }
            Observation::Applied { node, entry } => self.applied(*node, entry, view),
            Observation::Appended { node, appended } => on_disk(*node, appended, view),
            _ => Ok(()),
        }
    }
}

impl Log {
    fn applied(&mut self, node: usize, entry: &Entry, view: &View<'_>) -> Result<(), Finding> {
        let (chain, sequence) = (entry.chain(), entry.sequence());
        let finding = |what: String| Err(Finding { node, what });
        let kept = view.machines[node].disk.entry(chain, sequence);
        if kept.is_none_or(|kept| kept.hash() != entry.hash()) {
            return finding(format!(
                "it applied {chain} no. {sequence}, which is not on its disk"
            ));
        }
        if chain.author == view.machines[node].id {
            let before = self.sealed.insert((chain, sequence), entry.hash());
            if before.is_some_and(|before| before != entry.hash()) {
                return finding(format!("it used {chain} no. {sequence} twice"));
            }
        }
        let before = self.applied.insert((node, chain), (sequence, entry.hash()));
        let me = view.machines[node].id;
        let to_other = matches!(chain.lane, Lane::Direct(to) if to != me);
        let is_mailbox = to_other && chain.author != me;
        match before {
            // What its recipient has of a direct chain is let go: mailboxes may begin after that, everybody where the
            // author says so.
            _ if is_mailbox || entry.header().live_from == sequence => Ok(()),
            Some((last, hash)) if sequence != last + 1 || entry.header().previous != hash => {
                finding(format!(
                    "it applied {chain} no. {sequence} after no. {last}"
                ))
            }
            _ => Ok(()),
        }
    }
}

fn on_disk(node: usize, appended: &Appended, view: &View<'_>) -> Result<(), Finding> {
    let Appended {
        chain, sequence, ..
    } = *appended;
    match view.machines[node].disk.entry(chain, sequence) {
        Some(_) => Ok(()),
        None => {
            let what = format!("it acknowledged {chain} no. {sequence}, which is not on its disk");
            Err(Finding { node, what })
        }
    }
}
