//! Strangers at the gate: whatever they show, none may come in or be told why not.

use ed25519_dalek::SigningKey;
use peerage_protocol::address_book::Source;
use peerage_protocol::id::{MeshId, NodeId};
use peerage_protocol::limits::CERTIFICATE_LIFETIME;
use peerage_protocol::membership::admission::{Claim, Verdict};
use peerage_protocol::membership::certificate::{
    CERTIFICATE_VERSION, Certificate, CertificateBody, CertificateChain, Role,
};
use peerage_protocol::membership::join_request::Opening;
use peerage_protocol::membership::roster::Roster;
use peerage_protocol::membership::ticket::{TicketId, TicketProof, Transcript};
use peerage_protocol::node_state::Input;
use peerage_protocol::signature::Signer;
use peerage_protocol::time::Timestamp;

use super::World;
use super::machine::{Request, true_time};
use crate::action::Attempt;
use crate::checks::Observation;
use crate::randomness::derive;

/// Nodes that are sighted and are none of the mesh, when there is a crowd of them.
const CROWD: u32 = 300;
/// What a stranger opens that asks to be let in.
const ASKED_WITH: [u8; 32] = [1; 32];
/// Claims that strangers may have recorded.
const RECORDED_MAX: usize = 64;

/// Claims that were made in honest handshakes, the latest last.
#[derive(Default)]
pub(crate) struct Recorded(Vec<Claim>);

impl Recorded {
    pub(crate) fn add(&mut self, claim: &Claim) {
        if self.0.len() >= RECORDED_MAX {
            self.0.remove(0);
        }
        self.0.push(claim.clone());
    }
}

impl World {
    /// Somebody who is no member tries to get in at `target`.
    pub(crate) fn stranger(&mut self, action: usize, attempt: Attempt, target: usize) {
        let key = SigningKey::from_bytes(&derive(self.plan.seed, &format!("stranger {action}")));
        let stranger = NodeId::from_public_key(key.public_key());
        if attempt == Attempt::Crowd {
            self.crowd(action, target);
            return;
        }
        if attempt == Attempt::StoodBetween {
            self.stand_between(stranger, target);
            return;
        }
        if attempt == Attempt::ReplacedKey {
            self.show_replaced_key(target);
            return;
        }
        let process = self.machines[target].process.as_ref();
        let roster = process.and_then(|process| process.roster.clone());
        let Some(claim) = roster.and_then(|roster| self.claim(attempt, &key, &roster)) else {
            return;
        };
        let transcript = Transcript {
            dialer: stranger,
            listener: self.machines[target].id,
            dialer_nonce: match attempt {
                Attempt::AskedUninvited => Opening(ASKED_WITH).commitment(),
                _ => self.randomness.bytes(),
            },
            listener_nonce: self.randomness.bytes(),
        };
        if let Err(refusal) = self.precheck(target, stranger, &claim) {
            let verdict = Verdict::silent(refusal);
            self.stranger_answered(target, attempt, &verdict);
            return;
        }
        let request = Request::JudgeStranger { attempt };
        self.ask(target, request, |request| Input::Judge {
            request,
            transcript,
            claim,
            place: String::new(),
        });
    }

    /// What became of it.
    pub(crate) fn stranger_answered(&mut self, target: usize, attempt: Attempt, verdict: &Verdict) {
        if let Verdict::Refuse { reason, .. } = verdict {
            let reason = super::gate::refusal_name(reason).to_owned();
            *self.statistics.refusals.entry(reason).or_default() += 1;
        }
        self.observe(&Observation::StrangerAnswered {
            node: target,
            attempt,
            verdict,
        });
    }

