//! Dials for something else than a link or a ticket: to ask to be let in, to fetch the certificate, to have a key replaced.

use std::sync::Arc;

use peerage_protocol::id::{NodeId, NodeName};
use peerage_protocol::membership::admission::{Claim, Refusal};
use peerage_protocol::membership::certificate::CertificateChain;
use peerage_protocol::membership::join_request::Opening;
use peerage_protocol::membership::rotation::Rotation;
use peerage_protocol::node_state::Input;

use super::World;
use super::event::Id;
use super::machine::Request;

/// What another is dialed for; a node runs one errand at a time.
pub(crate) struct Errand {
    pub(crate) listener: NodeId,
    pub(crate) wish: Wish,
}

/// What is wanted there.
#[derive(Clone)]
pub(crate) enum Wish {
    /// To be let in.
    Ask { opening: Opening, name: NodeName },
    /// The certificate, once words were compared.
    Collect,
    /// Another key.
    Rotate {
        chain: Arc<CertificateChain>,
        rotation: Arc<Rotation>,
    },
}

impl Wish {
    /// The claim it makes.
    pub(crate) fn claim(&self) -> Claim {
        match self {
            Self::Ask { opening, name } => Claim::Ask {
                opening: *opening,
                name: name.clone(),
            },
            Self::Collect => Claim::Collect,
            Self::Rotate { chain, rotation } => Claim::Rotate {
                chain: CertificateChain::clone(chain),
                rotation: Box::new(Rotation::clone(rotation)),
            },
        }
    }
}

impl World {
    /// Dials the node at `place` for `wish`, unless another errand is under way.
    pub(crate) fn run_errand(&mut self, node: usize, place: usize, wish: Wish) {
        let listener = self.machines[place].id;
        let addresses = vec![self.machines[place].address.clone()];
        let Some(process) = &mut self.machines[node].process else {
            return;
        };
        if process.errand.is_some() || process.joining.is_some() {
            return;
        }
        process.errand = Some(Errand { listener, wish });
        self.disconnect(node, place);
        self.dial(node, listener, &addresses);
    }

    /// No errand is under way any more.
    pub(crate) fn errand_over(&mut self, node: usize) {
        if let Some(process) = &mut self.machines[node].process {
            process.errand = None;
        }
    }

    /// The errand at `listener`, if there is one, came to nothing.
    pub(crate) fn errand_failed(&mut self, node: usize, listener: NodeId) {
        let process = self.machines[node].process.as_ref();
        let errand = process.and_then(|process| process.errand.as_ref());
        if errand.is_some_and(|errand| errand.listener == listener) {
            self.errand_over(node);
        }
    }

    /// The listener has issued what was wished for.
    pub(crate) fn errand_granted(
        &mut self,
        id: Id,
        wish: &Wish,
        own: Arc<CertificateChain>,
        issued: Arc<CertificateChain>,
    ) {
        let Some(handshake) = self.handshakes.get(&id) else {
            return;
        };
        let (dialer, listener) = (handshake.dialer, handshake.transcript.listener);
        if let Wish::Rotate { rotation, .. } = wish {
            let new = rotation.new;
            self.handshakes.remove(&id);
            self.ask(dialer, Request::Rotate, |request| Input::Rotated {
                request,
                listener,
                theirs: Arc::unwrap_or_clone(own),
                new,
                issued: Arc::unwrap_or_clone(issued),
            });
            return;
        }
        let there = self.machines[handshake.listener].address.clone();
        self.certify(id, (issued.body().mesh, vec![there]), own, issued);
    }

    /// The listener said no, or not yet.
    pub(crate) fn errand_refused(&mut self, id: Id, wish: &Wish, reason: Option<&Refusal>) {
        let Some(handshake) = self.handshakes.get(&id) else {
            return;
        };
        let (dialer, admin) = (handshake.dialer, handshake.listener);
        let transcript = handshake.transcript;
        let waits = reason == Some(&Refusal::Pending);
        self.errand_over(dialer);
        match wish {
            Wish::Ask { opening, .. } if waits => {
                self.words_shown(dialer, admin, opening.words(&transcript));
            }
            Wish::Collect if waits => self.collect_later(dialer),
            Wish::Collect => self.not_granted(dialer),
            Wish::Ask { .. } | Wish::Rotate { .. } => {}
        }
    }
}
