//! Asks who is on the local network, answers who asks, and tells control of members that it hears.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use peerage_protocol::address_book::Source;
use peerage_protocol::id::{MeshId, NodeId};
use peerage_protocol::signature::Signer;
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use super::announcement::{announce, recognise};
use super::packet;
use super::sockets::{PORT, Sockets};
use crate::control::{ControlHandle, Snapshots, tell_sighted, wall};

/// Time between two looks at the interfaces and at the mesh.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// When a node asks after it came to a network, counted from its arrival; then every [`ASK_EVERY`].
const ASK_AT: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_millis(500),
    Duration::from_secs(3),
];

/// Time between two questions of a node that stays.
const ASK_EVERY: Duration = Duration::from_secs(60);

/// Time between two answers: one is heard by all who asked.
const ANSWER_EVERY: Duration = Duration::from_millis(200);

/// The longest packet that is read (RFC 6762, 17).
const PACKET_BYTES_MAX: usize = 9_000;

/// Askers that get an answer of their own with each answer to all.
const ASKERS_MAX: usize = 16;

/// Sightings told to control for each look: more than a network of members makes.
const SIGHTINGS_MAX: u32 = 256;

/// Time between two words about announcements that were passed over.
const PASSED_OVER_TOLD_EVERY: Duration = Duration::from_secs(60);

/// What a node on a local network is made of.
pub struct BeaconSettings {
    /// The node's key.
    pub key: Arc<dyn Signer>,
    /// Where members are told of.
    pub control: ControlHandle,
    /// The mesh, and where this node listens.
    pub snapshots: Arc<Snapshots>,
    /// Notified when the network may be another one.
    pub arrived: Arc<Notify>,
}

/// A node on its local networks.
pub struct Beacon {
    settings: BeaconSettings,
    me: NodeId,
    sockets: Sockets,
    /// What was known at the last look; a change is a new arrival.
    said: Option<(MeshId, Vec<Multiaddr>)>,
    arrived: Instant,
    asked: usize,
    next_question: Instant,
    answered: Option<Instant>,
    next_answer: Option<Instant>,
    sightings: u32,
    /// Announcements since that was last told that no member of this mesh made lately, or too many at once.
    passed_over: u64,
    passed_over_told: Option<Instant>,
    /// Who is answered beside the group: a scan, which the group does not reach.
    askers: BTreeSet<SocketAddr>,
}

impl Beacon {
    /// Looks around until `stop`; a machine without multicast goes without, and says so.
    pub async fn run(settings: BeaconSettings, stop: CancellationToken) {
        let sockets = match Sockets::open() {
            Ok(sockets) => sockets,
            Err(error) => {
                return tracing::warn!(%error, "no discovery on the local network");
            }
        };
        let now = Instant::now();
        let beacon = Self {
            me: NodeId::from_public_key(settings.key.public_key()),
            settings,
            sockets,
            said: None,
            arrived: now,
            asked: 0,
            next_question: now,
            answered: None,
            next_answer: None,
            sightings: 0,
            passed_over: 0,
            passed_over_told: None,
            askers: BTreeSet::new(),
        };
        // A stop ends it wherever it is: nothing here must be finished.
        stop.run_until_cancelled(beacon.follow()).await;
    }

    async fn follow(mut self) {
        let mut buffer = vec![0; PACKET_BYTES_MAX];
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let arrived = self.settings.arrived.clone();
        loop {
            let now = Instant::now();
            let answer = self.next_answer.unwrap_or(now + ASK_EVERY);
            let question = self.next_question;
            tokio::select! {
                _ = looks.tick() => self.look(),
                () = arrived.notified() => self.arrive(),
                () = sleep_until(answer) => self.answer(),
                () = sleep_until(question) => self.ask(),
                heard = self.sockets.hear(&mut buffer) => match heard {
                    Ok((bytes, from)) => self.hear(&buffer[..bytes], from).await,
                    Err(error) => {
                        tracing::debug!(%error, "a packet of the local network was lost");
                    }
                },
            }
        }
    }