    fn claim(&mut self, attempt: Attempt, key: &SigningKey, roster: &Roster) -> Option<Claim> {
        let subject = NodeId::from_public_key(key.public_key());
        let now = true_time(self.now_us);
        let chain = match attempt {
            Attempt::OtherMesh => {
                let mesh = MeshId::from_public_key(key.public_key());
                body(mesh, subject, now).sign(key, Vec::new())
            }
            Attempt::SelfSigned => body(roster.mesh, subject, now).sign(key, Vec::new()),
            Attempt::AnothersCertificate => CertificateChain::clone(&roster.own),
            Attempt::IssuedByMember => self.issued_by_member(roster.mesh, subject, now)?,
            Attempt::Forged => {
                let mut chain = CertificateChain::clone(&roster.own);
                chain.certificate.body.subject = subject;
                chain
            }
            Attempt::Expired => {
                let root = self.machines.first()?.disk.root.clone()?;
                let long_ago = now - 3 * CERTIFICATE_LIFETIME;
                body(roster.mesh, subject, long_ago).sign(&*root, Vec::new())
            }
            Attempt::GuessedTicket => return Some(self.guessed_ticket()),
            Attempt::AskedUninvited => {
                let opening = Opening(ASKED_WITH);
                let name = stranger_name();
                return Some(Claim::Ask { opening, name });
            }
            Attempt::CollectedUnapproved => return Some(Claim::Collect),
            Attempt::ReplayedClaim => {
                return self.randomness.pick(&self.recorded.0).cloned();
            }
            Attempt::ForgedRotation => return self.forged_rotation(key, roster),
            Attempt::Crowd | Attempt::StoodBetween | Attempt::ReplacedKey => return None,
        };
        Some(Claim::Member {
            chain,
            revocations: 0,
        })
    }

    /// A certificate that a member signed who may not.
    fn issued_by_member(
        &self,
        mesh: MeshId,
        subject: NodeId,
        now: Timestamp,
    ) -> Option<CertificateChain> {
        self.machines.iter().find_map(|machine| {
            let own = &machine.process.as_ref()?.roster.as_ref()?.own;
            if own.body().role != Role::Member {
                return None;
            }
            let above: Vec<Certificate> = std::iter::once(own.certificate.clone())
                .chain(own.issuers.iter().cloned())
                .collect();
            Some(body(mesh, subject, now).sign(&*machine.key, above))
        })
    }

    /// A ticket that exists, where there is one, with a proof that was made up.
    fn guessed_ticket(&mut self) -> Claim {
        let known = self
            .tickets
            .numbered
            .values()
            .next_back()
            .map(|ticket| ticket.id);
        let [id, _] = super::joins::halves(self.randomness.bytes());
        Claim::Redeem {
            ticket: known.unwrap_or(TicketId(id)),
            proof: TicketProof(self.randomness.bytes()),
            name: self.machines[0]
                .plan
                .name
                .parse()
                .unwrap_or_else(|_| stranger_name()),
        }
    }

    /// Many nodes of nobody's mesh are sighted on the local network.
    fn crowd(&mut self, action: usize, target: usize) {
        for number in 0..CROWD {
            let purpose = format!("crowd {action} {number}");
            let key = SigningKey::from_bytes(&derive(self.plan.seed, &purpose));
            self.tell(
                target,
                Input::Sighted {
                    node: NodeId::from_public_key(key.public_key()),
                    addresses: vec![format!(
                        "/ip4/192.0.2.{}/tcp/{}",
                        number % 250,
                        2_000 + number
                    )],
                    source: Source::Mdns,
                },
            );
        }
    }
}

fn body(mesh: MeshId, subject: NodeId, not_before: Timestamp) -> CertificateBody {
    CertificateBody {
        version: CERTIFICATE_VERSION,
        mesh,
        serial: 1,
        subject,
        name: stranger_name(),
        role: Role::Admin,
        not_before,
        expires: not_before + CERTIFICATE_LIFETIME,
        only: Vec::new(),
        replaces: None,
    }
}

pub(super) fn stranger_name() -> peerage_protocol::id::NodeName {
    "stranger".parse().expect("a name of letters")
}
