//! Soundings: every linked member is asked now and then how far away it is, how its clock stands, and whether it
//! hears another node with this node's key.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use peerage_protocol::id::NodeId;
use peerage_protocol::membership::instances::Instances;
use peerage_protocol::wire::sounding::{Instance, PLACE_BYTES_MAX, Sounded, Sounding};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::clock::{Clock, wall};
use super::network::PeerNetwork;
use super::snapshots::Snapshots;

/// The kind of the exchange.
pub(super) const SOUND: &str = "sound";
/// How often each linked member is asked.
const EVERY: Duration = Duration::from_secs(10);
/// How often it is looked who is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a member may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Members that are asked at a time.
const ASKED_AT_ONCE_MAX: usize = 16;
/// How long it is said that another node has this node's key after a member said so.
const OTHER_REMEMBERED: Duration = Duration::from_secs(60);

/// What soundings brought.
pub struct Soundings {
    clock: Clock,
    question: Sounding,
    instances: Mutex<Instances>,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    /// When each linked member was asked last, whether it answered or not.
    asked: BTreeMap<NodeId, Instant>,
    depths: BTreeMap<NodeId, Depth>,
    other: Option<(OtherInstance, Instant)>,
}

/// What the last sounding of a linked member brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// From the question to the answer.
    pub round_trip: Duration,
    /// How far its clock is ahead of this node's, in milliseconds; negative when it is behind. As exact as half the
    /// round trip.
    pub clock_ahead: i64,
}

/// Another live node with this node's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherInstance {
    /// Where it runs, as it says itself.
    pub place: String,
    /// The member that hears both.
    pub told_by: NodeId,
}

impl Soundings {
    /// Nothing was sounded yet.
    pub fn new(clock: Clock) -> Self {
        let mut instance = [0; 16];
        if let Err(error) = getrandom::fill(&mut instance) {
            tracing::warn!(%error, "no randomness: a copy of this home could not be told from it");
        }
        Self {
            clock,
            question: Sounding {
                instance: Instance(instance),
                place: place(),
            },
            instances: Mutex::default(),
            found: Mutex::default(),
        }
    }

    /// What the last sounding of `node` brought, while it is linked.
    pub fn depth(&self, node: NodeId) -> Option<Depth> {
        self.found().depths.get(&node).copied()
    }

    /// Another live node with this node's key, if a member told of one lately.
    pub fn other_instance(&self) -> Option<OtherInstance> {
        let found = self.found();
        let (other, told) = found.other.as_ref()?;
        (told.elapsed() < OTHER_REMEMBERED).then(|| other.clone())
    }

    /// The answer to a member's sounding.
    pub(super) fn answer(&self, from: NodeId, asked: &Sounding) -> Sounded {
        let now = self.clock.now();
        let mut instances = lock(&self.instances);
        let other = instances.heard(now.monotonic, from, asked.instance, &asked.place);
        let wall = now.wall;
        Sounded { wall, other }
    }

    /// Asks the members that are linked, until `stop`.
    pub async fn run(
        self: Arc<Self>,
        network: Arc<dyn PeerNetwork>,
        snapshots: Arc<Snapshots>,
        stop: CancellationToken,
    ) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(looks.tick()).await.is_some() {
            let asked = self.due(&snapshots).into_iter();
            let asked = asked.map(|node| self.sound(network.as_ref(), node));
            let all = futures::stream::iter(asked).buffer_unordered(ASKED_AT_ONCE_MAX);
            stop.run_until_cancelled(all.for_each(|()| async {})).await;
        }
    }

    /// The linked members whose turn it is; those that are not linked any more are forgotten.
    fn due(&self, snapshots: &Snapshots) -> Vec<NodeId> {
        let links = snapshots.links();
        let links = links.borrow();
        let up = |node: &NodeId| links.get(node).is_some_and(|link| link.up);
        let mut found = self.found();
        found.depths.retain(|node, _| up(node));
        found.asked.retain(|node, _| up(node));
        let due = |node: &&NodeId| {
            let last = found.asked.get(node);
            up(node) && last.is_none_or(|asked| asked.elapsed() >= EVERY)
        };
        links.keys().filter(due).copied().collect()
    }

    async fn sound(&self, network: &dyn PeerNetwork, node: NodeId) {
        let (asked, at) = (Instant::now(), wall());
        self.found().asked.insert(node, asked);
        let answer = timeout(
            PATIENCE,
            network.exchange(node, SOUND, self.question.encode()),
        )
        .await;
        let round_trip = asked.elapsed();
        let answer = match answer {
            Ok(Ok(answer)) => Sounded::decode(&answer).map_err(|error| error.to_string()),
            Ok(Err(why)) => Err(why),
            Err(_) => Err(format!("no answer within {PATIENCE:?}")),
        };
        match answer {
            Ok(Sounded { wall, other }) => {
                let mut found = self.found();
                let middle = (at + round_trip / 2).0.cast_signed();
                let clock_ahead = wall.0.cast_signed().saturating_sub(middle);
                let depth = Depth {
                    round_trip,
                    clock_ahead,
                };
                found.depths.insert(node, depth);
                if let Some(place) = other {
                    tracing::warn!(%node, place, "a member hears another live node with this node's key");
                    let told_by = node;
                    found.other = Some((OtherInstance { place, told_by }, asked));
                }
            }
            Err(why) => tracing::debug!(%node, why, "a sounding brought nothing"),
        }
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        lock(&self.found)
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The machine and the process.
fn place() -> String {
    let machine = rustix::system::uname();
    let process = format!(", process {}", std::process::id());
    let machine = machine.nodename().to_string_lossy();
    let kept = |(at, c): &(usize, char)| at + c.len_utf8() + process.len() <= PLACE_BYTES_MAX;
    let machine: String = machine
        .char_indices()
        .take_while(kept)
        .map(|(_, c)| c)
        .collect();
    machine + &process
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_says_where_it_runs() {
        assert!(place().ends_with(&format!("process {}", std::process::id())));
        assert!(place().len() <= PLACE_BYTES_MAX);
    }

    #[test]
    fn a_copy_is_told_of_the_other() {
        let member = Soundings::new(Clock::start());
        let node = NodeId::from_public_key([1; 32]);
        let question = |number: u8| Sounding {
            instance: Instance([number; 16]),
            place: format!("machine {number}"),
        };
        let told = [1, 2, 1].map(|number| member.answer(node, &question(number)).other);
        assert_eq!(told, [None, None, Some("machine 2".to_owned())]);
    }
}
