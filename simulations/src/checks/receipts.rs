//! Receipts keep their word: nobody says that it has a direct entry which it has not, and no author lets one go that its
//! recipient never had.

use std::collections::BTreeMap;

use peerage_protocol::id::NodeId;
use peerage_protocol::log::chain_id::{ChainId, Lane};
use peerage_protocol::log::entry::Entry;
use peerage_protocol::messaging::DirectItem;
use peerage_protocol::messaging::receipt::Received;

use super::{Check, Finding, Observation, View};

/// How far each node has, or had, the chains of direct lanes on its disk.
#[derive(Default)]
pub(crate) struct Receipts {
    has: BTreeMap<(usize, ChainId), u64>,
}

impl Check for Receipts {
    fn name(&self) -> &'static str {
        "receipts"
    }

    fn observe(&mut self, seen: &Observation<'_>, view: &View<'_>) -> Result<(), Finding> {
        match seen {
            Observation::Booted { node } => {
                self.found_on_disk(*node, view);
                Ok(())
            }
            Observation::Applied { node, entry } => self.applied(*node, entry, view),
            _ => Ok(()),
        }
    }
}

impl Receipts {
    /// A node that was killed between a write and what follows has what was written, though it never acted on it. It
    /// is noted when the node starts, as an old backup may take it away again, and not what it signed about it.
    fn found_on_disk(&mut self, node: usize, view: &View<'_>) {
        let disk = &view.machines[node].disk;
        let direct = disk.chains().filter(|chain| !chain.id.lane.is_public());
        for chain in direct.filter(|chain| disk.entry(chain.id, chain.head).is_some()) {
            let has = self.has.entry((node, chain.id)).or_default();
            *has = chain.head.max(*has);
        }
    }

    fn applied(&mut self, node: usize, entry: &Entry, view: &View<'_>) -> Result<(), Finding> {
        let chain = entry.chain();
        let me = view.machines[node].id;
        let Lane::Direct(recipient) = chain.lane else {
            return Ok(());
        };
        let has = self.has.entry((node, chain)).or_default();
        *has = entry.sequence().max(*has);
        if chain.author != me {
            return Ok(());
        }
        self.lets_go(node, recipient, entry, view)?;
        let items = entry.items();
        let read = items
            .iter()
            .filter_map(|item| DirectItem::decode(item).ok());
        let said = read.flat_map(|item| match item {
            DirectItem::Receipt(receipt) => receipt.received,
            DirectItem::Sealed(_) => Vec::new(),
        });
        for Received {
            author,
            epoch,
            sequence,
        } in said
        {
            let lane = Lane::Direct(me);
            let named = ChainId {
                author,
                epoch,
                lane,
            };
            let has = self.has.get(&(node, named)).copied().unwrap_or_default();
            if has < sequence {
                let what =
                    format!("it says that it has {named} up to no. {sequence}, and has no. {has}");
                return Err(Finding { node, what });
            }
        }
        Ok(())
    }

    /// What an author stands by no more, its recipient must have had.
    fn lets_go(
        &self,
        node: usize,
        recipient: NodeId,
        entry: &Entry,
        view: &View<'_>,
    ) -> Result<(), Finding> {
        let (chain, gone) = (entry.chain(), entry.header().live_from - 1);
        let place = (view.place)(recipient).filter(|place| *place != node);
        let had = place.and_then(|place| self.has.get(&(place, chain)));
        let had = had.copied().unwrap_or_default();
        match place.is_some() && had < gone {
            true => {
                let what = format!(
                    "it lets {chain} go up to no. {gone}, of which its recipient had no. {had}"
                );
                Err(Finding { node, what })
            }
            false => Ok(()),
        }
    }
}
