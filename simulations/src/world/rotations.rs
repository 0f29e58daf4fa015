//! Other keys for nodes of a world: made on their machines, certified by an admin or the root key, in force from the next
//! start on; and whoever finds the old one, or wants a place that is not its own.

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use peerage_protocol::id::NodeId;
use peerage_protocol::membership::admission::{Claim, Verdict};
use peerage_protocol::membership::certificate::{CertificateChain, Role, Validity};
use peerage_protocol::membership::roster::Roster;
use peerage_protocol::membership::rotation::Rotation;
use peerage_protocol::membership::ticket::Transcript;
use peerage_protocol::node_state::{Input, Record, RecordKey};
use peerage_protocol::signature::Signer;

use super::World;
use super::errands::Wish;
use super::event::{Boot, Event};
use super::machine::{KillOrder, Machine, Request};
use super::truth::ReplacedKey;
use crate::action::{Attempt, WriteUnderWay};
use crate::checks::Observation;
use crate::randomness::derive;

/// Another admin is looked for after this.
const TRY_EVERY_US: u64 = 5_000_000;
/// How long a node takes to start again under its new key.
const START_AGAIN_US: u64 = 300_000;

/// The key that is to follow the one in force.
pub(crate) struct NextKey {
    pub(crate) key: Arc<SigningKey>,
    /// The certificate of the one in force when it was made.
    held: Arc<CertificateChain>,
}

impl NextKey {
    fn id(&self) -> NodeId {
        NodeId::from_public_key(self.key.public_key())
    }
}

impl World {
    /// An action has a node's key replaced.
    pub(crate) fn begin_rotation(&mut self, node: usize) {
        let machine = &mut self.machines[node];
        let process = machine.process.as_ref();
        let roster = process.and_then(|process| process.roster.clone());
        let (Some(roster), None) = (roster, &machine.next_key) else {
            return;
        };
        let number = machine.plan.number.0;
        let purpose = format!("node {number}, key {}", machine.rotations + 2);
        let key = SigningKey::from_bytes(&derive(self.plan.seed, &purpose));
        let next = NextKey {
            key: Arc::new(key),
            held: roster.own.clone(),
        };
        self.by_id.insert(next.id(), node);
        machine.next_key = Some(next);
        self.rotate(node, &roster);
    }

    /// A node that starts in the middle of a rotation goes on with it.
    pub(crate) fn go_on_rotating(&mut self, node: usize) {
        if self.machines[node].next_key.is_some() {
            self.rotate_later(node);
        }
    }

    fn rotate_later(&mut self, node: usize) {
        let boot = self.machines[node].boots;
        let at_us = self.now_us + TRY_EVERY_US;
        self.queue.schedule(at_us, Event::Rotate { node, boot });
    }

    pub(crate) fn rotate_again(&mut self, node: usize, boot: Boot) {
        let machine = &mut self.machines[node];
        if !machine.runs(boot) {
            return;
        }
        let process = machine.process.as_ref();
        match process.and_then(|process| process.roster.clone()) {
            Some(roster) => self.rotate(node, &roster),
            None => machine.next_key = None,
        }
    }

    /// Has the next key certified: by the root key where that is here, else by an admin.
    fn rotate(&mut self, node: usize, roster: &Roster) {
        self.rotate_later(node);
        let machine = &self.machines[node];
        let Some(next) = &machine.next_key else {
            return;
        };
        let rotation = Rotation::sign(roster.mesh, &*machine.key, &*next.key);
        if machine.disk.root.is_some() {
            self.ask(node, Request::Rotate, |request| Input::RotateOwn {
                request,
                rotation,
            });
            return;
        }
        let wall = machine.wall(self.now_us);
        let admins = roster.members().filter(|(_, chain)| {
            chain.body().role == Role::Admin
                && chain.rank() <= roster.own.rank()
                && chain.validity(wall) == Validity::Valid
        });
        let admins: Vec<NodeId> = admins.map(|(admin, _)| admin).collect();
        let Some(admin) = self.randomness.pick(&admins).copied() else {
            return;
        };
        if let Some(place) = self.place(admin) {
            let wish = Wish::Rotate {
                chain: roster.own.clone(),
                rotation: Arc::new(rotation),
            };
            self.run_errand(node, place, wish);
        }
    }

