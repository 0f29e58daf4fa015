//! The gate handshake after the hellos, as the dialer's and the listener's network carry it out.

use std::collections::BTreeSet;
use std::sync::Arc;

use peerage_protocol::id::{MeshId, NodeId};
use peerage_protocol::membership::admission::{
    Claim, Refusal, Verdict, check_belongs, check_member,
};
use peerage_protocol::membership::certificate::CertificateChain;
use peerage_protocol::membership::ticket::Transcript;
use peerage_protocol::node_state::Input;
use peerage_protocol::wire::hello::Answer;

use super::World;
use super::connections::{DIALER, LISTENER};
use super::dials::Purpose;
use super::event::{Boot, Event, Id};
use super::machine::Request;
use super::sizes::{answer_bytes, claim_bytes};

/// One handshake, from the dial to its end at the dialer.
pub(crate) struct Handshake {
    pub(crate) dialer: usize,
    pub(crate) dialer_boot: Boot,
    pub(crate) listener: usize,
    pub(crate) transcript: Transcript,
    pub(crate) purpose: Purpose,
    pub(crate) claim: Option<Claim>,
    pub(crate) answer: Option<Answer>,
    /// The connection it became at the listener.
    pub(crate) connection: Option<Id>,
    /// Whether the dialer waits no longer.
    pub(crate) given_up: bool,
}

impl World {
    /// The listener said hello: the dialer makes its claim.
    pub(crate) fn greeted(&mut self, id: Id) {
        let Some(handshake) = self.handshakes.get_mut(&id) else {
            return;
        };
        let (dialer, listener) = (handshake.dialer, handshake.listener);
        if !self.machines[dialer].runs(handshake.dialer_boot) || handshake.given_up {
            self.handshakes.remove(&id);
            return;
        }
        let claim = handshake.purpose.claim(&handshake.transcript);
        let bytes = claim_bytes(&claim);
        handshake.claim = Some(claim);
        if self.network.passes(dialer, listener) {
            self.send(dialer, listener, bytes, Event::Claimed { handshake: id });
        }
    }

    /// The claim reached the listener: signatures and times are looked at before the node hears of it.
    pub(crate) fn claimed(&mut self, id: Id) {
        let Some(handshake) = self.handshakes.get_mut(&id) else {
            return;
        };
        let (listener, transcript) = (handshake.listener, handshake.transcript);
        let dialer = handshake.dialer;
        let Some(claim) = handshake.claim.take() else {
            return;
        };
        if self.machines[listener].process.is_none() {
            return;
        }
        self.recorded.add(&claim);
        if let Err(refusal) = self.precheck(listener, transcript.dialer, &claim) {
            self.answer(listener, id, Verdict::silent(refusal));
            return;
        }
        self.ask(listener, Request::Judge { handshake: id }, |request| {
            Input::Judge {
                request,
                transcript,
                claim,
                place: dialer.to_string(),
            }
        });
    }

    /// What the gate looks at before the node hears of a claim.
    pub(crate) fn precheck(
        &self,
        listener: usize,
        dialer: NodeId,
        claim: &Claim,
    ) -> Result<(), Refusal> {
        let machine = &self.machines[listener];
        let roster = machine
            .process
            .as_ref()
            .and_then(|process| process.roster.as_ref());
        let roster = roster.ok_or(Refusal::NoMesh)?;
        let wall = machine.wall(self.now_us);
        match claim {
            Claim::Member { chain, .. } => {
                check_member(chain, roster.mesh, dialer, wall, &*self.verifier)
            }
            Claim::Renew { chain } => check_belongs(chain, roster.mesh, dialer, &*self.verifier),
            Claim::Rotate { chain, rotation } => {
                check_belongs(chain, roster.mesh, rotation.old, &*self.verifier)
            }
            Claim::Redeem { .. } | Claim::Ask { .. } | Claim::Collect if roster.is_admin() => {
                Ok(())
            }
            Claim::Redeem { .. } | Claim::Ask { .. } | Claim::Collect => Err(Refusal::NotAnIssuer),
        }
    }

