//! Certificates are renewed at half their life without a hand, and links to expired ones are ended.

use std::sync::Arc;
use std::time::Duration;

use super::NodeState;
use super::gate::root_certificate;
use super::input::RequestId;
use super::output::{Output, Reply};
use crate::id::{NodeId, NodeName};
use crate::limits::{CERTIFICATE_LIFETIME, CERTIFICATE_LIFETIME_MIN};
use crate::membership::admission::{Refusal, check_member};
use crate::membership::certificate::{CertificateBody, CertificateChain, Role, Validity};
use crate::membership::issuer::Terms;
use crate::membership::roster::Roster;
use crate::mutation::Mutation;
use crate::time::{Monotonic, Now};

/// How often certificates are looked at.
const CHECK_EVERY: Duration = Duration::from_secs(60);

/// How often another name is asked for by whoever must yield its own.
const YIELD_EVERY: Duration = Duration::from_secs(5);

/// The shortest time between two looks.
const CHECK_AT_MOST_EVERY: Duration = Duration::from_millis(500);

/// How long the certificate lives that follows on `held`: as long again, and not longer than usual.
pub(super) fn usual_lifetime(held: &CertificateBody) -> Duration {
    held.lifetime()
        .clamp(CERTIFICATE_LIFETIME_MIN, CERTIFICATE_LIFETIME)
}

/// When certificates are looked at next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Renewal {
    next_check: Monotonic,
}

impl Default for Renewal {
    fn default() -> Self {
        Self {
            next_check: Monotonic(0),
        }
    }
}

impl Renewal {
    pub(super) fn next_check(&self) -> Monotonic {
        self.next_check
    }

    /// Certificates are to be looked at then, or before.
    pub(super) fn check_at(&mut self, at: Monotonic) {
        self.next_check = self.next_check.min(at);
    }
}

impl NodeState {
    pub(super) fn renew_when_due(&mut self, now: Now) {
        if now.monotonic < self.renewal.next_check {
            return;
        }
        self.renewal.next_check = now.monotonic + self.check_again_after(now);
        if !Mutation::KeepExpiredLinks.is_on() {
            self.cut_expired(now);
        }
        self.forget_long_expired(now);
        let Some(roster) = self.roster.clone() else {
            return;
        };
        let yields = roster.must_yield(self.me, now.wall);
        if now.wall < roster.own.half_life() && !yields {
            return;
        }
        if let Some(root) = self.keys.root.clone() {
            let own = roster.own.body();
            let serial = own.serial.saturating_add(1);
            let name = self.name_to_certify(now, &roster, own);
            let chain = root_certificate(now.wall, &*root, serial, self.me, name);
            if chain.body().expires <= own.expires {
                return;
            }
            self.issuer.note_serial(serial);
            self.adopt(roster.mesh, chain.into());
        } else if let Some(from) = self.linked_admin() {
            self.outputs.push_back(Output::RequestRenewal { from });
        }
    }

    /// Sooner than usual where a certificate that lives for minutes is to be renewed, or ends.
    fn check_again_after(&self, now: Now) -> Duration {
        let Some(roster) = &self.roster else {
            return CHECK_EVERY;
        };
        let own = &roster.own;
        if roster.must_yield(self.me, now.wall) {
            return YIELD_EVERY;
        }
        let renewal = match own.half_life().since(now.wall) {
            Duration::ZERO => own.body().lifetime() / 16,
            left => left,
        };
        let linked = self.links.standing();
        let ends = linked.filter_map(|node| Some(roster.member(node)?.end().since(now.wall)));
        let next = ends
            .filter(|left| !left.is_zero())
            .fold(renewal, Duration::min);
        next.clamp(CHECK_AT_MOST_EVERY, CHECK_EVERY)
    }

    /// A link or a certificate is new: it may have to be looked at sooner.
    pub(super) fn check_expiry_soon(&mut self, now: Now) {
        let next = now.monotonic + self.check_again_after(now);
        self.renewal.check_at(next);
    }

    fn cut_expired(&mut self, now: Now) {
        let Some(roster) = self.roster.as_ref() else {
            return;
        };
        let expired = |node: &NodeId| {
            let chain = roster.member(*node);
            chain.is_some_and(|chain| chain.validity(now.wall) == Validity::Expired)
        };
        let cut = self.links.standing().filter(expired);
        self.outputs
            .extend(cut.map(|node| Output::Disconnect { node }));
        // Nobody is let in by dialing an expired member; it comes by itself once it is renewed.
        self.topology_changed = true;
    }

    /// The linked admin nearest to the root, and nearer than this node itself: chains never grow by renewal.
    pub(super) fn linked_admin(&self) -> Option<NodeId> {
        let roster = self.roster.as_ref()?;
        let admins = self.links.standing().filter_map(|node| {
            let chain = roster.member(node)?;
            let distance = chain.issuers.len();
            let nearer = distance < roster.own.issuers.len();
            (chain.body().role == Role::Admin && nearer).then_some((distance, node))
        });
        admins.min().map(|(_, node)| node)
    }

    pub(super) fn renewal_asked(&mut self, now: Now, request: RequestId, from: NodeId) {
        let renewal = self.renewal_for(now, from);
        self.reply(request, Reply::Renewal(renewal));
    }

    fn renewal_for(&mut self, now: Now, from: NodeId) -> Result<Arc<CertificateChain>, Refusal> {
        let roster = self.roster.clone().ok_or(Refusal::NoMesh)?;
        if !roster.may_issue(now.wall) {
            return Err(Refusal::NotAnIssuer);
        }
        let known = roster.member(from).ok_or(Refusal::OtherMesh)?.clone();
        self.reissue(now, &roster, &known)
    }

    /// A fresh certificate in place of `held`; the known one again while less than half its life is over, so that
    /// asking often makes no work for the mesh.
    pub(super) fn reissue(
        &mut self,
        now: Now,
        roster: &Arc<Roster>,
        held: &CertificateChain,
    ) -> Result<Arc<CertificateChain>, Refusal> {
        if self.has_given_up(held) {
            return Err(Refusal::Left);
        }
        roster.revocations().check(held)?;
        let subject = held.body().subject;
        if let Some(known) = roster.member(subject)
            && now.wall < known.half_life()
            && !roster.must_yield(subject, now.wall)
        {
            return Ok(known.clone());
        }
        let terms = Terms {
            name: self.name_to_certify(now, roster, held.body()),
            grant: held.body().grant(),
            lifetime: usual_lifetime(held.body()),
        };
        let signer = self.keys.node.clone();
        let issued = self
            .issuer
            .issue(now.wall, &*signer, roster, subject, terms);
        self.take_member(now, issued.clone())?;
        Ok(issued)
    }

    /// The name of the certificate that follows on `held`: the same, unless somebody precedes its holder under it.
    fn name_to_certify(&self, now: Now, roster: &Roster, held: &CertificateBody) -> NodeName {
        match roster.must_yield(held.subject, now.wall) {
            true => self.issuer.numbered_name(&held.name, held.subject, roster),
            false => held.name.clone(),
        }
    }

    pub(super) fn renewed(&mut self, now: Now, from: NodeId, chain: CertificateChain) {
        let Some(roster) = self.roster.clone() else {
            return;
        };
        let verifier = self.keys.verifier.clone();
        let good = check_member(&chain, roster.mesh, self.me, now.wall, &*verifier).is_ok();
        let newer = chain.body().expires > roster.own.body().expires;
        let stands = roster.revocations().check(&chain).is_ok();
        if self.is_member(from) && good && newer && stands {
            self.adopt(roster.mesh, chain.into());
            self.check_expiry_soon(now);
        }
    }
}
