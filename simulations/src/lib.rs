//! Simulated meshes: many nodes in one process, one seed, virtual time.
//!
//! A [`plan::Plan`] is everything decided before a run; an [`outcome::Outcome`] is everything that came of it.

#![deny(missing_docs)]

pub mod action;
pub mod amounts;
pub mod distribution;
pub mod network_profile;
pub mod outcome;
pub mod plan;
pub mod runner;
#[cfg(test)]
mod samples;
pub mod words;
