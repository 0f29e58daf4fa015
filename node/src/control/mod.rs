//! The control plane: one task owns the protocol's `NodeState` and turns its outputs into deeds.
//!
//! The data plane never waits for it: calls read the snapshots it publishes.

mod announcer;
mod clock;
mod gatekeeper;
mod handle;
mod inputs;
mod joining;
mod snapshots;
mod task;

pub use clock::Clock;
pub use gatekeeper::ControlGate;
pub use handle::{ControlClosed, ControlHandle};
pub use joining::JoinError;
pub use snapshots::Snapshots;
pub use task::{ControlParts, PeerNetwork, run};
