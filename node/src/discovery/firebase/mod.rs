//! Members found by a registry in Firebase Realtime Database, which never learns who they are.
//!
//! A node keeps one record there, under an id that only members can compute, with its addresses sealed for them: the
//! same announcement as on a local network ([`super::lan`]), under keys of its own. What a registry says is a sighting
//! like any other: the gate decides.
//!
//! The client of the database (`firebase-rs`) has no timeouts, no bounds and follows redirects anywhere, so it does not run in
//! the node: each exchange is an *errand* of a process that is started for it and sees the network only through a
//! guard that leads to the one database and counts what comes from there. Whatever happens to an errand,
//! the node waits at most [`ERRAND_WITHIN`] for it, and for nothing else. Changes are not followed as a stream: of two
//! nodes that look for each other one writes first, and the other, which reads after it, dials.

#[cfg(feature = "firebase")]
mod courier;
#[cfg(feature = "firebase")]
mod endpoints;
#[cfg(feature = "firebase")]
mod errand;
mod fault;
#[cfg(feature = "firebase")]
mod guard;
mod id;
#[cfg(feature = "firebase")]
mod record;
#[cfg(feature = "firebase")]
mod registry;
mod report;
#[cfg(feature = "firebase")]
mod sending;

#[cfg(feature = "firebase")]
pub use courier::run_errand;
#[cfg(feature = "firebase")]
pub use endpoints::endpoints;
pub use fault::Fault;
pub use id::record_id;
#[cfg(feature = "firebase")]
pub use registry::{Registry, RegistrySettings};
pub use report::{Registered, RegistryReport};

use std::time::Duration;

/// The rules to install in the database; they are what the records here are written for.
pub const RULES: &str = include_str!("database.rules.json");

/// The hidden command by which this program does an errand.
pub const COURIER_COMMAND: &str = "firebase-courier";

/// Time between two heartbeats of a node, give or take a fifth.
pub const HEARTBEAT_EVERY: Duration = Duration::from_secs(45);

/// How old a heartbeat may be, in the registry's time.
pub const RECORD_LIFETIME: Duration = Duration::from_secs(180);

/// How far the clocks of members may be apart.
pub const CLOCKS_APART_MAX: Duration = Duration::from_secs(15 * 60);

/// How long one errand may take.
pub const ERRAND_WITHIN: Duration = Duration::from_secs(20);

/// Bytes that one errand may be sent: a record of each member of the largest mesh.
pub const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;
