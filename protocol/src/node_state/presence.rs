//! Who is here: watching, accusing, refuting, and telling of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::NodeState;
use super::input::RequestId;
use super::output::{Output, Reply};
use crate::id::NodeId;
use crate::limits::{ACCUSATION_BYTES_MAX, ACCUSATIONS_TOLD_MAX};
use crate::membership::member::Member;
use crate::mutation::Mutation;
use crate::presence::accusation::Accusation;
use crate::presence::nearest::Nearest;
use crate::presence::own_stall::OwnStall;
use crate::presence::suspicion::Suspicion;
use crate::presence::table::Table;
use crate::presence::watch::Watch;
use crate::presence::{ACCUSERS_NEEDED, WATCHERS, distance_from, origin};
use crate::time::{Monotonic, Now, Timestamp};
use crate::topology::NEIGHBOURS;
use crate::wire::announcement::Announcement;
use crate::wire::summary::Summary;

/// How long accusations gather, so that many are told in one message.
const GATHER_FOR: Duration = Duration::from_millis(100);
/// How long a watcher tries to link to a member that it watches, wanted otherwise or not.
const TRIED_FOR: Duration = Duration::from_secs(10);
/// Members that may be missing between two rosters: an accuser may be so many places farther than a watcher.
const PLACES_FORGIVEN: usize = 2;

/// So many of those nearest to a member look again when others watch it; with more links end, and mostly in good order.
const PLACES_IN_TURN: usize = 2 * NEIGHBOURS;

/// Members that do not answer any more, and since when by this node's clock.
pub type Away = BTreeMap<NodeId, Timestamp>;

/// What this node knows and does of presence.
#[derive(Default)]
pub(super) struct Presence {
    table: Table,
    watch: Watch,
    suspicion: Suspicion,
    own_stall: OwnStall,
    nearest: Nearest,
    untold: Vec<Arc<Accusation>>,
    tell_at: Option<Monotonic>,
    away: Arc<Away>,
    changed: bool,
}

