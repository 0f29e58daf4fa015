//! How costs grow with the number of nodes: measured in worlds as shipped, fitted by a law, and beyond by a model.

pub mod law;
pub mod measured;
pub mod model;
pub mod resident;

use serde::{Deserialize, Serialize};

use law::Fit;
use measured::Measured;
use model::{Calibration, Modelled};

/// How costs grow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    /// The scenario that was run.
    pub scenario: String,
    /// Its seed.
    pub seed: u64,
    /// One run for each size, as shipped.
    pub measured: Vec<Measured>,
    /// The law that fits each cost.
    pub laws: Vec<NamedFit>,
    /// How the model compares with the runs; none where no run measured what it models.
    pub calibration: Option<Calibration>,
    /// What the model says, corrected by its calibration. Not measured.
    pub modelled: Vec<Modelled>,
}

/// A cost and the law that fits it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NamedFit {
    /// Which cost.
    pub cost: String,
    /// The law; none for fewer than three sizes.
    pub fit: Option<Fit>,
}

impl Growth {
    /// Fits laws to what was measured.
    pub fn new(scenario: &str, seed: u64, measured: Vec<Measured>) -> Self {
        let laws = measured::COSTS.iter().map(|cost| NamedFit {
            cost: cost.name.to_owned(),
            fit: law::fit(&cost.points(&measured)),
        });
        Self {
            scenario: scenario.to_owned(),
            seed,
            laws: laws.collect(),
            measured,
            calibration: None,
            modelled: Vec::new(),
        }
    }
}
