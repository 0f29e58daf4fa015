//! Receipts keep their word: nobody says that it has a direct entry which it has not, or the others drop what is lost.

use std::collections::BTreeMap;

use peerage_protocol::log::chain_id::{ChainId, Lane};
use peerage_protocol::log::entry::Entry;
use peerage_protocol::messaging::DirectItem;
use peerage_protocol::messaging::receipt::Received;

use super::{Check, Finding, Observation, View};

/// How far each node has the chains of direct lanes on its disk.
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
            Observation::Left { node } => {
                self.has.retain(|(at, _), _| at != node);
                Ok(())
            }
            Observation::Applied { node, entry } => self.applied(*node, entry, view),
            _ => Ok(()),
        }
    }
}

impl Receipts {
    fn applied(&mut self, node: usize, entry: &Entry, view: &View<'_>) -> Result<(), Finding> {
        let chain = entry.chain();
        let me = view.machines[node].id;
        if let Lane::Direct(_) = chain.lane {
            self.has.insert((node, chain), entry.sequence());
        }
        if chain.author != me || chain.lane.is_public() {
            return Ok(());
        }
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
}
