//! Simulated meshes: many nodes in one process, one seed, virtual time.
//!
//! A [`scenario::Scenario`] and a seed make a [`plan::Plan`], everything decided before a run;
//! [`world::run`] makes of it an [`outcome::Outcome`], everything that came of it. With the feature `swarms`, real
//! nodes do the same by the wall clock, so that the world can be held against them.

#![deny(missing_docs)]

pub mod action;
pub mod amounts;
mod checks;
pub mod distribution;
pub mod growth;
pub mod network_profile;
pub mod outcome;
pub mod plan;
pub mod randomness;
#[cfg(feature = "swarms")]
pub mod real;
pub mod report;
pub mod runner;
#[cfg(test)]
mod samples;
pub mod scenario;
pub mod words;
pub mod world;