    /// The listener has a verdict: it is sent, and where the dialer is let in, the listener's end is open from here on.
    pub(crate) fn answer(&mut self, listener: usize, id: Id, verdict: Verdict) {
        if let Verdict::Refuse { reason, .. } = &verdict {
            let reason = refusal_name(reason).to_owned();
            *self.statistics.refusals.entry(reason).or_default() += 1;
        }
        let Some(handshake) = self.handshakes.get(&id) else {
            return;
        };
        let dialer = (handshake.dialer, handshake.dialer_boot);
        let boot = self.machines[listener].boots;
        let admitted = matches!(verdict, Verdict::Admit { .. });
        let answer = match verdict {
            Verdict::Admit { own, revocations } => Answer::Accept {
                chain: own,
                revocations,
            },
            Verdict::Issue { own, issued } => Answer::Issue { own, issued },
            Verdict::Refuse { reason, tell } => Answer::Refused {
                reason: tell.then_some(reason),
            },
        };
        let bytes = answer_bytes(&answer);
        let connection = admitted.then(|| self.connect(dialer, (listener, boot)));
        if let Some(handshake) = self.handshakes.get_mut(&id) {
            handshake.answer = Some(answer);
            handshake.connection = connection;
        }
        if self.network.passes(listener, dialer.0) {
            self.send(listener, dialer.0, bytes, Event::Answered { handshake: id });
        } else if let Some(connection) = connection {
            // The answer is lost, and the dialer waits for it in vain.
            self.never_opens(connection);
        }
        if let Some(connection) = connection {
            self.open(connection, LISTENER);
        }
    }

    /// The answer reached the dialer.
    pub(crate) fn answered(&mut self, id: Id) {
        let Some(handshake) = self.handshakes.get_mut(&id) else {
            return;
        };
        let (dialer, listener) = (handshake.dialer, handshake.transcript.listener);
        let there = self.machines[dialer].runs(handshake.dialer_boot);
        let answer = handshake
            .answer
            .take()
            .filter(|_| there && !handshake.given_up);
        match (answer, handshake.purpose.clone()) {
            (None, _) => self.hang_up(id),
            (Some(Answer::Accept { chain, revocations }), Purpose::Enter { .. }) => {
                self.ask(dialer, Request::Admit { handshake: id }, |request| {
                    Input::Admitted {
                        request,
                        listener,
                        chain: Arc::unwrap_or_clone(chain),
                        revocations,
                    }
                });
            }
            (Some(Answer::Issue { own, issued }), Purpose::Renew { mesh, .. }) => {
                self.certify(id, (mesh, Vec::new()), own, issued);
            }
            (Some(Answer::Issue { own, issued }), Purpose::Redeem { ticket, .. }) => {
                self.certify(id, (ticket.mesh, ticket.addresses.clone()), own, issued);
            }
            (Some(Answer::Issue { own, issued }), Purpose::Errand(wish)) => {
                self.errand_granted(id, &wish, own, issued);
            }
            (Some(Answer::Refused { reason }), Purpose::Errand(wish)) => {
                self.errand_refused(id, &wish, reason.as_ref());
                self.handshake_failed(id, true);
            }
            (Some(Answer::Refused { .. }), _) => {
                self.join_failed(dialer, listener);
                self.handshake_failed(id, true);
            }
            (Some(_), _) => self.handshake_failed(id, false),
        }
    }

    pub(crate) fn certify(
        &mut self,
        id: Id,
        (mesh, addresses): (MeshId, Vec<String>),
        own: Arc<CertificateChain>,
        issued: Arc<CertificateChain>,
    ) {
        let Some(handshake) = self.handshakes.get(&id) else {
            return;
        };
        let (dialer, listener) = (handshake.dialer, handshake.transcript.listener);
        self.ask(dialer, Request::Certify { handshake: id }, |request| {
            Input::Certified {
                request,
                mesh,
                listener,
                theirs: Arc::unwrap_or_clone(own),
                issued: Arc::unwrap_or_clone(issued),
                addresses,
            }
        });
    }

