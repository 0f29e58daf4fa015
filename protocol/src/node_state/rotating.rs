//! Another key for a node. Whoever certifies the new one puts the old one out in the same write, so that no crash leaves
//! both or neither; and whoever asks again, with either key, is given the same certificate.

use std::sync::Arc;

use super::NodeState;
use super::gate::root_certificate_after;
use super::input::RequestId;
use super::output::Reply;
use super::record::{Record, RecordKey, Write};
use crate::id::NodeId;
use crate::membership::admission::{Refusal, Verdict, check_member};
use crate::membership::certificate::{CertificateBody, CertificateChain, Validity};
use crate::membership::issuer::Terms;
use crate::membership::member::Member;
use crate::membership::revocation::Revocation;
use crate::membership::roster::Roster;
use crate::membership::rotation::Rotation;
use crate::mutation::Mutation;
use crate::time::{Now, Timestamp};

/// What a dialer shows that wants its key replaced.
pub(super) struct RotationClaim {
    pub(super) dialer: NodeId,
    pub(super) chain: CertificateChain,
    pub(super) rotation: Rotation,
}

impl NodeState {
    /// At an admin: certifies the new key, once, and puts the old one out.
    pub(super) fn rotate_for(
        &mut self,
        now: Now,
        roster: &Arc<Roster>,
        claim: &RotationClaim,
    ) -> Result<Arc<CertificateChain>, Verdict> {
        let RotationClaim {
            dialer,
            chain,
            rotation,
        } = claim;
        if !roster.may_issue(now.wall) {
            return Err(Verdict::silent(Refusal::NotAnIssuer));
        }
        let verifier = self.keys.verifier.clone();
        let theirs = [rotation.old, rotation.new].contains(dialer) && rotation.mesh == roster.mesh;
        let signed = rotation.verify(&*verifier) || Mutation::AcceptForgedRotation.is_on();
        if !theirs || !signed {
            return Err(Verdict::silent(Refusal::Unspoken));
        }
        check_member(chain, roster.mesh, rotation.old, now.wall, &*verifier)
            .map_err(Verdict::silent)?;
        let revocations = roster.revocations();
        revocations
            .check_node(rotation.new)
            .map_err(Verdict::refused)?;
        let known = roster.member(rotation.new);
        if revocations.check_node(rotation.old).is_err() {
            // Put out, and its successor is a member: the answer was lost on its way.
            return known.cloned().ok_or(Verdict::refused(Refusal::Revoked));
        }
        if known.is_some() {
            return Err(Verdict::silent(Refusal::Unspoken));
        }
        revocations.check(chain).map_err(Verdict::refused)?;
        if self.has_given_up(chain) {
            return Err(Verdict::silent(Refusal::Left));
        }
        let held = roster.member(rotation.old).map_or(chain, |held| held);
        self.replace_key(now, roster, rotation, held.body())
            .map_err(Verdict::spoken)
    }

    fn replace_key(
        &mut self,
        now: Now,
        roster: &Arc<Roster>,
        rotation: &Rotation,
        held: &CertificateBody,
    ) -> Result<Arc<CertificateChain>, Refusal> {
        let revocation = self.revocation_of_old(now, rotation.old)?;
        let terms = Terms {
            name: held.name.clone(),
            grant: held.grant(),
            lifetime: super::renewal::usual_lifetime(held),
        };
        let signer = self.keys.node.clone();
        let (new, old) = (rotation.new, rotation.old);
        let issued =
            self.issuer
                .issue_in_place_of(now.wall, &*signer, roster, new, Some(old), terms);
        // It waits, and goes to disk with the revocation.
        self.take_member(now, issued.clone())?;
        if Mutation::KeepReplacedKey.is_on() {
            self.persist(Vec::new());
            return Ok(issued);
        }
        let told = self.take_revocations(now, &[revocation]);
        self.tell_of_revocations(&told.news);
        match told.news.is_empty() {
            false => Ok(issued),
            true => Err(Refusal::Full {
                what: "the revocations".to_owned(),
            }),
        }
    }

