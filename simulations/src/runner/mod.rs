//! Runs plans: one with its panics caught, many seeds on several threads, and a failing one again and again with less.

pub mod attempt;
pub mod minimise;
pub mod seeds;
pub mod shrink;

use crate::outcome::{Options, Outcome};
use crate::plan::Plan;

/// What runs a plan: the world, or in tests a stand-in.
pub type Engine<'a> = &'a (dyn Fn(&Plan, &Options) -> Outcome + Sync);
