//! Founding, inviting, letting in, being let in, leaving.

use std::sync::Arc;
use std::time::Duration;

use super::NodeState;
use super::hearing::Changed;
use super::input::RequestId;
use super::manifest_answers::ManifestAnswers;
use super::manifests::Manifests;
use super::output::{AlreadyInMesh, Output, Reply};
use super::own_record::OwnRecord;
use super::passing_on::PassingOn;
use super::reconciliation::Reconciliation;
use super::record::{Record, RecordKey, Write};
use super::rotating::RotationClaim;
use super::unsaved::Unsaved;
use crate::address_book::{AddressBook, Source};
use crate::id::{MeshId, NodeId, NodeName};
use crate::limits::{CERTIFICATE_LIFETIME, CERTIFICATE_LIFETIME_MAX};
use crate::links::Links;
use crate::membership::admission::{Claim, Refusal, Verdict, check_belongs, check_member};
use crate::membership::certificate::{
    CERTIFICATE_VERSION, CertificateBody, CertificateChain, Role,
};
use crate::membership::issuer::{Invitation, InviteError, Issuer, Redemption};
use crate::membership::join_requests::{Asked, JoinRequests};
use crate::membership::member::Member;
use crate::membership::revocation::Revocation;
use crate::membership::roster::Roster;
use crate::membership::ticket::{TicketId, Transcript};
use crate::mutation::Mutation;
use crate::signature::Signer;
use crate::time::{Now, Timestamp};
use crate::topology::Topology;
use crate::wire::announcement::{ANNOUNCEMENT_BYTES_MAX, Announcement};
use crate::wire::summary::Digests;

/// A certificate that a listener issued to this node.
pub(super) struct Certified {
    pub(super) mesh: MeshId,
    pub(super) listener: NodeId,
    pub(super) theirs: CertificateChain,
    pub(super) issued: CertificateChain,
    pub(super) addresses: Vec<String>,
}

/// The certificate of a founder, signed by the root itself.
pub(super) fn root_certificate(
    now: Timestamp,
    root: &dyn Signer,
    serial: u64,
    subject: NodeId,
    name: NodeName,
) -> CertificateChain {
    let body = CertificateBody {
        version: CERTIFICATE_VERSION,
        mesh: MeshId::from_public_key(root.public_key()),
        serial,
        subject,
        name,
        role: Role::Admin,
        not_before: now,
        expires: now + CERTIFICATE_LIFETIME,
        only: Vec::new(),
        replaces: None,
    };
    body.sign(root, Vec::new())
}

/// The certificate that the root gives in place of `before`, to the same node or to its successor: later than that one,
/// so that it counts.
pub(super) fn root_certificate_after(
    now: Timestamp,
    root: &dyn Signer,
    before: &CertificateBody,
    subject: NodeId,
    replaces: Option<NodeId>,
) -> CertificateChain {
    const LATER: Duration = Duration::from_millis(1);
    let expires = (before.expires + LATER).max(now + CERTIFICATE_LIFETIME);
    let mut body = CertificateBody {
        version: CERTIFICATE_VERSION,
        mesh: MeshId::from_public_key(root.public_key()),
        serial: before.serial.saturating_add(1),
        subject,
        name: before.name.clone(),
        role: Role::Admin,
        not_before: now,
        expires: expires.min(now + CERTIFICATE_LIFETIME_MAX),
        only: Vec::new(),
        replaces,
    };
    body.version = body.needed_version();
    body.sign(root, Vec::new())
}

impl NodeState {
    pub(super) fn found(
        &mut self,
        now: Now,
        request: RequestId,
        root: Arc<dyn Signer>,
        name: NodeName,
    ) {
        let mesh = MeshId::from_public_key(root.public_key());
        if let Some(roster) = self.roster.clone() {
            if roster.mesh == mesh {
                self.take_root(now, &roster, root);
            }
            let own = self.roster.clone().filter(|_| roster.mesh == mesh);
            self.reply(request, Reply::Founded(own.ok_or(AlreadyInMesh)));
            return;
        }
        let chain = Arc::new(root_certificate(now.wall, &*root, 1, self.me, name));
        self.issuer.note_serial(1);
        self.keys.root = Some(root);
        self.persist(vec![Write::Put(Record::Home {
            mesh,
            chain: chain.clone(),
        })]);
        let roster = Arc::new(Roster::new(mesh, chain));
        self.roster = Some(roster.clone());
        self.roster_changed = true;
        self.own.touch();
        self.reply(request, Reply::Founded(Ok(roster)));
    }

    /// The root key of this node's own mesh is here from now on: it signs this node's certificate, unless it did.
    fn take_root(&mut self, now: Now, roster: &Roster, root: Arc<dyn Signer>) {
        let own = roster.own.body();
        if !roster.own.issuers.is_empty() {
            let chain = root_certificate_after(now.wall, &*root, own, self.me, None);
            self.issuer.note_serial(chain.body().serial);
            self.adopt(roster.mesh, chain.into());
        }
        self.keys.root = Some(root);
    }