    /// Whether this node has come to another network, mesh or address.
    fn look(&mut self) {
        self.sightings = 0;
        self.tell_of_passed_over(Instant::now());
        let news = self.sockets.follow_interfaces();
        let says = self.says();
        if says != self.said || news {
            self.said = says;
            self.arrive();
        }
    }

    fn tell_of_passed_over(&mut self, now: Instant) {
        let told = self.passed_over_told;
        let is_due = told.is_none_or(|told| now >= told + PASSED_OVER_TOLD_EVERY);
        if self.passed_over > 0 && is_due {
            let count = std::mem::take(&mut self.passed_over);
            self.passed_over_told = Some(now);
            tracing::info!(
                count,
                "announcements on the local network were passed over: of another mesh, old or forged"
            );
        }
    }

    /// Says where it is and asks who is there, at once and again: the first packets may be lost.
    fn arrive(&mut self) {
        let now = Instant::now();
        (self.arrived, self.asked, self.next_question) = (now, 0, now);
        self.answer_soon(now);
    }

    fn ask(&mut self) {
        let now = Instant::now();
        self.asked += 1;
        self.next_question = match ASK_AT.get(self.asked) {
            Some(after) => self.arrived + *after,
            None => now + ASK_EVERY,
        };
        if let Some(question) = packet::question().filter(|_| self.said.is_some()) {
            self.sockets.say(&question);
        }
    }

    fn answer_soon(&mut self, now: Instant) {
        let earliest = self
            .answered
            .map_or(now, |last| now.max(last + ANSWER_EVERY));
        self.next_answer.get_or_insert(earliest);
    }

    fn answer(&mut self) {
        self.next_answer = None;
        let Some((mesh, addresses)) = &self.said else {
            return;
        };
        self.answered = Some(Instant::now());
        let said = announce(*mesh, &*self.settings.key, addresses, wall());
        if let Some(answer) = said.and_then(|said| packet::answer(&said)) {
            self.sockets.say(&answer);
            for asker in std::mem::take(&mut self.askers) {
                self.sockets.reply(&answer, asker);
            }
        }
    }

    async fn hear(&mut self, packet: &[u8], from: SocketAddr) {
        let Some((mesh, _)) = self.said else {
            return;
        };
        let read = packet::read(packet);
        if read.asks {
            self.answer_soon(Instant::now());
            // An answer is longer than its question: it goes to no address that could be somebody else's far away.
            let near = matches!(from.ip(), IpAddr::V4(ip) if ip.is_private() || ip.is_link_local());
            if near && from.port() != PORT && self.askers.len() < ASKERS_MAX {
                self.askers.insert(from);
            }
        }
        for bytes in read.announcements {
            let announced = recognise(mesh, &bytes, wall());
            let Some(announced) = announced.filter(|_| self.sightings < SIGHTINGS_MAX) else {
                self.passed_over += 1;
                continue;
            };
            if announced.node == self.me {
                continue;
            }
            self.sightings += 1;
            let BeaconSettings {
                control, snapshots, ..
            } = &self.settings;
            tell_sighted(
                control,
                snapshots,
                announced.node,
                announced.addresses,
                Source::Mdns,
            )
            .await;
        }
    }

    /// The mesh and where others on the local network can dial this node; nothing while it belongs to none.
    fn says(&self) -> Option<(MeshId, Vec<Multiaddr>)> {
        let mesh = self.settings.snapshots.roster()?.mesh;
        let listening = self.settings.snapshots.listening();
        let dialable = listening.iter().filter(|address| is_dialable(address));
        Some((mesh, dialable.cloned().collect()))
    }
}

/// IPv4 addresses first would be no better: the dialer ranks them. Loopback says nothing to others.
fn is_dialable(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => !ip.is_loopback(),
        Some(Protocol::Ip6(ip)) => !ip.is_loopback(),
        _ => false,
    }
}
