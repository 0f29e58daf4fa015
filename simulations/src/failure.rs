//! Why a command could not do what was asked.

use std::path::PathBuf;

use peerage_simulations::scenario::ScenarioError;

/// Why a command could not do what was asked; a check that fails is not one of these.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A scenario that is not there or wrong.
    #[error("{name}: {source}")]
    Scenario {
        /// What was asked for.
        name: String,
        /// What is wrong.
        source: ScenarioError,
    },
    /// A file that cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that holds no plan.
    #[error("{} holds no plan: {source}", path.display())]
    Plan {
        /// Which.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// Something that cannot be written as JSON.
    #[error("cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A scenario to replay without its seed.
    #[error("which seed of {scenario}? say --seed")]
    NoSeed {
        /// Which scenario.
        scenario: String,
    },
    /// A seed or size for a plan that has its own.
    #[error("a saved plan has its own seed and nodes; leave out --seed and --nodes")]
    PlanHasItsOwn,
    /// Real nodes that did not come about.
    #[cfg(feature = "swarms")]
    #[error(transparent)]
    Swarm(#[from] peerage_simulations::real::SwarmError),
    /// Nothing to run real nodes with.
    #[cfg(feature = "swarms")]
    #[error("real nodes cannot be run: {0}")]
    NoRuntime(std::io::Error),
    /// No randomness for a seed.
    #[error("no random seed: {0}; say which with --seeds")]
    NoRandomness(getrandom::Error),
}
