//! The doctor, as its user runs it: with faults planted in a home, and on running nodes.
#![allow(clippy::unwrap_used)]

mod faults;
mod nodes;
mod patient;