    pub(super) fn invite(&mut self, now: Now, request: RequestId, invitation: Invitation) {
        let roster = self.roster.as_ref();
        let admin = roster.is_some_and(|roster| roster.may_issue(now.wall));
        let invited = if admin {
            self.issuer.invite(now.wall, invitation)
        } else {
            Err(InviteError::NotAnAdmin)
        };
        let invited = invited.map(|(record, ended)| {
            let mut writes = vec![Write::Put(Record::Ticket(record.clone()))];
            let forgotten = ended.into_iter().map(RecordKey::Ticket);
            writes.extend(forgotten.map(Write::Delete));
            self.persist(writes);
            record
        });
        self.reply(request, Reply::Invited(invited));
    }

    pub(super) fn tickets(&mut self, now: Now, request: RequestId) {
        let open = self.issuer.open_tickets(now.wall).cloned().collect();
        self.reply(request, Reply::Tickets(open));
    }

    pub(super) fn withdraw_ticket(&mut self, now: Now, request: RequestId, id: TicketId) {
        let withdrawn = self.issuer.withdraw(now.wall, id);
        let was_there = withdrawn.is_some();
        if let Some(record) = withdrawn {
            self.persist(vec![Write::Put(Record::Ticket(record))]);
        }
        self.reply(request, Reply::Withdrawn(was_there));
    }

    pub(super) fn judge(
        &mut self,
        now: Now,
        request: RequestId,
        transcript: &Transcript,
        claim: Claim,
        place: &str,
    ) {
        let verdict = match self.roster.clone() {
            None => Verdict::silent(Refusal::NoMesh),
            Some(roster) => self.judge_in(now, &roster, transcript, claim, place),
        };
        self.reply(request, Reply::Verdict(verdict));
    }

    fn judge_in(
        &mut self,
        now: Now,
        roster: &Arc<Roster>,
        transcript: &Transcript,
        claim: Claim,
        place: &str,
    ) -> Verdict {
        let own = roster.own.clone();
        let claim = match claim {
            Claim::Rotate { chain, rotation } if !self.is_put_out() => {
                let dialer = transcript.dialer;
                let claim = RotationClaim {
                    dialer,
                    chain,
                    rotation: *rotation,
                };
                let rotated = self.rotate_for(now, roster, &claim);
                return rotated
                    .map_or_else(|refusal| refusal, |issued| Verdict::Issue { own, issued });
            }
            claim => claim,
        };
        if let Err(refusal) = roster.revocations().check_node(transcript.dialer) {
            return Verdict::refused(refusal);
        }
        if self.is_put_out() {
            return Verdict::silent(Refusal::Unspoken);
        }
        let judged = match claim {
            Claim::Member { chain, revocations } => self
                .admit(now, roster.mesh, transcript.dialer, chain)
                .map(|()| Verdict::Admit {
                    own,
                    revocations: self.revocations_for(roster, revocations),
                })
                .map_err(Verdict::refused),
            Claim::Renew { chain } => self
                .renew(now, roster, transcript.dialer, chain)
                .map(|issued| Verdict::Issue { own, issued })
                .map_err(Verdict::refused),
            Claim::Redeem {
                ticket,
                proof,
                name,
            } => {
                let claim = Redemption {
                    transcript,
                    ticket,
                    proof: &proof,
                    name: &name,
                };
                self.redeem(now, roster, &claim)
                    .map(|issued| Verdict::Issue { own, issued })
            }
            Claim::Ask { opening, name } => {
                let asked = Asked {
                    transcript,
                    opening: &opening,
                    name: &name,
                    place,
                };
                Err(self.hear_request(now, roster, &asked))
            }
            // Answered above, unless this node itself is none any more.
            Claim::Rotate { .. } => Err(Verdict::silent(Refusal::Unspoken)),
            Claim::Collect => self
                .collect(now, roster, transcript.dialer)
                .map(|issued| Verdict::Issue { own, issued }),
        };
        judged.unwrap_or_else(|refusal| refusal)
    }

    fn admit(
        &mut self,
        now: Now,
        mesh: MeshId,
        node: NodeId,
        chain: CertificateChain,
    ) -> Result<(), Refusal> {
        check_member(&chain, mesh, node, now.wall, &*self.keys.verifier)?;
        self.take_member(now, Arc::new(chain))
    }

    fn renew(
        &mut self,
        now: Now,
        roster: &Arc<Roster>,
        node: NodeId,
        chain: CertificateChain,
    ) -> Result<Arc<CertificateChain>, Refusal> {
        if !roster.may_issue(now.wall) {
            return Err(Refusal::NotAnIssuer);
        }
        check_belongs(&chain, roster.mesh, node, &*self.keys.verifier)?;
        self.reissue(now, roster, &chain)
    }

    fn redeem(
        &mut self,
        now: Now,
        roster: &Arc<Roster>,
        claim: &Redemption<'_>,
    ) -> Result<Arc<CertificateChain>, Verdict> {
        if !roster.may_issue(now.wall) {
            return Err(Verdict::silent(Refusal::NotAnIssuer));
        }
        let signer = self.keys.node.clone();
        let (record, issued) = self
            .issuer
            .redeem(now.wall, &*signer, roster, claim)
            .map_err(|refusal| match refusal.proved {
                true => Verdict::spoken(refusal.reason),
                false => Verdict::silent(refusal.reason),
            })?;
        let taken = self.take_member(now, issued.clone());
        if !Mutation::ForgetRedemption.is_on() {
            self.persist(vec![Write::Put(Record::Ticket(record))]);
        }
        taken.map_err(Verdict::spoken)?;
        Ok(issued)
    }