impl Presence {
    pub(super) fn next_deadline(&self) -> Option<Monotonic> {
        [
            self.watch.next_deadline(),
            self.suspicion.next_deadline(),
            self.own_stall.next_deadline(),
            self.tell_at,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Who is a member has changed.
    pub(super) fn members_changed(&mut self) {
        self.nearest.forget();
    }

    /// Whether a member does not answer any more, as far as is known.
    pub(super) fn is_away(&self, node: NodeId) -> bool {
        self.away.contains_key(&node)
    }

    /// Somebody left, or does not answer: whoever is next takes its places.
    pub(super) fn others_gone(&mut self, now: Now) {
        self.watch.others_gone(now.monotonic);
    }

    fn tell(&mut self, now: Now, accusation: Arc<Accusation>) {
        self.untold.push(accusation);
        self.tell_at.get_or_insert(now.monotonic + GATHER_FOR);
    }
}

impl NodeState {
    /// Who does not answer any more.
    pub fn away(&self) -> &Arc<Away> {
        &self.presence.away
    }

    pub(super) fn watch_link_up(&mut self, node: NodeId) {
        self.presence.watch.heard(node);
    }

    pub(super) fn watch_lost_link(&mut self, now: Now, node: NodeId) {
        if let Some(incarnation) = self.incarnation(node)
            && !self.presence.is_away(node)
        {
            self.presence.watch.lost(now.monotonic, node, incarnation);
            if self.is_watcher(node, self.me, WATCHERS) {
                self.links.keep(now.monotonic, node, TRIED_FOR);
            }
        }
    }

    /// A member that this node watches cannot be reached: where it has just started, no link of its own has ended.
    pub(super) fn watch_failed_dial(&mut self, now: Now, node: NodeId) {
        if let Some(incarnation) = self.incarnation(node)
            && !self.presence.is_away(node)
            && self.is_watcher(node, self.me, WATCHERS)
        {
            self.presence.watch.missed(now.monotonic, node, incarnation);
        }
    }

    /// Whether `node` chooses this node as a neighbour, one that watches it or may have to.
    pub(super) fn is_chosen_by(&mut self, node: NodeId) -> bool {
        let inside = self.region_of(node) == self.topology.region();
        self.is_watcher(node, self.me, if inside { NEIGHBOURS } else { WATCHERS })
    }

    fn incarnation(&self, node: NodeId) -> Option<u64> {
        let known = self.roster.as_ref()?.known(node)?;
        let record = known.record().filter(|record| !record.leaving)?;
        Some(record.sequence)
    }

    /// Whether `watcher` is among the `places` members nearest to `watched`, of those who are here.
    pub(super) fn is_watcher(&mut self, watched: NodeId, watcher: NodeId, places: usize) -> bool {
        let Some(roster) = &self.roster else {
            return false;
        };
        let (here, has_regions) = (self.topology.region(), self.topology.has_regions());
        let region_of = |node: NodeId| match node == self.me {
            true => here,
            false => roster.known(node).and_then(|member| member.region()),
        };
        let (origin, region) = (origin(watched), region_of(watched));
        let distance = |beginning: u64, member: Option<&Arc<Member>>| {
            let outside = || member.map_or(here, |member| member.region()) != region;
            (has_regions && outside(), distance_from(origin, beginning))
        };
        let own = (
            has_regions && region_of(watcher) != region,
            distance_from(origin, watcher.leading_u64()),
        );
        let me = (self.me.leading_u64(), None);
        let all = || {
            let others = roster.all_known_by_beginning();
            let others = others.map(|(beginning, member)| (beginning, Some(member)));
            let all = others.chain([me]);
            all.map(|(beginning, member)| (distance(beginning, member), member))
        };
        let node = |other: Option<&Arc<Member>>| match other {
            Some(member) => (!member.has_left()).then(|| member.node()),
            None => Some(self.me),
        };
        let Presence { nearest, away, .. } = &mut self.presence;
        let is_here = |node: NodeId| !away.contains_key(&node);
        nearest.is_among((watched, own), places, all, node, is_here)
    }

    /// Accuses those whose links did not come back, and tells of all that is to be told.
    pub(super) fn accuse_when_due(&mut self, now: Now) {
        if self.presence.own_stall.look(now.monotonic) {
            self.presence.watch.own_stall(now.monotonic);
            self.presence.suspicion.own_stall(now.monotonic);
        }
        let links = || self.links.standing().count();
        for (node, incarnation, stands_in) in self.presence.watch.due(now.monotonic, links) {
            let places = match stands_in {
                true => WATCHERS + PLACES_FORGIVEN,
                false => WATCHERS,
            };
            let fresher = self.incarnation(node) != Some(incarnation);
            // Where enough have said it, one more tells nobody anything.
            let said = self.presence.suspicion.holds(node);
            if fresher || said || self.presence.is_away(node) || self.links.is_up(node) {
                self.presence.watch.heard(node);
            } else if self.is_watcher(node, self.me, places) {
                self.presence.watch.heard(node);
                self.accuse(now, node, incarnation);
            } else if self.is_watcher(node, self.me, PLACES_IN_TURN) {
                self.presence.watch.look_again(now.monotonic, node);
            } else {
                self.presence.watch.heard(node);
            }
        }
        for node in self.presence.suspicion.due(now.monotonic) {
            self.reconsider(now, node);
        }
        if self.presence.tell_at.is_some_and(|at| at <= now.monotonic) {
            self.presence.tell_at = None;
            let untold = std::mem::take(&mut self.presence.untold);
            for some in untold.chunks(ACCUSATIONS_TOLD_MAX / 4) {
                self.publish(Announcement::accusing(some));
            }
        }
        if std::mem::take(&mut self.presence.changed) {
            let away = self.presence.away.clone();
            self.outputs.push_back(Output::PublishPresence(away));
        }
    }

    fn look_around(&mut self, now: Now) {
        let members = self.roster.as_ref().map_or(0, |roster| roster.len());
        // Whoever is away is accused.
        let accused = self.presence.table.len();
        let open = accused.saturating_sub(self.presence.away.len());
        let suspicion = &mut self.presence.suspicion;
        suspicion.look_around(now.monotonic, open, members);
    }

    fn accuse(&mut self, now: Now, node: NodeId, incarnation: u64) {
        let Some(roster) = self.roster.as_ref() else {
            return;
        };
        if Mutation::AccuseNobody.is_on() {
            return;
        }
        let signer = &*self.keys.node;
        let accusation = Arc::new(Accusation::sign(signer, roster.mesh, node, incarnation));
        if self.keep_accusation(now, accusation.clone()) {
            self.presence.tell(now, accusation);
        }
    }

    /// This node stops: those who are linked need not find out by themselves.
    pub(super) fn stopping(&mut self, request: RequestId) {
        self.close_log();
        if !self.unsaved.is_empty() {
            self.persist(Vec::new());
        }
        let mesh = self.roster.as_ref().map(|roster| roster.mesh);
        let own = self.own.member().and_then(|own| own.record());
        if let (Some(mesh), Some(incarnation)) = (mesh, own.map(|record| record.sequence)) {
            let signer = &*self.keys.node;
            let last_word = Arc::new(Accusation::sign(signer, mesh, self.me, incarnation));
            let announcement = Arc::new(Announcement::accusing(&[last_word]));
            let to = self.links.standing().collect();
            self.outputs.push_back(Output::Goodbye { to, announcement });
        }
        self.reply(request, Reply::Stopping);
    }

    /// Takes accusations that somebody passed on; says which were news, and whether one proves nothing.
    /// Where they are no news, since when the accused are silent is not known.
    pub(super) fn take_accusations(
        &mut self,
        now: Now,
        told: &[Arc<Accusation>],
        as_news: bool,
    ) -> (Vec<Arc<Accusation>>, bool) {
        let (mut news, mut forged) = (Vec::new(), false);
        for accusation in told {
            if !self.is_worth_checking(accusation) {
                continue;
            }
            let Some(mesh) = self.roster.as_ref().map(|roster| roster.mesh) else {
                break;
            };
            if !accusation.verify(mesh, &*self.keys.verifier) {
                forged = true;
            } else if accusation.accused == self.me {
                self.refute(accusation.incarnation);
            } else {
                let accused = accusation.accused;
                if !as_news && self.presence.table.of(accused).is_empty() {
                    self.presence.suspicion.told_late(accused);
                }
                if self.keep_accusation(now, accusation.clone()) {
                    news.push(accusation.clone());
                }
            }
        }
        (news, forged)
    }

    /// Whether it is about a member as it is known here, not known, and by somebody who is a member or has been one
    /// until it left.
    fn is_worth_checking(&self, accusation: &Accusation) -> bool {
        let Accusation {
            accused,
            accuser,
            incarnation,
            ..
        } = *accusation;
        if accused == self.me {
            // Whoever says so, and whether or not it is a member here: others may believe it.
            let own = self.own.member().and_then(|own| own.record());
            return own.is_some_and(|record| incarnation >= record.sequence);
        }
        let roster = self.roster.as_ref();
        let is_known = roster.is_some_and(|roster| roster.known(accuser).is_some());
        if accuser != self.me && !is_known {
            return false;
        }
        let present = self.incarnation(accused);
        present.is_some_and(|present| incarnation >= present)
            && self.presence.table.is_news(accusation)
    }

    fn keep_accusation(&mut self, now: Now, accusation: Arc<Accusation>) -> bool {
        let accused = accusation.accused;
        let change = self.presence.table.add(accusation);
        for accusation in change.kept.iter().chain(&change.dropped) {
            self.digests.toggle_accusation(accusation);
        }
        if change.kept.is_some() {
            self.look_around(now);
        }
        self.reconsider(now, accused);
        change.kept.is_some()
    }

    /// A fresh record says that this node is here.
    fn refute(&mut self, incarnation: u64) {
        self.own.outdo(incarnation);
    }

    /// A member is none any more: nothing is held against it.
    pub(super) fn clear_accusations(&mut self, now: Now, node: NodeId) {
        self.presence.watch.heard(node);
        let cleared = self.presence.table.clear(node);
        self.cleared(now, node, &cleared);
    }

    /// A record of a member is known: what was said of it before that is not held against it any more.
    pub(super) fn presence_of(&mut self, now: Now, member: &Member) {
        let node = member.node();
        let Some(record) = member.record() else {
            return;
        };
        let cleared = self.presence.table.outdo(node, record.sequence);
        if self.presence.table.of(node).is_empty() {
            self.presence.watch.heard(node);
        }
        self.cleared(now, node, &cleared);
    }

    /// What somebody said who was put out counts no more; all drop it, so that all agree.
    pub(super) fn drop_accusations_by(&mut self, now: Now, accuser: NodeId) {
        for accusation in self.presence.table.drop_by(accuser) {
            let accused = accusation.accused;
            self.cleared(now, accused, &[accusation]);
        }
    }

    /// These are held against `node` no more; where nothing else is, it is here again.
    fn cleared(&mut self, now: Now, node: NodeId, accusations: &[Arc<Accusation>]) {
        for accusation in accusations {
            self.digests.toggle_accusation(accusation);
        }
        if accusations.is_empty() {
            return;
        }
        let suspicion = &mut self.presence.suspicion;
        if accusations.iter().any(|accusation| accusation.is_own()) {
            suspicion.forget(node);
        } else if self.presence.table.of(node).is_empty() {
            suspicion.clear(now.monotonic, node);
        }
        self.reconsider(now, node);
    }

    /// This node has left its mesh.
    pub(super) fn forget_presence(&mut self) {
        let nobody_was_away = self.presence.away.is_empty();
        self.presence = Presence::default();
        if !nobody_was_away {
            let away = self.presence.away.clone();
            self.outputs.push_back(Output::PublishPresence(away));
        }
    }

    /// Whether `node` counts as away may have changed.
    fn reconsider(&mut self, now: Now, node: NodeId) {
        let accusations = self.presence.table.of(node);
        let stopped = accusations.iter().any(|accusation| accusation.is_own());
        if !self.presence.suspicion.holds(node) && self.is_accused_enough(node) {
            self.presence.suspicion.suspect(now.monotonic, node);
        }
        let suspicion = &mut self.presence.suspicion;
        let confirmed = suspicion.is_confirmed(now.monotonic, node);
        let away = stopped || confirmed;
        if away == self.presence.is_away(node) {
            return;
        }
        let map = Arc::make_mut(&mut self.presence.away);
        match away {
            true => map.insert(node, now.wall),
            false => map.remove(&node),
        };
        self.presence.changed = true;
        if away {
            self.presence.others_gone(now);
        }
        self.topology_changed |= self.topology.may_carry(node);
        self.offers.touch_member(node);
    }

    fn is_accused_enough(&mut self, node: NodeId) -> bool {
        let accusations = self.presence.table.of(node);
        let members = self.roster.as_ref().map_or(0, |roster| roster.len());
        let needed = match members > WATCHERS {
            true => ACCUSERS_NEEDED,
            false => 1,
        };
        if accusations.len() < needed {
            return false;
        }
        let places = WATCHERS + PLACES_FORGIVEN;
        let accusers: Vec<NodeId> = accusations.iter().map(|one| one.accuser).collect();
        let by_watchers = accusers
            .into_iter()
            .filter(|accuser| self.is_watcher(node, *accuser, places));
        by_watchers.take(needed).count() >= needed
    }

    /// The accusations of members in those parts of the mesh that `theirs` knows differently.
    pub(super) fn accusations_for(&self, ours: &Summary, theirs: &Summary) -> Vec<Arc<Accusation>> {
        let accusations = self.presence.table.all();
        let differing = accusations.filter(|one| ours.differs_at(theirs, one.accused));
        differing.take(ACCUSATIONS_TOLD_MAX).cloned().collect()
    }

    /// Those that were news over one link are told to everybody.
    pub(super) fn pass_on_accusations(&mut self, now: Now, news: Vec<Arc<Accusation>>) {
        for accusation in news {
            self.presence.tell(now, accusation);
        }
    }
}

/// The bytes that so many accusations take at most.
pub(super) const fn accusations_bytes(count: usize) -> usize {
    count * ACCUSATION_BYTES_MAX + ACCUSATION_BYTES_MAX
}
