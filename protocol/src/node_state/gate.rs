//! Founding, inviting, letting in, being let in, leaving.

use std::sync::Arc;

use super::NodeState;
use super::input::RequestId;
use super::output::{AlreadyInMesh, Output, Reply};
use super::record::{Record, RecordKey, Write};
use crate::address_book::Source;
use crate::id::{MeshId, NodeId, NodeName};
use crate::limits::CERTIFICATE_LIFETIME;
use crate::membership::admission::{Claim, Refusal, Verdict, check_belongs, check_member};
use crate::membership::certificate::{
    CERTIFICATE_VERSION, CertificateBody, CertificateChain, Role,
};
use crate::membership::issuer::{Invitation, InviteError, Issuer, Redemption};
use crate::membership::roster::{Inserted, Roster};
use crate::membership::ticket::Transcript;
use crate::signature::Signer;
use crate::time::{Now, Timestamp};

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
    };
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
        if self.roster.is_some() {
            self.reply(request, Reply::Founded(Err(AlreadyInMesh)));
            return;
        }
        let mesh = MeshId::from_public_key(root.public_key());
        let chain = Arc::new(root_certificate(now.wall, &*root, 1, self.me, name));
        self.issuer.note_serial(1);
        self.keys.root = Some(root);
        self.persist(vec![Write::Put(Record::Home {
            mesh,
            chain: chain.clone(),
        })]);
        let roster = Arc::new(Roster::new(mesh, chain));
        self.publish_roster(Some(roster.clone()));
        self.reply(request, Reply::Founded(Ok(roster)));
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

    pub(super) fn judge(
        &mut self,
        now: Now,
        request: RequestId,
        transcript: &Transcript,
        claim: Claim,
    ) {
        let verdict = match self.roster.clone() {
            None => Verdict::silent(Refusal::NoMesh),
            Some(roster) => self.judge_in(now, &roster, transcript, claim),
        };
        self.reply(request, Reply::Verdict(verdict));
    }

    fn judge_in(
        &mut self,
        now: Now,
        roster: &Arc<Roster>,
        transcript: &Transcript,
        claim: Claim,
    ) -> Verdict {
        let own = roster.own.clone();
        let judged = match claim {
            Claim::Member { chain } => self
                .admit(now, roster, transcript.dialer, chain)
                .map(|()| Verdict::Admit { own })
                .map_err(Verdict::silent),
            Claim::Renew { chain } => self
                .renew(now, roster, transcript.dialer, chain)
                .map(|issued| Verdict::Issue { own, issued })
                .map_err(Verdict::silent),
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
        };
        judged.unwrap_or_else(|refusal| refusal)
    }

    fn admit(
        &mut self,
        now: Now,
        roster: &Arc<Roster>,
        node: NodeId,
        chain: CertificateChain,
    ) -> Result<(), Refusal> {
        check_member(&chain, roster.mesh, node, now.wall, &*self.keys.verifier)?;
        self.take_member(now, roster, Arc::new(chain))
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
        self.persist(vec![Write::Put(Record::Ticket(record))]);
        self.take_member(now, roster, issued.clone())
            .map_err(Verdict::spoken)?;
        Ok(issued)
    }

    /// Puts a verified certificate into the roster, on disk and on the list of links that are wanted.
    pub(super) fn take_member(
        &mut self,
        now: Now,
        roster: &Arc<Roster>,
        chain: Arc<CertificateChain>,
    ) -> Result<(), Refusal> {
        let subject = chain.body().subject;
        self.check_name(now, roster, &chain)?;
        let mut changed = Roster::clone(roster);
        match changed.insert(chain.clone()) {
            Inserted::Full => {
                return Err(Refusal::Full {
                    what: "the roster".to_owned(),
                });
            }
            Inserted::Known => {}
            Inserted::New => {
                self.persist(vec![Write::Put(Record::Member(chain))]);
                self.publish_roster(Some(Arc::new(changed)));
                self.exchange.announce_to_all();
            }
        }
        self.links.want(now.monotonic, subject);
        Ok(())
    }

    /// Whoever was known first under a name keeps it: names of tools are made of it, and they do not move.
    fn check_name(
        &self,
        now: Now,
        roster: &Roster,
        chain: &CertificateChain,
    ) -> Result<(), Refusal> {
        let body = chain.body();
        let Some(holder) = roster
            .named(&body.name)
            .filter(|node| *node != body.subject)
        else {
            return Ok(());
        };
        let held = holder == self.me || roster.admits(holder, now.wall);
        if held {
            return Err(Refusal::NameTaken {
                name: body.name.clone(),
                holder,
            });
        }
        Ok(())
    }

    pub(super) fn admitted(
        &mut self,
        now: Now,
        request: RequestId,
        listener: NodeId,
        chain: CertificateChain,
    ) {
        let taken = match self.roster.clone() {
            None => Err(Refusal::NoMesh),
            Some(roster) => self.admit(now, &roster, listener, chain),
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
        self.adopt(mesh, Arc::new(issued));
        self.book
            .tell(now.wall, listener, addresses, Source::Ticket);
        self.persist_addresses(listener);
        if let Some(roster) = self.roster.clone() {
            self.take_member(now, &roster, Arc::new(theirs))?;
        }
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
        self.publish_roster(Some(Arc::new(roster)));
        self.exchange.announce_to_all();
    }

    pub(super) fn leave(&mut self, request: RequestId) {
        let left = self.roster.take();
        if left.is_some() {
            self.persist(vec![Write::Clear]);
            self.publish_roster(None);
            let to: Vec<NodeId> = self.links.standing().collect();
            let announcement = Arc::new(self.goodbye());
            self.outputs.push_back(Output::Goodbye { to, announcement });
            self.issuer = Issuer::default();
            self.book = Default::default();
            self.links = Default::default();
            self.exchange = Default::default();
            self.offers.forget_remote();
            self.keys.root = None;
        }
        self.reply(request, Reply::Left(left));
    }

    /// Forgets a member that said goodbye.
    pub(super) fn forget_member(&mut self, node: NodeId) {
        let Some(roster) = self.roster.as_deref() else {
            return;
        };
        let mut changed = roster.clone();
        if changed.remove(node) {
            self.persist(vec![
                Write::Delete(RecordKey::Member(node)),
                Write::Delete(RecordKey::Addresses(node)),
            ]);
            self.book.forget(node);
            self.links.forget(node);
            self.offers.forget(node);
            self.publish_roster(Some(Arc::new(changed)));
            self.outputs.push_back(Output::Disconnect { node });
        }
    }
}
