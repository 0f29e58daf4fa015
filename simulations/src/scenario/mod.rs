//! Scenarios: what kind of world, and how bad its days are. A plan is drawn from one with a seed.

mod draw_actions;
mod draw_nodes;
mod settings;

use crate::plan::Plan;
use settings::Settings;

/// Those that come with the program: name and text.
const BUILTIN: &[(&str, &str)] = &[
    ("steady", include_str!("../../scenarios/steady.toml")),
    ("growth", include_str!("../../scenarios/growth.toml")),
    ("churn", include_str!("../../scenarios/churn.toml")),
    ("crashes", include_str!("../../scenarios/crashes.toml")),
    ("log", include_str!("../../scenarios/log.toml")),
    ("letters", include_str!("../../scenarios/letters.toml")),
    ("tasks", include_str!("../../scenarios/tasks.toml")),
    ("expiry", include_str!("../../scenarios/expiry.toml")),
    ("forgetful", include_str!("../../scenarios/forgetful.toml")),
    ("votes", include_str!("../../scenarios/votes.toml")),
    (
        "partitions",
        include_str!("../../scenarios/partitions.toml"),
    ),
    ("clocks", include_str!("../../scenarios/clocks.toml")),
    ("presence", include_str!("../../scenarios/presence.toml")),
    ("halves", include_str!("../../scenarios/halves.toml")),
    ("stalls", include_str!("../../scenarios/stalls.toml")),
    (
        "revocation",
        include_str!("../../scenarios/revocation.toml"),
    ),
    ("words", include_str!("../../scenarios/words.toml")),
    ("rotation", include_str!("../../scenarios/rotation.toml")),
    ("hostile", include_str!("../../scenarios/hostile.toml")),
    ("forgery", include_str!("../../scenarios/forgery.toml")),
    ("namesakes", include_str!("../../scenarios/namesakes.toml")),
    (
        "slow-and-lossy",
        include_str!("../../scenarios/slow-and-lossy.toml"),
    ),
    ("sharing", include_str!("../../scenarios/sharing.toml")),
    (
        "everything",
        include_str!("../../scenarios/everything.toml"),
    ),
    ("regions", include_str!("../../scenarios/regions.toml")),
    ("random", include_str!("../../scenarios/random.toml")),
];

/// A kind of world.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    settings: Settings,
}

impl Scenario {
    /// Reads a scenario from TOML.
    ///
    /// # Errors
    ///
    /// Names the key that is unknown, missing, of the wrong type or out of bounds.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScenarioError> {
        let settings: Settings =
            toml_edit::de::from_str(text).map_err(|error| ScenarioError::Toml {
                why: error.to_string(),
            })?;
        settings.check()?;
        Ok(Self {
            name: name.to_owned(),
            settings,
        })
    }

    /// One of those that come with the program.
    ///
    /// # Errors
    ///
    /// [`ScenarioError::Unknown`] names those that there are.
    pub fn builtin(name: &str) -> Result<Self, ScenarioError> {
        let found = BUILTIN.iter().find(|(known, _)| *known == name);
        let (name, text) = found.ok_or_else(|| ScenarioError::Unknown {
            name: name.to_owned(),
            known: Self::names().collect::<Vec<_>>().join(", "),
        })?;
        Self::parse(name, text)
    }

    /// The names of those that come with the program.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILTIN.iter().map(|(name, _)| *name)
    }

    /// What it is about, in a sentence.
    pub fn about(&self) -> &str {
        &self.settings.about
    }

    /// How many nodes it has unless told otherwise.
    pub fn default_nodes(&self) -> u32 {
        self.settings.nodes.default
    }

    /// Draws everything that one run needs.
    pub fn plan(&self, nodes: u32, seed: u64) -> Plan {
        let settings = self.settings.for_seed(seed);
        let nodes = draw_nodes::nodes(&settings, nodes.max(1), seed);
        let actions = draw_actions::actions(&settings, &nodes, seed);
        Plan {
            scenario: self.name.clone(),
            seed,
            nodes,
            network: settings.network.profile(),
            disk: settings.disk.profile(),
            named_regions: settings.nodes.regions,
            certificate_ms: settings.nodes.certificate_seconds.map(|s| s * 1_000),
            actions,
            settle_us: settings.settle_seconds.saturating_mul(1_000_000),
        }
    }
}

/// Why a text is no scenario.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// Not TOML, or a key unknown, missing or of the wrong type.
    #[error("the scenario cannot be read: {why}")]
    Toml {
        /// Where and what.
        why: String,
    },
    /// A value out of bounds.
    #[error("{key} is {found}; it must be {allowed}")]
    OutOfBounds {
        /// The key, with its table.
        key: String,
        /// The value.
        found: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// No scenario of that name comes with the program.
    #[error("there is no scenario {name:?}; there are {known}, and any file by its path")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_scenario_that_comes_with_the_program_is_read_and_planned() {
        for name in Scenario::names() {
            let scenario = Scenario::builtin(name).unwrap();
            assert!(!scenario.about().is_empty(), "{name}");
            let plan = scenario.plan(scenario.default_nodes(), 1);
            assert_eq!(plan, scenario.plan(scenario.default_nodes(), 1), "{name}");
            assert!(plan.actions.is_sorted_by_key(|timed| timed.at_us), "{name}");
        }
    }

    #[test]
    fn another_seed_is_another_plan() {
        let scenario = Scenario::builtin("everything").unwrap();
        assert_ne!(scenario.plan(20, 1).actions, scenario.plan(20, 2).actions);
    }

    #[test]
    fn mistakes_are_named_by_their_key() {
        let steady = BUILTIN[0].1;
        let unknown = format!("{steady}\n[mix]\nearthquakes = 1.0\n");
        let error = Scenario::parse("test", &unknown).unwrap_err().to_string();
        assert!(error.contains("earthquakes"), "{error}");
        let lossy = steady.replace("loss = 0.0", "loss = 3.0");
        let error = Scenario::parse("test", &lossy).unwrap_err().to_string();
        assert_eq!(error, "network.loss is 3; it must be from 0 to 0.9");
        let error = Scenario::builtin("calm").unwrap_err().to_string();
        assert!(error.contains("steady, growth, churn"), "{error}");
    }
}