    /// The dialer has judged the listener's certificate.
    pub(crate) fn admitted(&mut self, id: Id, taken: Result<(), Refusal>) {
        let Some(connection) = self.handshakes.get(&id).and_then(|h| h.connection) else {
            return;
        };
        if taken.is_err() {
            self.handshake_failed(id, true);
            return;
        }
        let Some(handshake) = self.handshakes.remove(&id) else {
            return;
        };
        if handshake.given_up {
            self.close(connection, DIALER);
        } else if self.connections.contains_key(&connection) {
            self.open(connection, DIALER);
        } else {
            // The listener has closed it meanwhile.
            let node = handshake.transcript.listener;
            self.tell(
                handshake.dialer,
                Input::DialFailed {
                    node,
                    refused: false,
                },
            );
        }
    }

    /// The dialer has taken, or not, the certificate that it was issued.
    pub(crate) fn certified(&mut self, id: Id, taken: Result<(), Refusal>) {
        let Some(handshake) = self.handshakes.get(&id) else {
            return;
        };
        let (dialer, listener) = (handshake.dialer, handshake.transcript.listener);
        match taken {
            Ok(()) => {
                self.joined(dialer, listener);
                self.handshakes.remove(&id);
                self.tell(dialer, Input::DialAgain { node: listener });
            }
            Err(_) => {
                self.join_failed(dialer, listener);
                self.handshake_failed(id, true);
            }
        }
    }

    pub(crate) fn handshake_deadline(&mut self, id: Id) {
        let Some(handshake) = self.handshakes.get_mut(&id) else {
            return;
        };
        if std::mem::replace(&mut handshake.given_up, true) {
            return;
        }
        let (dialer, boot) = (handshake.dialer, handshake.dialer_boot);
        let listener = handshake.transcript.listener;
        if handshake.answer.is_none() && handshake.claim.is_none() && handshake.connection.is_none()
        {
            // Nothing is under way that would take it away later.
            let waits = self.machines[handshake.listener].process.as_ref();
            let judged = Request::Judge { handshake: id };
            let waits =
                waits.is_some_and(|process| process.requests.values().any(|r| *r == judged));
            if !waits {
                self.handshakes.remove(&id);
            }
        }
        if self.machines[dialer].runs(boot) {
            self.join_failed(dialer, listener);
            self.tell(
                dialer,
                Input::DialFailed {
                    node: listener,
                    refused: false,
                },
            );
        }
    }

    /// The dialer has died while it judged the listener's certificate.
    pub(crate) fn break_off_handshakes(&mut self, requests: impl Iterator<Item = Request>) {
        let judging = requests.filter_map(|request| match request {
            Request::Admit { handshake } => Some(handshake),
            _ => None,
        });
        let judging: BTreeSet<Id> = judging.collect();
        for handshake in judging {
            self.hang_up(handshake);
        }
    }

    fn handshake_failed(&mut self, id: Id, refused: bool) {
        let Some(handshake) = self.handshakes.get(&id) else {
            return;
        };
        let (dialer, given_up) = (handshake.dialer, handshake.given_up);
        let node = handshake.transcript.listener;
        self.hang_up(id);
        if !given_up {
            self.tell(dialer, Input::DialFailed { node, refused });
        }
    }

    /// The dialer is not there any more, or goes: where the listener's end is open, it hears of it or hears nothing.
    fn hang_up(&mut self, id: Id) {
        let Some(handshake) = self.handshakes.remove(&id) else {
            return;
        };
        let Some(connection) = handshake.connection else {
            return;
        };
        if self.machines[handshake.dialer].runs(handshake.dialer_boot) {
            self.close(connection, DIALER);
        } else {
            self.never_opens(connection);
        }
    }
}

/// The name of a refusal's kind.
pub(crate) const fn refusal_name(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::NoMesh => "no_mesh",
        Refusal::OtherMesh => "other_mesh",
        Refusal::Version => "version",
        Refusal::Certificate { .. } => "certificate",
        Refusal::Expired => "expired",
        Refusal::Revoked => "revoked",
        Refusal::IssuerRevoked { .. } => "issuer_revoked",
        Refusal::UnknownTicket => "unknown_ticket",
        Refusal::TicketExpired => "ticket_expired",
        Refusal::TicketUsed => "ticket_used",
        Refusal::NotAnIssuer => "not_an_issuer",
        Refusal::NameTaken { .. } => "name_taken",
        Refusal::Full { .. } => "full",
        Refusal::Left => "left",
        Refusal::Pending => "pending",
        Refusal::Unspoken => "unspoken",
        Refusal::Unavailable { .. } => "unavailable",
    }
}
