//! What this node says of itself: signed anew when it changes, told at once, and not too often. It is kept, so that a
//! node that starts again where it was, with what it had, has nothing new to tell anybody.

use std::sync::Arc;
use std::time::Duration;

use super::NodeState;
use super::output::Output;
use super::record::{Record, Write};
use crate::id::RegionName;
use crate::limits::GOSSIP_BYTES_MAX;
use crate::membership::certificate::{CertificateChain, Validity};
use crate::membership::member::Member;
use crate::membership::peer_record::{PROGRAM_VERSION, PeerRecord};
use crate::membership::present_agent::PresentAgent;
use crate::messaging::sealing::MessageKey;
use crate::mutation::Mutation;
use crate::signature::Signature;
use crate::time::{Monotonic, Now};
use crate::wire::announcement::{Announcement, tellable};

/// Pause between two records that are told; members allow twice as many, for a while: see [`super::hearing`].
const TELL_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// After a start, a record that was kept stands for so long while the node has not learnt where it listens and what it
/// offers.
const KEPT_RECORD_STANDS_FOR: Duration = Duration::from_secs(3);

/// The record as it was last signed, and what is to be done about it.
#[derive(Default)]
pub(super) struct OwnRecord {
    member: Option<Arc<Member>>,
    /// No record signed from here on has this sequence or a lower one.
    sequence: u64,
    /// What it says may have changed.
    stale: bool,
    /// It says the same, and must be said again with a higher sequence.
    outdone: bool,
    /// It was signed, and is not told yet.
    untold: bool,
    /// Not told again before then.
    next: Option<Monotonic>,
    /// The agents that are present at this node.
    agents: Vec<PresentAgent>,
    /// The key to which messages for them are sealed.
    message_key: Option<MessageKey>,
    /// Where this node is.
    region: Option<RegionName>,
    /// The record is of an earlier run, and holds until the node knows better.
    kept: Option<Kept>,
}

/// What is not known yet of a node that has just started.
#[derive(Clone, Copy)]
struct Kept {
    listening: bool,
    offering: bool,
    until: Monotonic,
}

impl OwnRecord {
    /// This node as others are to know it; `None` while it belongs to no mesh.
    pub(super) fn member(&self) -> Option<&Arc<Member>> {
        self.member.as_ref()
    }

    /// Something that it says may have changed.
    pub(super) fn touch(&mut self) {
        self.stale = true;
    }

    /// Where the node listens is known from here on.
    pub(super) fn listens(&mut self) {
        self.stale = true;
        if let Some(kept) = &mut self.kept {
            kept.listening = true;
        }
    }

    /// What the node offers is known from here on.
    pub(super) fn offers(&mut self) {
        if let Some(kept) = &mut self.kept {
            kept.offering = true;
            self.stale = true;
        }
    }

    /// These agents are present from here on.
    pub(super) fn set_agents(&mut self, agents: Vec<PresentAgent>) {
        self.agents = agents;
        self.stale = true;
    }

    /// Messages are sealed to this key from here on.
    pub(super) fn set_message_key(&mut self, key: MessageKey) {
        if self.message_key.replace(key) != Some(key) {
            self.stale = true;
        }
    }

    /// This node is there from here on.
    pub(super) fn set_region(&mut self, region: Option<RegionName>) {
        if self.region != region {
            self.region = region;
            self.stale = true;
        }
    }

    /// Whether the record of an earlier run still stands at `now`.
    fn is_kept(&mut self, now: Monotonic) -> bool {
        self.kept = self
            .kept
            .filter(|kept| !(kept.listening && kept.offering) && now < kept.until);
        self.kept.is_some()
    }

    /// Somebody says that this node does not answer: the next record, told at once, is later than what it names.
    pub(super) fn outdo(&mut self, sequence: u64) {
        if Mutation::NeverRefute.is_on() {
            return;
        }
        self.sequence = self.sequence.max(sequence);
        self.outdone = true;
        self.stale = true;
    }

    /// Nobody heard the last one.
    pub(super) fn publish_failed(&mut self) {
        self.untold = true;
    }

    /// When something is to be signed, or told where somebody is `linked` to hear it.
    pub(super) fn next_deadline(&self, linked: bool) -> Option<Monotonic> {
        let kept = self.kept.map(|kept| kept.until);
        let due = self.stale || self.untold && linked;
        self.next.max(kept).filter(|_| due)
    }
}

