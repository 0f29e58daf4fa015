//! What a scenario file says.

use serde::Deserialize;

use super::ScenarioError;
use crate::network_profile::{Latency, NetworkProfile};
use crate::plan::DiskProfile;
use crate::randomness::Randomness;

/// A scenario file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// What it is about.
    pub(super) about: String,
    /// How long after the last fault everything must have converged.
    pub(super) settle_seconds: u64,
    /// For how long faults go on after the nodes have joined.
    #[serde(default)]
    pub(super) faults_for_seconds: u64,
    /// Whether each seed draws how much there is of each thing in the mix.
    #[serde(default)]
    pub(super) draw_mix: bool,
    pub(super) nodes: Nodes,
    pub(super) network: Network,
    pub(super) disk: Disk,
    #[serde(default)]
    pub(super) mix: Mix,
}

/// The nodes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nodes {
    /// How many, unless the command says otherwise.
    pub(super) default: u32,
    /// Within which time they join.
    pub(super) join_within_seconds: u64,
    /// The share of them that are admins.
    #[serde(default)]
    pub(super) admins: f64,
    /// The share of them that share tools.
    pub(super) sharing: f64,
    /// How far clocks are off at most.
    #[serde(default)]
    pub(super) clock_skew_seconds: u64,
    /// The share of them that ask for one and the same name.
    #[serde(default = "one_in_eight")]
    pub(super) namesakes: f64,
    /// Whether they say which region of the network they are in.
    #[serde(default)]
    pub(super) regions: bool,
    /// How long their certificates live, if not as long as usual.
    pub(super) certificate_seconds: Option<u64>,
}

/// The network.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Network {
    /// The least one-way latency from each region to each, in milliseconds.
    pub(super) latency_ms: Vec<Vec<f64>>,
    /// The mean of what comes on top, as a share of the least.
    pub(super) tail: f64,
    pub(super) loss: f64,
    #[serde(default)]
    pub(super) duplicate: f64,
    #[serde(default)]
    pub(super) reorder: f64,
    pub(super) megabits_per_second: f64,
}

/// The disks.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Disk {
    /// The least and the most time that a write takes, in milliseconds.
    pub(super) write_ms: [f64; 2],
}

/// How much is done to the world while the faults last: of what is done to one node, how often to each on average; of
/// partitions and degradations, how many there are.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Mix {
    pub(super) crash: f64,
    pub(super) restore_backup: f64,
    pub(super) long_crash: f64,
    pub(super) stall: f64,
    pub(super) pause: f64,
    pub(super) jump_clock: f64,
    pub(super) leave: f64,
    pub(super) revoke: f64,
    pub(super) r#move: f64,
    pub(super) change_tools: f64,
    pub(super) ticket: f64,
    pub(super) stranger: f64,
    pub(super) misbehave: f64,
    pub(super) partition: f64,
    pub(super) degrade: f64,
    /// Not among those that a seed draws anew.
    pub(super) append: f64,
    /// Neither.
    pub(super) contradict: f64,
    /// Messages to agents, neither.
    pub(super) letter: f64,
    /// More of them at once than is read, neither.
    pub(super) flood: f64,
    /// Tasks that agents race for, neither.
    pub(super) race: f64,
    /// How often an arbiter forgets whom it gave a task to, while another claims it. Neither.
    pub(super) forgetful: f64,
    /// Neither: how often somebody forges what others say.
    pub(super) forge: f64,
    /// Neither: how often two admins that cannot reach each other let in a namesake each.
    pub(super) namesakes: f64,
    /// How often the way between two linked nodes of different regions is cut. Neither.
    pub(super) cut_way: f64,
    /// How often a region is cut off. Neither.
    pub(super) isolate: f64,
    /// Neither: proposals in all, on each of which everybody votes.
    pub(super) propose: f64,
    /// Neither: how many of the voters on a proposal sign two votes, on average.
    pub(super) vote_twice: f64,
    /// Neither: partitions of five minutes.
    pub(super) long_partition: f64,
    /// How often the mesh is cut into two halves, neither.
    pub(super) halve: f64,
    /// Neither: how often a node leaves and asks an admin to be let in again, by words.
    pub(super) ask_in: f64,
    /// Neither: how often a node gets another key.
    pub(super) rotate: f64,
    /// Neither: how often somebody stands between a node and an admin, or wants a place or shows a key that is not its own.
    pub(super) impostor: f64,
}

fn one_in_eight() -> f64 {
    0.125
}