    /// The next key's certificate is on disk: the node starts again under it.
    pub(crate) fn key_replaced(&mut self, node: usize) {
        let held = self.machines[node].next_key.as_ref();
        let held = held.map(|next| next.held.clone());
        let (Some(held), Some(issued)) = (held, home(&self.machines[node])) else {
            return;
        };
        self.observe(&Observation::KeyReplaced {
            node,
            held: &held,
            issued: &issued,
        });
        let order = KillOrder {
            outputs_left: 0,
            write: WriteUnderWay::Kept,
            down_us: START_AGAIN_US,
        };
        self.kill(node, order);
    }

    /// Whether or not its node knew it before it was killed, the key that the disk's certificate names is in force.
    pub(crate) fn put_key_in_force(&mut self, node: usize) {
        let home = home(&self.machines[node]);
        let machine = &mut self.machines[node];
        let Some(next) = machine.next_key.take_if(|next| {
            let subject = home.as_ref().map(|chain| chain.body().subject);
            subject.is_none_or(|subject| subject == next.id())
        }) else {
            return;
        };
        let Some(chain) = home else {
            // It has left: nobody is to follow.
            return;
        };
        let id = std::mem::replace(&mut machine.id, next.id());
        machine.disk.belongs_to(machine.id);
        machine.key = next.key;
        machine.rotations += 1;
        self.truth.issued(&chain);
        let chain = next.held;
        self.truth.replaced.push(ReplacedKey { id, chain });
    }

    /// Somebody shows a key that was replaced, at a node that knows that.
    pub(crate) fn show_replaced_key(&mut self, target: usize) {
        let process = self.machines[target].process.as_ref();
        let Some(roster) = process.and_then(|process| process.roster.clone()) else {
            return;
        };
        let places: Vec<usize> = (0..self.truth.replaced.len()).collect();
        let place = self.randomness.pick(&places).copied();
        let Some(old) = place.and_then(|place| self.truth.replaced.get(place)) else {
            return;
        };
        let follows = |chain: &CertificateChain| chain.body().replaces == Some(old.id);
        let followed = roster.members().any(|(_, chain)| follows(chain)) || follows(&roster.own);
        if !followed && roster.revocations().check_node(old.id).is_ok() {
            return;
        }
        let claim = Claim::Member {
            chain: CertificateChain::clone(&old.chain),
            revocations: 0,
        };
        let (thief, listener) = (old.id, self.machines[target].id);
        let attempt = Attempt::ReplacedKey;
        if let Err(refusal) = self.precheck(target, thief, &claim) {
            self.stranger_answered(target, attempt, &Verdict::silent(refusal));
            return;
        }
        let transcript = Transcript {
            dialer: thief,
            listener,
            dialer_nonce: self.randomness.bytes(),
            listener_nonce: self.randomness.bytes(),
        };
        self.ask(target, Request::JudgeStranger { attempt }, |request| {
            Input::Judge {
                request,
                transcript,
                claim,
                place: String::new(),
            }
        });
    }

    /// The wish for a member's place, by the word of a key of nobody's in place of the member's.
    pub(crate) fn forged_rotation(&mut self, key: &SigningKey, roster: &Roster) -> Option<Claim> {
        let members: Vec<NodeId> = roster.members().map(|(node, _)| node).collect();
        let victim = self.randomness.pick(&members).copied()?;
        let chain = CertificateChain::clone(roster.member(victim)?);
        let nobody = SigningKey::from_bytes(&self.randomness.bytes());
        let mut rotation = Rotation::sign(roster.mesh, &nobody, key);
        rotation.old = victim;
        Some(Claim::Rotate {
            chain,
            rotation: Box::new(rotation),
        })
    }
}

/// The certificate on a machine's disk.
fn home(machine: &Machine) -> Option<Arc<CertificateChain>> {
    match machine.disk.record(&RecordKey::Home)? {
        Record::Home { chain, .. } => Some(chain.clone()),
        _ => None,
    }
}