impl NodeState {
    /// Signs a fresh record where what it says has changed, and tells it, once [`TELL_AGAIN_AFTER`] has passed.
    pub(super) fn tell_of_self_when_due(&mut self, now: Now) {
        let waits = self.own.next.is_some_and(|next| now.monotonic < next);
        if waits || self.own.is_kept(now.monotonic) || self.roster.is_none() {
            return;
        }
        if std::mem::take(&mut self.own.stale) {
            self.sign_own_record(now);
        }
        if self.own.untold
            && self.links.standing().next().is_some()
            && let Some(own) = self.own.member.clone()
        {
            self.own.untold = false;
            self.own.next = Some(now.monotonic + TELL_AGAIN_AFTER);
            self.publish(Announcement::of([own], GOSSIP_BYTES_MAX));
        }
    }

    fn sign_own_record(&mut self, now: Now) {
        let Some(roster) = &self.roster else {
            return;
        };
        let chain = roster.own.clone();
        let addresses = tellable(self.listening.iter().cloned());
        let manifest = self.offers.manifest().hash;
        let says_the_same = self.own.member.as_ref().is_some_and(|own| {
            let record = own.record();
            let the_same = |r: &PeerRecord| {
                r.addresses == addresses
                    && r.manifest == manifest
                    && r.version.as_deref() == Some(PROGRAM_VERSION)
                    && r.agents == self.own.agents
                    && r.message_key == self.own.message_key
                    && r.region == self.own.region
            };
            *own.chain() == chain && record.is_some_and(the_same)
        });
        if !says_the_same || std::mem::take(&mut self.own.outdone) {
            self.own.sequence = now.wall.0.max(self.own.sequence.saturating_add(1));
            let record = PeerRecord {
                sequence: self.own.sequence,
                addresses,
                manifest,
                leaving: false,
                version: Some(PROGRAM_VERSION.to_owned()),
                agents: self.own.agents.clone(),
                message_key: self.own.message_key,
                region: self.own.region.clone(),
                signature: Signature([0; 64]),
            }
            .signed(&*self.keys.node, &chain);
            let own = Arc::new(Member::new(chain, Some(record)));
            self.save_later(now, Write::Put(Record::of_member(&own)));
            self.set_own(Some(own));
        }
    }

    /// Takes back the record of an earlier run, if there is one.
    pub(super) fn restore_own_record(&mut self, now: Now, own: Option<Arc<Member>>) {
        self.own.touch();
        let certificate = self.roster.as_ref().map(|roster| &roster.own);
        let own = own.filter(|own| certificate == Some(own.chain()) && !own.has_left());
        let Some(own) = own else {
            return;
        };
        let until = now.monotonic + KEPT_RECORD_STANDS_FOR;
        self.own.sequence = own.record().map_or(0, |record| record.sequence);
        self.own.kept = Some(Kept {
            listening: false,
            offering: false,
            until,
        });
        self.set_own(Some(own));
        self.own.untold = false;
    }

    /// This node's last word: that it leaves.
    pub(super) fn sign_goodbye(&mut self, now: Now) -> Option<Arc<Member>> {
        let chain = self.roster.as_ref()?.own.clone();
        let sequence = now.wall.0.max(self.own.sequence.saturating_add(1));
        let manifest = self.offers.manifest().hash;
        let signer = &*self.keys.node;
        let record = PeerRecord::sign(signer, &chain, sequence, Vec::new(), manifest, true);
        Some(Arc::new(Member::new(chain, Some(record))))
    }

    /// A record of this node goes around that it has forgotten signing, as after an old backup was put back: the next
    /// one is later. Where it goes with a later certificate, that one is this node's from here on.
    pub(super) fn hear_of_self(
        &mut self,
        now: Now,
        chain: &Arc<CertificateChain>,
        record: &PeerRecord,
    ) {
        let Some(roster) = &self.roster else {
            return;
        };
        if *chain != roster.own {
            let later = chain.body().expires > roster.own.body().expires;
            let valid = chain.validity(now.wall) == Validity::Valid;
            if record.leaving || !later || !valid {
                return;
            }
            self.adopt(roster.mesh, chain.clone());
        }
        self.own.sequence = self.own.sequence.max(record.sequence);
        self.set_own(None);
        self.own.stale = true;
    }

    fn set_own(&mut self, own: Option<Arc<Member>>) {
        for member in self.own.member.iter().chain(&own) {
            self.digests.toggle(member);
        }
        let told = own.iter().cloned().map(Output::Provide);
        self.outputs.extend(told);
        self.own.member = own;
        self.own.untold = true;
    }
}