impl Settings {
    /// Whether every value is within its bounds.
    pub(super) fn check(&self) -> Result<(), ScenarioError> {
        let shares = [
            ("nodes.admins", self.nodes.admins),
            ("nodes.sharing", self.nodes.sharing),
            ("nodes.namesakes", self.nodes.namesakes),
        ];
        for (key, share) in shares {
            check(key, share, 0.0, 1.0, "from 0 to 1")?;
        }
        check(
            "nodes.default",
            f64::from(self.nodes.default),
            1.0,
            9_000.0,
            "from 1 to 9000",
        )?;
        if let Some(seconds) = self.nodes.certificate_seconds {
            let (key, allowed) = ("nodes.certificate_seconds", "from 5 to 100000");
            check(key, seconds as f64, 5.0, 100_000.0, allowed)?;
        }
        let chances = [
            ("network.loss", self.network.loss),
            ("network.duplicate", self.network.duplicate),
            ("network.reorder", self.network.reorder),
        ];
        for (key, chance) in chances {
            check(key, chance, 0.0, 0.9, "from 0 to 0.9")?;
        }
        check(
            "network.tail",
            self.network.tail,
            0.0,
            100.0,
            "from 0 to 100",
        )?;
        let speed = self.network.megabits_per_second;
        check(
            "network.megabits_per_second",
            speed,
            0.01,
            1e6,
            "from 0.01 to 1000000",
        )?;
        let regions = self.network.latency_ms.len();
        let square = self
            .network
            .latency_ms
            .iter()
            .all(|row| row.len() == regions);
        if regions == 0 || !square {
            return Err(ScenarioError::OutOfBounds {
                key: "network.latency_ms".to_owned(),
                found: format!("{regions} rows"),
                allowed: "a square table with a row and a column for each region",
            });
        }
        for latency in self
            .network
            .latency_ms
            .iter()
            .flatten()
            .chain(&self.disk.write_ms)
        {
            let key = "a latency in network.latency_ms or disk.write_ms";
            check(key, *latency, 0.0, 10_000.0, "from 0 to 10000")?;
        }
        check(
            "mix.append",
            self.mix.append,
            0.0,
            1_000.0,
            "from 0 to 1000",
        )?;
        check("mix.halve", self.mix.halve, 0.0, 100.0, "from 0 to 100")?;
        check("mix.race", self.mix.race, 0.0, 1_000.0, "from 0 to 1000")?;
        check(
            "mix.letter",
            self.mix.letter,
            0.0,
            1_000.0,
            "from 0 to 1000",
        )?;
        check("mix.flood", self.mix.flood, 0.0, 100.0, "from 0 to 100")?;
        let forgetful = self.mix.forgetful;
        check("mix.forgetful", forgetful, 0.0, 100.0, "from 0 to 100")?;
        let contradict = self.mix.contradict;
        check("mix.contradict", contradict, 0.0, 100.0, "from 0 to 100")?;
        check("mix.forge", self.mix.forge, 0.0, 100.0, "from 0 to 100")?;
        let namesakes = self.mix.namesakes;
        check("mix.namesakes", namesakes, 0.0, 100.0, "from 0 to 100")?;
        check(
            "mix.cut_way",
            self.mix.cut_way,
            0.0,
            1_000.0,
            "from 0 to 1000",
        )?;
        check("mix.isolate", self.mix.isolate, 0.0, 100.0, "from 0 to 100")?;
        for (key, amount) in [
            ("mix.propose", self.mix.propose),
            ("mix.vote_twice", self.mix.vote_twice),
            ("mix.long_partition", self.mix.long_partition),
            ("mix.ask_in", self.mix.ask_in),
            ("mix.rotate", self.mix.rotate),
            ("mix.impostor", self.mix.impostor),
        ] {
            check(key, amount, 0.0, 100.0, "from 0 to 100")?;
        }
        for (key, amount) in self.mix.clone().amounts() {
            check(&format!("mix.{key}"), *amount, 0.0, 100.0, "from 0 to 100")?;
        }
        Ok(())
    }

    /// The settings with the mix that `seed` draws, where seeds draw one.
    pub(super) fn for_seed(&self, seed: u64) -> Self {
        let mut settings = self.clone();
        if settings.draw_mix {
            let mut randomness = Randomness::new(seed, "mix");
            for (_, amount) in settings.mix.amounts() {
                let factor = if randomness.chance(0.5) {
                    0.0
                } else {
                    2.0 * randomness.unit()
                };
                *amount *= factor;
            }
            settings.network.loss *= 2.0 * randomness.unit();
            settings.network.reorder *= 2.0 * randomness.unit();
        }
        settings
    }
}

impl Mix {
    fn amounts(&mut self) -> [(&'static str, &mut f64); 15] {
        [
            ("crash", &mut self.crash),
            ("restore_backup", &mut self.restore_backup),
            ("long_crash", &mut self.long_crash),
            ("stall", &mut self.stall),
            ("pause", &mut self.pause),
            ("jump_clock", &mut self.jump_clock),
            ("leave", &mut self.leave),
            ("revoke", &mut self.revoke),
            ("move", &mut self.r#move),
            ("change_tools", &mut self.change_tools),
            ("ticket", &mut self.ticket),
            ("stranger", &mut self.stranger),
            ("misbehave", &mut self.misbehave),
            ("partition", &mut self.partition),
            ("degrade", &mut self.degrade),
        ]
    }
}

impl Network {
    pub(super) fn profile(&self) -> NetworkProfile {
        let latency = |ms: &f64| Latency {
            min_us: micros(*ms),
            tail_mean_us: micros(ms * self.tail),
        };
        let row = |row: &Vec<f64>| row.iter().map(latency).collect();
        NetworkProfile {
            regions: self.latency_ms.iter().map(row).collect(),
            loss: self.loss,
            duplicate: self.duplicate,
            reorder: self.reorder,
            bytes_per_second: (self.megabits_per_second * 125_000.0) as u64,
        }
    }
}

impl Disk {
    pub(super) fn profile(&self) -> DiskProfile {
        let [least, most] = self.write_ms;
        DiskProfile {
            write_min_us: micros(least),
            write_max_us: micros(most),
        }
    }
}

fn micros(ms: f64) -> u64 {
    (ms * 1_000.0) as u64
}

fn check(
    key: &str,
    found: f64,
    least: f64,
    most: f64,
    allowed: &'static str,
) -> Result<(), ScenarioError> {
    if (least..=most).contains(&found) {
        return Ok(());
    }
    Err(ScenarioError::OutOfBounds {
        key: key.to_owned(),
        found: found.to_string(),
        allowed,
    })
}
