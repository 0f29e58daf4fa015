//! Who holds a direct lane: its author, its recipient, and the recipient's mailboxes.

use crate::id::NodeId;
use crate::log::chain_id::{ChainId, Lane};
use crate::membership::roster::Roster;
use crate::mutation::Mutation;
use crate::presence::distance;

/// Members that keep what is sent to a member while it is away.
pub const MAILBOXES: usize = 3;

/// The mailboxes of `recipient`: the members nearest to it by hash, the same everywhere where the roster is.
pub fn mailboxes(roster: &Roster, recipient: NodeId) -> Vec<NodeId> {
    let own = roster.own.body();
    let others = roster
        .members()
        .map(|(node, chain)| (node, chain.body().role));
    let all = others.chain([(own.subject, own.role)]);
    let candidates = all.filter(|(node, role)| role.offers() && *node != recipient);
    let mut nearest: Vec<(u64, NodeId)> = candidates
        .map(|(node, _)| (distance(recipient, node), node))
        .collect();
    nearest.sort_unstable();
    nearest.truncate(MAILBOXES);
    nearest.into_iter().map(|(_, node)| node).collect()
}

/// Whether `node` may hold the entries of a chain.
pub fn may_hold(roster: &Roster, node: NodeId, chain: ChainId) -> bool {
    match chain.lane {
        Lane::Public(_) => true,
        Lane::Direct(recipient) => {
            Mutation::HoldAnybodysDirect.is_on()
                || node == chain.author
                || node == recipient
                || mailboxes(roster, recipient).contains(&node)
        }
    }
}
