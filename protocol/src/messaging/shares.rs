//! What each sender may have unread at a node, so that nobody's messages crowd out another's.
//!
//! A message counts with its text and [`MESSAGE_AROUND_BYTES`]. Whose unread messages fill its share is *held*: its
//! direct entries are taken no further until half of them are read or forgotten. They stay in its own lane meanwhile,
//! which refuses by name once it is full.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::NodeId;

/// Bytes that a message counts beside its text.
pub const MESSAGE_AROUND_BYTES: u64 = 512;

/// How much may wait unread at one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Bytes that all senders' nodes divide among themselves.
    pub all: u64,
    /// The largest share.
    pub most: u64,
    /// The smallest: a node is given as much however many there are.
    pub least: u64,
}

impl Shares {
    /// 16 MiB for each sending node; fewer once more than 16 of them have unread messages here, and never less than 64 KiB.
    pub const DEFAULT: Self = Self {
        all: 256 * 1024 * 1024,
        most: 16 * 1024 * 1024,
        least: 64 * 1024,
    };

    /// The share of each of so many senders, in bytes.
    pub fn share(&self, senders: usize) -> u64 {
        let senders = u64::try_from(senders).unwrap_or(u64::MAX).max(1);
        (self.all / senders).clamp(self.least, self.most)
    }

    /// Whom to hold where each has so many bytes unread, and `before` were held until now.
    pub fn held(
        &self,
        unread: &BTreeMap<NodeId, u64>,
        before: &BTreeSet<NodeId>,
    ) -> BTreeSet<NodeId> {
        let share = self.share(unread.len());
        let limit = |sender| match before.contains(sender) {
            true => share / 2,
            false => share,
        };
        let full = unread
            .iter()
            .filter(|(sender, bytes)| **bytes >= limit(sender));
        full.map(|(sender, _)| *sender).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARES: Shares = Shares {
        all: 1_000,
        most: 200,
        least: 20,
    };

    fn sender(number: u8) -> NodeId {
        NodeId::from_public_key([number; 32])
    }

    fn held(unread: &[(u8, u64)], before: &[u8]) -> Vec<NodeId> {
        let unread = unread
            .iter()
            .map(|(number, bytes)| (sender(*number), *bytes));
        let before = before.iter().map(|number| sender(*number)).collect();
        SHARES
            .held(&unread.collect(), &before)
            .into_iter()
            .collect()
    }

    #[test]
    fn whoever_fills_its_share_is_held_and_nobody_else() {
        assert_eq!(held(&[(1, 200), (2, 199)], &[]), [sender(1)]);
    }

    #[test]
    fn who_was_held_goes_on_once_half_is_read() {
        assert_eq!(held(&[(1, 100), (2, 150)], &[1]), [sender(1)]);
        assert_eq!(held(&[(1, 99), (2, 150)], &[1]), []);
        assert_eq!(held(&[], &[1]), [], "nothing of it is left");
    }

    #[test]
    fn many_senders_have_smaller_shares_and_each_has_some() {
        let ten: Vec<(u8, u64)> = (1..=10)
            .map(|number| (number, 99 + u64::from(number == 3)))
            .collect();
        assert_eq!(held(&ten, &[]), [sender(3)]);
        assert_eq!(SHARES.share(10_000), 20);
    }
}
