//! Putting a node out of the mesh: signed here, or heard of from anybody; on disk before anything follows from it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::NodeState;
use super::input::RequestId;
use super::output::{Output, Reply};
use super::record::{Record, Write};
use crate::id::NodeId;
use crate::limits::{GATE_REVOCATIONS_BYTES_MAX, GOSSIP_BYTES_MAX};
use crate::membership::certificate::{Certificate, CertificateChain};
use crate::membership::revocation::{
    CertificateDigest, REVOCATION_VERSION, Rank, Revocation, RevocationBody, SPARED_MAX,
};
use crate::membership::revocations::Added;
use crate::membership::roster::Roster;
use crate::mutation::Mutation;
use crate::signature::Signer;
use crate::time::{Now, Timestamp};
use crate::wire::announcement::Announcement;

/// What came of the revocations in one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// Those that were not known.
    pub(super) news: Vec<Arc<Revocation>>,
    /// At least one proves nothing, whoever looks at it.
    pub(super) forged: bool,
}

impl NodeState {
    pub(super) fn revoke(
        &mut self,
        now: Now,
        request: RequestId,
        subject: NodeId,
        spare_issued_before: Option<Timestamp>,
    ) {
        let signed = self.sign_revocation(now, subject, spare_issued_before);
        let revoked = signed.and_then(|revocation| {
            let revocation = Arc::new(revocation);
            match self.take_revocations(now, std::slice::from_ref(&revocation)) {
                Taken { news, .. } if news.is_empty() => Err(RevokeError::Full),
                Taken { news, .. } => {
                    self.tell_of_revocations(&news);
                    Ok(revocation)
                }
            }
        });
        self.reply(request, Reply::Revoked(revoked));
    }

    /// The root's word that this node's own key is put out; what it issued stays good.
    pub(super) fn sign_own_revocation(
        &self,
        now: Now,
        roster: &Roster,
        root: &dyn Signer,
    ) -> Result<Revocation, RevokeError> {
        let spared = spared_of(roster, self.me, Some(Timestamp(u64::MAX)))?;
        let body = RevocationBody {
            version: REVOCATION_VERSION,
            mesh: roster.mesh,
            subject: self.me,
            at: now.wall,
            spared,
        };
        Ok(Revocation::sign(body, None, root))
    }

    pub(super) fn sign_revocation(
        &self,
        now: Now,
        subject: NodeId,
        spare_issued_before: Option<Timestamp>,
    ) -> Result<Revocation, RevokeError> {
        let roster = self.roster.as_deref().ok_or(RevokeError::NotAnAdmin)?;
        let (revoker, signer): (Option<CertificateChain>, &dyn Signer) = match &self.keys.root {
            Some(root) => (None, &**root),
            None if roster.may_issue(now.wall) => {
                (Some(CertificateChain::clone(&roster.own)), &*self.keys.node)
            }
            None => return Err(RevokeError::NotAnAdmin),
        };
        if subject == self.me {
            return Err(RevokeError::Oneself);
        }
        if roster.revocations().check_node(subject).is_err() {
            return Err(RevokeError::AlreadyRevoked);
        }
        let rank = revoker.as_ref().map_or(Rank::ROOT, Rank::of_holder);
        let nearer = |chain: &Arc<CertificateChain>| Rank::of_holder(chain) < rank;
        if roster.member(subject).is_some_and(nearer) {
            return Err(RevokeError::NearerToTheRoot);
        }
        let spared = spared_of(roster, subject, spare_issued_before)?;
        let body = RevocationBody {
            version: REVOCATION_VERSION,
            mesh: roster.mesh,
            subject,
            at: now.wall,
            spared,
        };
        Ok(Revocation::sign(body, revoker, signer))
    }

    /// Takes what is news and good: writes it, publishes the roster without whoever is put out, and ends every link to
    /// them. Does not tell anybody.
    pub(super) fn take_revocations(&mut self, now: Now, told: &[Arc<Revocation>]) -> Taken {
        let mut taken = Taken::default();
        let Some(roster) = self.roster.clone() else {
            return taken;
        };
        let mut revocations = roster.revocations().clone();
        for revocation in told {
            if revocations.knows(revocation.id()) {
                continue;
            }
            if revocation
                .verify(roster.mesh, &*self.keys.verifier)
                .is_err()
            {
                taken.forged = true;
            } else if revocations.add(revocation.clone()) == Added::New {
                taken.news.push(revocation.clone());
            }
        }
        if taken.news.is_empty() {
            return taken;
        }
        let records = taken.news.iter().cloned().map(Record::Revocation);
        self.persist(records.map(Write::Put).collect());
        let was_in = roster.revocations().check(&roster.own).is_ok();
        if let Some(roster) = &mut self.roster {
            Arc::make_mut(roster).set_revocations(revocations);
        }
        self.roster_changed = true;
        self.put_out(now);
        let is_in = !self.is_put_out();
        if was_in && !is_in {
            self.cut_every_link();
        }
        taken
    }

    /// Somebody has told this node what it did not know, or everybody who could is out of reach.
    pub(super) fn set_caught_up(&mut self, caught_up: bool) {
        if let Some(roster) = &mut self.roster
            && roster.is_caught_up() != caught_up
        {
            Arc::make_mut(roster).set_caught_up(caught_up);
            self.roster_changed = true;
        }
    }

