//! Members that break the rules: their machine runs an honest node, and their network says something else beside it.

use std::sync::{Arc, OnceLock};

use ed25519_dalek::SigningKey;
use peerage_protocol::catalog::manifest::{EncodedManifest, Manifest, ServerManifest, ToolEntry};
use peerage_protocol::catalog::shelf::Shelf;
use peerage_protocol::id::{Hash, NodeId};
use peerage_protocol::limits::MANIFEST_TOOLS_MAX;
use peerage_protocol::membership::certificate::{
    CERTIFICATE_VERSION, CertificateBody, CertificateChain, Role,
};
use peerage_protocol::membership::member::Member;
use peerage_protocol::membership::peer_record::PeerRecord;
use peerage_protocol::signature::Signer;
use peerage_protocol::wire::announcement::Announcement;

use super::World;
use super::event::{Boot, Event};
use super::machine::true_time;
use super::questions::Body;
use crate::action::Misbehaviour;
use crate::randomness::derive;

/// Time between two misdeeds.
const EVERY_US: u64 = 50_000;
/// Misdeeds of one episode.
const TIMES_MAX: u32 = 200;
/// Members as they once were that a replayer remembers.
const REMEMBERED_MAX: usize = 256;
/// The server in a manifest that is given in place of the one that was announced.
pub(crate) const UNANNOUNCED_SERVER: &str = "unannounced";
/// Bytes of what is given for a manifest.
const JUNK_BYTES: usize = 4_096;

/// What goes on at one misbehaving member.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Episode {
    pub(crate) how: Misbehaviour,
    until_us: u64,
}

/// Members as they once were, for replays.
#[derive(Default)]
pub(crate) struct OldNews(Vec<Arc<Member>>);

impl OldNews {
    pub(crate) fn add(&mut self, announcement: &Announcement) {
        for member in &announcement.members {
            if self.0.len() < REMEMBERED_MAX {
                self.0.push(member.clone());
            }
        }
    }
}

impl World {
    /// A member begins to misbehave.
    pub(crate) fn misbehave(&mut self, node: usize, how: Misbehaviour, for_us: u64) {
        self.truth.liars.insert(node);
        let until_us = self.now_us + for_us;
        self.episodes.insert(node, Episode { how, until_us });
        let boot = self.machines[node].boots;
        self.queue.schedule(
            self.now_us,
            Event::Misdeed {
                node,
                boot,
                number: 0,
            },
        );
    }

    /// How a node misbehaves now, if it does.
    pub(crate) fn misbehaviour(&self, node: usize) -> Option<Misbehaviour> {
        let episode = self.episodes.get(&node)?;
        (self.now_us < episode.until_us).then_some(episode.how)
    }

    pub(crate) fn misdeed(&mut self, node: usize, boot: Boot, number: u32) {
        let Some(how) = self.misbehaviour(node) else {
            return;
        };
        if !self.machines[node].runs(boot) || number >= TIMES_MAX {
            return;
        }
        match how {
            Misbehaviour::FloodAnnouncements => {
                let manifest = self.manifest_of(node);
                self.say_of_itself(node, number, manifest);
            }
            Misbehaviour::FloodQuestions => self.ask_everybody(node),
            Misbehaviour::OtherBytes | Misbehaviour::OversizedManifest => {
                if number == 0 {
                    self.say_of_itself(node, number, Hash::of(&junk(how)));
                }
            }
            Misbehaviour::Replay => {
                if let Some(old) = self.randomness.pick(&self.old_news.0).cloned() {
                    self.say(node, old);
                }
            }
            Misbehaviour::Equivocate => {
                // Two records of one sequence, which go around at the same time.
                let first = self.randomness.bytes();
                self.say_of_itself(node, number / 2, Hash::of(&first));
            }
            Misbehaviour::InventMembers => self.invent_member(node, number),
            Misbehaviour::ForgeRecords => self.forge_record(node, number),
        }
        let at_us = self.now_us + EVERY_US;
        let number = number + 1;
        self.queue
            .schedule(at_us, Event::Misdeed { node, boot, number });
    }

    /// What is answered in place of a manifest, while its node lies about it.
    pub(crate) fn false_manifest(&self, node: usize) -> Option<Arc<EncodedManifest>> {
        let how = self.misbehaviour(node)?;
        match how {
            Misbehaviour::OtherBytes => {
                let bytes = manifest_bytes(UNANNOUNCED_SERVER, 1);
                let hash = Hash::of(&bytes);
                Some(Arc::new(EncodedManifest { bytes, hash }))
            }
            Misbehaviour::OversizedManifest => {
                let manifest = OVERSIZED.get_or_init(|| {
                    let bytes = junk(how);
                    let hash = Hash::of(&bytes);
                    Arc::new(EncodedManifest { bytes, hash })
                });
                Some(manifest.clone())
            }
            _ => None,
        }
    }

