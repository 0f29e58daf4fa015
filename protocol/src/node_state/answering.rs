//! What a node answers whoever asks with a summary: what differs, in parts.
//!
//! Each node begins at its own place in the order of ids. So a newcomer, who turns to another for each part, is told
//! something else by each, and nobody bears it all; and since those nearest to it come first, it knows at once whom to
//! be linked to.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::NodeState;
use super::presence::accusations_bytes;
use crate::id::NodeId;
use crate::membership::admission::Refusal;
use crate::membership::member::Member;
use crate::mutation::Mutation;
use crate::presence::{distance_from, origin};
use crate::time::Now;
use crate::topology::NEIGHBOURS;
use crate::wire::announcement::{ANNOUNCEMENT_BYTES_MAX, Announcement};
use crate::wire::summary::Summary;

/// An answer with so many bytes of members is a part: there may be one more member, and the rest is asked for.
const PART_BYTES: usize = 48 * 1024;
/// Whoever needs no more buckets than this for its summary knows hardly anybody.
const NEWCOMER_BUCKETS: usize = 4;
/// So many of those nearest to a newcomer come first: its neighbours, and those in their place.
const NEAREST_FIRST: usize = 2 * NEIGHBOURS;

impl NodeState {
    /// What this node knows wherever `theirs` differs.
    pub(super) fn differences(
        &mut self,
        now: Now,
        from: NodeId,
        theirs: &Summary,
    ) -> Result<Arc<Announcement>, Refusal> {
        let roster = self.roster.as_ref().ok_or(Refusal::NoMesh)?;
        roster.member(from).ok_or(Refusal::OtherMesh)?;
        let ours = self.digests.folded(theirs.len());
        let ours = match Mutation::KeepRevocationsSecret.is_on() {
            true => ours,
            false => ours.with_revocations(roster.revocations().digests()),
        };
        if ours == *theirs {
            return Ok(Arc::default());
        }
        let own = self.own.member();
        let me = self.me.leading_u64();
        let nearest = self.nearest_to_newcomer(from, theirs);
        let is_first = |member: &Arc<Member>| nearest.iter().any(|near| Arc::ptr_eq(near, member));
        let others = roster.all_known_from(me);
        let others = others.filter(|(beginning, _)| ours.differs_at_beginning(theirs, *beginning));
        let others = others.map(|(_, member)| member);
        let others = others.filter(|member| !is_first(member));
        // Its own word first: it is what somebody new here can do most with.
        let own = own.filter(|_| ours.differs_at_beginning(theirs, me));
        let told = own.into_iter().chain(&nearest).chain(others);
        let told = told.filter(|member| member.record().is_some());
        let (mut bytes, mut cut) = (0, false);
        let told = told.take_while(|member| {
            cut = bytes >= PART_BYTES;
            bytes += member.encoded_bytes();
            !cut
        });
        let revoked = roster.revocations().unknown_to(theirs.revocations());
        let revoked = revoked.filter(|_| !Mutation::KeepRevocationsSecret.is_on());
        let accusations = self.accusations_for(&ours, theirs);
        let room = ANNOUNCEMENT_BYTES_MAX - accusations_bytes(accusations.len());
        let mut answer = Announcement::telling(revoked, told.cloned(), room);
        answer.more |= cut;
        answer.accusations = accusations;
        self.reconciliation.ask(now.monotonic, from);
        Ok(Arc::new(answer))
    }

    /// Those whom somebody that knows hardly anybody is to be linked to, as far as they are here.
    fn nearest_to_newcomer(&self, newcomer: NodeId, summary: &Summary) -> Vec<Arc<Member>> {
        let Some(roster) = self.roster.as_ref() else {
            return Vec::new();
        };
        if summary.len() > NEWCOMER_BUCKETS {
            return Vec::new();
        }
        let (origin, region) = (origin(newcomer), self.region_of(newcomer));
        let mut nearest = BTreeMap::new();
        for (beginning, member) in roster.all_known_by_beginning() {
            let outside = self.topology.has_regions() && member.region() != region;
            let distance = (outside, distance_from(origin, beginning));
            let full = nearest.len() >= NEAREST_FIRST;
            let far = |(last, _): (&(bool, u64), _)| *last < distance;
            if full && nearest.last_key_value().is_some_and(far) {
                continue;
            }
            let node = member.node();
            if node != newcomer && !member.has_left() && !self.presence.is_away(node) {
                nearest.insert(distance, member);
            }
            if nearest.len() > NEAREST_FIRST {
                nearest.pop_last();
            }
        }
        nearest.into_values().cloned().collect()
    }
}