    /// Whether this node itself was put out of the mesh.
    pub(super) fn is_put_out(&self) -> bool {
        let roster = self.roster.as_ref();
        roster.is_some_and(|roster| roster.revocations().check(&roster.own).is_err())
    }

    /// Everybody who is no member any more by what is revoked now is forgotten, and cut off at once.
    fn put_out(&mut self, now: Now) {
        let Some(roster) = self.roster.clone() else {
            return;
        };
        let void = |member: &&Arc<_>| roster.revocations().check(chain_of(member)).is_err();
        let out: Vec<_> = roster.all_known().filter(void).cloned().collect();
        for member in &out {
            self.forget_member(now, member);
            self.drop_accusations_by(now, member.node());
        }
        self.publish_roster();
        // The gate asks the published roster: nobody is let in between this and the end of the last connection.
        let cut = out.iter().map(|member| Output::Disconnect {
            node: member.node(),
        });
        self.outputs.extend(cut);
    }

    fn cut_every_link(&mut self) {
        self.publish_roster();
        let linked: Vec<NodeId> = self.links.standing().collect();
        let cut = linked.into_iter().map(|node| Output::Disconnect { node });
        self.outputs.extend(cut);
    }

    /// Gossips these before anything that waits to be told.
    pub(super) fn tell_of_revocations(&mut self, revocations: &[Arc<Revocation>]) {
        if Mutation::KeepRevocationsSecret.is_on() {
            return;
        }
        let mut left = revocations;
        while !left.is_empty() {
            let announcement = Announcement::telling(left, [], GOSSIP_BYTES_MAX);
            let told = announcement.revocations.len();
            if told == 0 {
                return;
            }
            left = &left[told..];
            self.publish(announcement);
        }
    }

    /// What a dialer whose set of revocations has `digest` is told at the gate.
    pub(super) fn revocations_for(&self, roster: &Roster, digest: u64) -> Vec<Arc<Revocation>> {
        let revocations = roster.revocations();
        if revocations.digest() == digest || Mutation::KeepRevocationsSecret.is_on() {
            return Vec::new();
        }
        Announcement::telling(revocations.iter(), [], GATE_REVOCATIONS_BYTES_MAX).revocations
    }

    /// Those that stood when the node last stopped.
    pub(super) fn restore_revocations(roster: &mut Roster, kept: Vec<Arc<Revocation>>) {
        let mut revocations = roster.revocations().clone();
        for revocation in kept {
            revocations.add(revocation);
        }
        roster.set_revocations(revocations);
    }
}

fn chain_of(member: &crate::membership::member::Member) -> &CertificateChain {
    member.chain()
}

fn spared_of(
    roster: &Roster,
    issuer: NodeId,
    before: Option<Timestamp>,
) -> Result<Vec<CertificateDigest>, RevokeError> {
    let spared = before.map_or_else(Vec::new, |before| issued_by(roster, issuer, before));
    match spared.len() {
        0..=SPARED_MAX => Ok(spared),
        found => Err(RevokeError::SparesTooMany { found }),
    }
}

/// The certificates that `issuer` gave out before a time and the revocations it signed, as far as this node knows them:
/// whom it put out stays out.
fn issued_by(roster: &Roster, issuer: NodeId, before: Timestamp) -> Vec<CertificateDigest> {
    let mut found = BTreeSet::new();
    let members = roster.members().map(|(_, chain)| &**chain);
    let mut chains: Vec<&CertificateChain> = members.chain([&*roster.own]).collect();
    for revocation in roster.revocations().iter() {
        let Some(revoker) = &revocation.revoker else {
            continue;
        };
        if revoker.body().subject == issuer && revocation.body.at < before {
            found.insert(CertificateDigest(revocation.id().0));
        }
        chains.push(revoker);
    }
    for chain in chains {
        let mut issued: &Certificate = &chain.certificate;
        for certificate in &chain.issuers {
            if certificate.body.subject == issuer && issued.body.not_before < before {
                found.insert(CertificateDigest::of(issued));
            }
            issued = certificate;
        }
    }
    found.into_iter().collect()
}

/// Why nobody is put out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RevokeError {
    /// This node may not.
    #[error("this node is not an admin of its mesh; ask an admin to put somebody out")]
    NotAnAdmin,
    /// It was put out before.
    #[error("it has been put out of the mesh already")]
    AlreadyRevoked,
    /// A node does not put itself out.
    #[error("a node cannot put itself out; leave the mesh instead")]
    Oneself,
    /// The other is nearer to the root than this admin.
    #[error("it was admitted nearer to the root than this admin; ask one that is as near")]
    NearerToTheRoot,
    /// More certificates to spare than one revocation holds.
    #[error(
        "it issued {found} certificates that would stay good; at most {SPARED_MAX} can; choose an earlier time"
    )]
    SparesTooMany {
        /// How many.
        found: usize,
    },
    /// No room for one more revocation.
    #[error(
        "this part of the mesh has made as many revocations as it may; ask the founder to put it out"
    )]
    Full,
}