    fn manifest_of(&self, node: usize) -> Hash {
        let process = self.machines[node].process.as_ref();
        process.map_or(Hash::of(b""), |process| process.manifest.hash)
    }

    fn own_chain(&self, node: usize) -> Option<Arc<CertificateChain>> {
        let roster = self.machines[node].process.as_ref()?.roster.as_ref()?;
        Some(roster.own.clone())
    }

    fn say_of_itself(&mut self, node: usize, number: u32, manifest: Hash) {
        let Some(chain) = self.own_chain(node) else {
            return;
        };
        let machine = &self.machines[node];
        let sequence = machine.wall(self.now_us).0 + u64::from(number);
        let addresses = vec![machine.address.clone()];
        let record = PeerRecord::sign(&*machine.key, &chain, sequence, addresses, manifest, false);
        self.say(node, Arc::new(Member::new(chain, Some(record))));
    }

    fn say(&mut self, node: usize, member: Arc<Member>) {
        let announcement = Announcement {
            members: vec![member],
            ..Announcement::default()
        };
        // Whoever has nobody to lie to lies to nobody.
        let _ = self.publish_by(node, Arc::new(announcement));
    }

    fn invent_member(&mut self, node: usize, number: u32) {
        let Some(own) = self
            .own_chain(node)
            .filter(|own| own.body().role == Role::Member)
        else {
            // Whom an admin invents it has admitted.
            return;
        };
        let mesh = own.body().mesh;
        let purpose = format!("invented {node} {number}");
        let key = SigningKey::from_bytes(&derive(self.plan.seed, &purpose));
        let Ok(name) = format!("invented-{number}").parse() else {
            return;
        };
        let now = true_time(self.now_us);
        let body = CertificateBody {
            version: CERTIFICATE_VERSION,
            mesh,
            serial: 1,
            subject: NodeId::from_public_key(key.public_key()),
            name,
            role: Role::Member,
            not_before: now,
            expires: now + peerage_protocol::limits::CERTIFICATE_LIFETIME,
            only: Vec::new(),
            replaces: None,
        };
        let issuers = vec![own.certificate.clone()];
        let chain = Arc::new(body.sign(&*self.machines[node].key, issuers));
        let record = PeerRecord::sign(&key, &chain, now.0, Vec::new(), Hash::of(b""), false);
        self.say(node, Arc::new(Member::new(chain, Some(record))));
    }

    /// Says in the name of another that it leaves, or offers nothing, which only its own key could sign.
    fn forge_record(&mut self, node: usize, number: u32) {
        let process = self.machines[node].process.as_ref();
        let Some(roster) = process.and_then(|process| process.roster.clone()) else {
            return;
        };
        let others: Vec<Arc<CertificateChain>> =
            roster.members().map(|(_, chain)| chain.clone()).collect();
        let Some(chain) = self.randomness.pick(&others).cloned() else {
            return;
        };
        let machine = &self.machines[node];
        let sequence = machine.wall(self.now_us).0 + u64::from(number);
        let (nothing, leaving) = (Hash::of(b""), number.is_multiple_of(2));
        let record = PeerRecord::sign(
            &*machine.key,
            &chain,
            sequence,
            Vec::new(),
            nothing,
            leaving,
        );
        self.say(node, Arc::new(Member::new(chain, Some(record))));
    }

    fn ask_everybody(&mut self, node: usize) {
        let process = self.machines[node].process.as_ref();
        let linked: Vec<usize> = process.map_or(Vec::new(), |p| p.peers.keys().copied().collect());
        for other in linked {
            let (id, hash) = (self.machines[other].id, self.manifest_of(other));
            self.put_question(node, id, Body::Manifest(hash));
            self.put_question(node, id, Body::Renew);
        }
    }
}

/// The same in every world.
static OVERSIZED: OnceLock<Arc<EncodedManifest>> = OnceLock::new();

/// Bytes that have the hash that was announced: of an oversized manifest, or of none at all.
fn junk(how: Misbehaviour) -> Vec<u8> {
    if how != Misbehaviour::OversizedManifest {
        return vec![0xa5; JUNK_BYTES];
    }
    manifest_bytes("endless", MANIFEST_TOOLS_MAX + 1)
}

/// A manifest of one server with so many tools.
fn manifest_bytes(server: &str, tools: usize) -> Vec<u8> {
    let tool = |number| ToolEntry {
        name: format!("tool_{number}").into(),
        definition: "{}".into(),
    };
    let Ok(name) = server.parse() else {
        return Vec::new();
    };
    let server = ServerManifest {
        name,
        tools: (0..tools).map(tool).collect(),
        shelf: Shelf::default(),
    };
    let mut bytes = Vec::new();
    // Writing to memory does not fail.
    let _ = ciborium::into_writer(&Manifest::new(vec![server]), &mut bytes);
    bytes
}
