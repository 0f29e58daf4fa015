//! Dials: whom a node tries to reach where, and what it means to show there.

use std::sync::Arc;

use peerage_protocol::id::{MeshId, NodeId, NodeName};
use peerage_protocol::limits::{ADDRESSES_PER_NODE_MAX, GATE_DEADLINE};
use peerage_protocol::membership::admission::Claim;
use peerage_protocol::membership::certificate::{CertificateChain, Role, Validity};
use peerage_protocol::membership::ticket::{Ticket, Transcript};
use peerage_protocol::node_state::Input;

use super::World;
use super::errands::Wish;
use super::event::{Boot, Event};
use super::gate::Handshake;
use super::machine::Joining;
use super::sizes::HELLO_BYTES;

/// A dial that nobody answers is given up after this.
const UNREACHED_AFTER_US: u64 = 10_000_000;

/// What a dial is for.
#[derive(Clone)]
pub(crate) enum Purpose {
    Enter {
        chain: Arc<CertificateChain>,
        revocations: u64,
    },
    Renew {
        mesh: MeshId,
        chain: Arc<CertificateChain>,
    },
    Redeem {
        ticket: Arc<Ticket>,
        name: NodeName,
    },
    /// Something that a person wants there.
    Errand(Wish),
}

impl World {
    /// Dials `node` at the first of `addresses` where anybody listens.
    pub(crate) fn dial(&mut self, dialer: usize, node: NodeId, addresses: &[String]) {
        self.statistics.dials += 1;
        let Some(them) = self.place(node) else {
            let refused = false;
            self.tell(dialer, Input::DialFailed { node, refused });
            return;
        };
        if self.machines[them].id != node {
            // Its machine goes on with another key.
            let refused = false;
            self.join_failed(dialer, node);
            self.tell(dialer, Input::DialFailed { node, refused });
            return;
        }
        let linked = self.is_linked_to(dialer, node);
        let purpose = self.purpose(dialer, node);
        if linked && matches!(purpose, Some(Purpose::Enter { .. })) {
            return;
        }
        let Some(process) = &self.machines[dialer].process else {
            return;
        };
        let boot = process.boot;
        let mut known = addresses.iter().take(ADDRESSES_PER_NODE_MAX);
        let listens = known.any(|address| self.by_address.get(address) == Some(&them));
        let (Some(purpose), true) = (purpose, listens) else {
            self.unreached_after(dialer, them, boot, 1_000);
            return;
        };
        if self.machines[them].process.is_none() {
            // A machine that is up says that nobody listens; one that is down says nothing.
            let wait_us = if self.randomness.chance(0.5) {
                50_000
            } else {
                UNREACHED_AFTER_US
            };
            self.unreached_after(dialer, them, boot, wait_us);
            return;
        }
        if !self.network.passes(dialer, them) || !self.network.passes(them, dialer) {
            self.unreached_after(dialer, them, boot, UNREACHED_AFTER_US);
            return;
        }
        self.shake_hands(dialer, boot, them, purpose);
    }

    fn shake_hands(&mut self, dialer: usize, dialer_boot: Boot, listener: usize, purpose: Purpose) {
        let transcript = Transcript {
            dialer: self.machines[dialer].id,
            listener: self.machines[listener].id,
            dialer_nonce: match &purpose {
                Purpose::Errand(Wish::Ask { opening, .. }) => opening.commitment(),
                _ => self.randomness.bytes(),
            },
            listener_nonce: self.randomness.bytes(),
        };
        let id = self.next_id();
        self.handshakes.insert(
            id,
            Handshake {
                dialer,
                dialer_boot,
                listener,
                transcript,
                purpose,
                claim: None,
                answer: None,
                connection: None,
                given_up: false,
            },
        );
        // The secure channel takes one round trip, the hellos another.
        let channel =
            self.network.delay_us(dialer, listener) + self.network.delay_us(listener, dialer);
        let hellos =
            self.network.delay_us(dialer, listener) + self.network.delay_us(listener, dialer);
        let at_us = self.now_us + channel + hellos;
        self.count(dialer, "handshakes", 2, 2 * HELLO_BYTES);
        self.count(listener, "handshakes", 2, 2 * HELLO_BYTES);
        self.queue.schedule(at_us, Event::Greeted { handshake: id });
        let deadline_us = self.now_us + GATE_DEADLINE.as_micros() as u64;
        self.queue
            .schedule(deadline_us, Event::HandshakeDeadline { handshake: id });
    }

    /// Counts messages that bring about no event of their own.
    pub(crate) fn count(&mut self, node: usize, kind: &'static str, messages: u64, bytes: usize) {
        self.traffic.add(kind, bytes as u64);
        self.statistics.messages += messages;
        self.statistics.bytes += bytes as u64;
        let sent = &mut self.machines[node].sent;
        *sent = (sent.0 + messages, sent.1 + bytes as u64);
    }

    fn unreached_after(&mut self, node: usize, to: usize, boot: Boot, wait_us: u64) {
        let at_us = self.now_us + wait_us;
        let key = self.machines[to].id;
        self.queue.schedule(
            at_us,
            Event::Unreached {
                node,
                boot,
                to,
                key,
            },
        );
    }

    pub(crate) fn unreached(&mut self, node: usize, boot: Boot, them: NodeId) {
        if !self.machines[node].runs(boot) {
            return;
        }
        self.join_failed(node, them);
        self.tell(
            node,
            Input::DialFailed {
                node: them,
                refused: false,
            },
        );
    }

    /// What a dial of `listener` is for; `None` where there is nothing to show.
    fn purpose(&self, dialer: usize, listener: NodeId) -> Option<Purpose> {
        let process = self.machines[dialer].process.as_ref()?;
        let errand = process.errand.as_ref();
        if let Some(errand) = errand.filter(|errand| errand.listener == listener) {
            return Some(Purpose::Errand(errand.wish.clone()));
        }
        if let Some(Joining { ticket, name }) = process.joining.clone()
            && ticket.issuer == listener
        {
            return Some(Purpose::Redeem { ticket, name });
        }
        let roster = process.roster.as_ref()?;
        let (mesh, chain) = (roster.mesh, roster.own.clone());
        let wall = self.machines[dialer].wall(self.now_us);
        let expired = chain.validity(wall) == Validity::Expired;
        let issuer = roster.member(listener).map(|chain| chain.body().role);
        if expired && issuer == Some(Role::Admin) {
            Some(Purpose::Renew { mesh, chain })
        } else {
            let revocations = roster.revocations().digest();
            Some(Purpose::Enter { chain, revocations })
        }
    }
}

impl Purpose {
    /// The claim it makes in this handshake.
    pub(crate) fn claim(&self, transcript: &Transcript) -> Claim {
        match self {
            Self::Enter { chain, revocations } => Claim::Member {
                chain: CertificateChain::clone(chain),
                revocations: *revocations,
            },
            Self::Renew { chain, .. } => Claim::Renew {
                chain: CertificateChain::clone(chain),
            },
            Self::Redeem { ticket, name } => Claim::Redeem {
                ticket: ticket.id,
                proof: ticket.secret.prove(ticket.id, transcript),
                name: name.clone(),
            },
            Self::Errand(wish) => wish.claim(),
        }
    }
}
