//! Many nodes in one process.

#![deny(missing_docs)]

pub mod distribution;
#[cfg(feature = "swarms")]
pub mod real;