    /// Whether the holder of `chain` said that it leaves, and has been given no later certificate.
    pub(super) fn has_given_up(&self, chain: &CertificateChain) -> bool {
        let known = self.roster.as_ref();
        let known = known.and_then(|roster| roster.known(chain.body().subject));
        known.is_some_and(|known| {
            !Mutation::BringBackLeavers.is_on()
                && known.has_left()
                && known.chain().body().expires >= chain.body().expires
        })
    }

    /// Takes a verified certificate of a member that this node meets.
    pub(super) fn take_member(
        &mut self,
        now: Now,
        chain: Arc<CertificateChain>,
    ) -> Result<(), Refusal> {
        if self.has_given_up(&chain) {
            return Err(Refusal::Left);
        }
        self.take(now, Arc::new(Member::new(chain, None)), None)?;
        Ok(())
    }

    pub(super) fn admitted(
        &mut self,
        now: Now,
        request: RequestId,
        listener: NodeId,
        chain: CertificateChain,
        revocations: &[Arc<Revocation>],
    ) {
        // First: they may be about the listener, or about this node.
        let told = self.take_revocations(now, revocations);
        self.tell_of_revocations(&told.news);
        let mesh = self.roster.as_ref().map(|roster| roster.mesh);
        let taken = match mesh {
            None => Err(Refusal::NoMesh),
            Some(_) if self.is_put_out() => Err(Refusal::Revoked),
            Some(mesh) => self.admit(now, mesh, listener, chain),
        };
        self.reply(request, Reply::Taken(taken));
    }

    pub(super) fn certified(&mut self, now: Now, request: RequestId, certified: Certified) {
        let taken = self.take_own(now, certified);
        self.reply(request, Reply::Taken(taken));
    }

    fn take_own(&mut self, now: Now, certified: Certified) -> Result<(), Refusal> {
        let Certified {
            mesh,
            listener,
            theirs,
            issued,
            addresses,
        } = certified;
        if self
            .roster
            .as_ref()
            .is_some_and(|roster| roster.mesh != mesh)
        {
            return Err(Refusal::OtherMesh);
        }
        let verifier = self.keys.verifier.clone();
        check_member(&theirs, mesh, listener, now.wall, &*verifier)?;
        check_member(&issued, mesh, self.me, now.wall, &*verifier)?;
        if let Some(roster) = &self.roster {
            roster.revocations().check(&issued)?;
        }
        self.adopt(mesh, Arc::new(issued));
        self.book
            .tell(now.wall, listener, addresses, Source::Ticket);
        self.save_addresses(now, listener);
        self.take_member(now, Arc::new(theirs))?;
        // With the certificate, in one transaction: a node that starts again knows nobody else to turn to.
        self.persist(Vec::new());
        self.links.dial_again(now.monotonic, listener);
        Ok(())
    }

    /// Makes `own` this node's certificate.
    pub(super) fn adopt(&mut self, mesh: MeshId, own: Arc<CertificateChain>) {
        self.persist(vec![Write::Put(Record::Home {
            mesh,
            chain: own.clone(),
        })]);
        let roster = match self.roster.as_deref() {
            Some(roster) => roster.clone().with_own(own),
            None => Roster::new(mesh, own),
        };
        self.roster = Some(Arc::new(roster));
        self.roster_changed = true;
        self.own.touch();
    }

    pub(super) fn leave(&mut self, now: Now, request: RequestId) {
        let goodbye = self.sign_goodbye(now);
        let left = self.roster.take();
        if left.is_some() {
            self.unsaved = Unsaved::default();
            self.persist(vec![Write::Clear]);
            self.roster_changed = true;
            self.publish_roster();
            let to: Vec<NodeId> = self.links.standing().collect();
            let announcement = Arc::new(Announcement::of(goodbye, ANNOUNCEMENT_BYTES_MAX));
            self.outputs.push_back(Output::Goodbye { to, announcement });
            self.forget_mesh();
        }
        self.reply(request, Reply::Left(left));
    }

    fn forget_mesh(&mut self) {
        self.issuer = Issuer::default();
        self.requests = JoinRequests::default();
        self.book = AddressBook::default();
        self.links = Links::default();
        self.own = OwnRecord::default();
        self.own.set_region(self.own_region());
        self.changed = Changed::default();
        self.passing_on = PassingOn::default();
        self.digests = Digests::default();
        self.forget_presence();
        self.topology = Topology::new(self.me, self.own_region());
        self.manifests = Manifests::default();
        self.manifest_answers = ManifestAnswers::default();
        self.reconciliation = Reconciliation::default();
        self.offers.forget_remote();
        self.forget_log();
        self.forget_tasks();
        self.forget_decisions();
        self.keys.root = None;
    }
}
