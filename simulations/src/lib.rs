//! Simulated meshes: many nodes in one process, one seed, virtual time.
//!
//! A [`scenario::Scenario`] and a seed make a [`plan::Plan`], everything decided before a run;
//! [`world::run`] makes of it an [`outcome::Outcome`], everything that came of it.

#![deny(missing_docs)]

pub mod action;
mod checks;
pub mod distribution;
pub mod network_profile;
pub mod outcome;
pub mod plan;
pub mod randomness;
#[cfg(feature = "swarms")]
pub mod real;
pub mod scenario;
pub mod world;