    /// What the old key issued stays good, as far as it is known here.
    fn revocation_of_old(&self, now: Now, old: NodeId) -> Result<Arc<Revocation>, Refusal> {
        let spared = Some(Timestamp(u64::MAX));
        let signed = self.sign_revocation(now, old, spared);
        signed.map(Arc::new).map_err(|error| Refusal::Unavailable {
            why: error.to_string(),
        })
    }

    /// At the holder of the root key, for itself: on disk when this is answered. From the next start on the node is the
    /// new one.
    pub(super) fn rotate_own(&mut self, now: Now, request: RequestId, rotation: &Rotation) {
        let rotated = self.rotated_by_root(now, rotation);
        self.reply(request, Reply::Taken(rotated));
    }

    fn rotated_by_root(&mut self, now: Now, rotation: &Rotation) -> Result<(), Refusal> {
        let roster = self.roster.clone().ok_or(Refusal::NoMesh)?;
        let root = self.keys.root.clone().ok_or(Refusal::NotAnIssuer)?;
        if rotation.old != self.me || !rotation.verify(&*self.keys.verifier) {
            return Err(Refusal::Unspoken);
        }
        let own = roster.own.body();
        let (new, old) = (rotation.new, Some(self.me));
        let chain = root_certificate_after(now.wall, &*root, own, new, old);
        let revocation = self.sign_own_revocation(now, &roster, &*root);
        let revocation = revocation.map_err(|error| Refusal::Unavailable {
            why: error.to_string(),
        })?;
        self.keep_successor(
            &roster,
            chain,
            vec![Write::Put(Record::Revocation(Arc::new(revocation)))],
        );
        Ok(())
    }

    /// An admin has certified this node's new key. From the next start on the node is the new one.
    pub(super) fn rotated(
        &mut self,
        now: Now,
        request: RequestId,
        listener: NodeId,
        theirs: CertificateChain,
        (new, issued): (NodeId, CertificateChain),
    ) {
        let taken = self.take_successor(now, listener, theirs, new, issued);
        self.reply(request, Reply::Taken(taken));
    }

    fn take_successor(
        &mut self,
        now: Now,
        listener: NodeId,
        theirs: CertificateChain,
        new: NodeId,
        issued: CertificateChain,
    ) -> Result<(), Refusal> {
        let roster = self.roster.clone().ok_or(Refusal::NoMesh)?;
        let verifier = self.keys.verifier.clone();
        check_member(&theirs, roster.mesh, listener, now.wall, &*verifier)?;
        check_member(&issued, roster.mesh, new, now.wall, &*verifier)?;
        self.keep_successor(&roster, issued, Vec::new());
        Ok(())
    }

    /// In one write: the certificate of the new key, and no word of the old one any more.
    fn keep_successor(&mut self, roster: &Roster, chain: CertificateChain, mut writes: Vec<Write>) {
        writes.push(Write::Put(Record::Home {
            mesh: roster.mesh,
            chain: Arc::new(chain),
        }));
        writes.push(Write::Delete(RecordKey::Member(self.me)));
        self.persist(writes);
    }

    /// Whether `member` takes the place of `holder`, and may: whoever certified it is at least as near to the root as
    /// the holder is.
    pub(super) fn takes_the_place(roster: &Roster, member: &Member, holder: NodeId) -> bool {
        let chain = member.chain();
        let held = roster.member(holder);
        chain.body().replaces == Some(holder)
            && held.is_some_and(|held| chain.issuer_rank() <= held.rank())
    }

    /// The holder of a key that was replaced is none any more, wherever its successor is known.
    pub(super) fn forget_replaced(&mut self, now: Now, old: NodeId) {
        let known = self.roster.as_ref().and_then(|roster| roster.known(old));
        let Some(known) = known.cloned() else {
            return;
        };
        if known.chain().validity(now.wall) != Validity::Expired {
            self.forget_member(now, &known);
            self.publish_roster();
            self.outputs
                .push_back(super::output::Output::Disconnect { node: old });
        }
    }
}
