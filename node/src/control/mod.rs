//! The control plane: one task owns the protocol's `NodeState` and turns its outputs into deeds.
//!
//! The data plane never waits for it: calls read the snapshots it publishes. Arrows: everything tells control
//! through [`ControlHandle`]; control does through [`PeerNetwork`] and the store, and tells nobody else.

mod asking;
mod clock;
mod disk_room;
mod exchanges;
mod gatekeeper;
mod gossip;
mod handle;
mod joining;
mod links_on_demand;
mod local_agents;
mod local_offers;
mod log;
mod network;
mod requests;
mod rotation;
mod servers;
mod sightings;
mod snapshots;
mod soundings;
mod task;
#[cfg(test)]
mod task_tests;

pub use asking::HeardRequest;
pub use clock::{Clock, wall};
pub use disk_room::watch_disk_room;
pub use exchanges::MemberExchanges;
pub use gatekeeper::ControlGate;
pub use handle::{ControlClosed, ControlHandle};
pub use joining::JoinError;
pub use links_on_demand::LinksOnDemand;
pub use local_agents::tell_of_agents;
pub use local_offers::{LocalOffers, OfferChange};
pub use network::{JoiningDials, PeerNetwork, follow_network};
pub use requests::{Membership, MembershipError};
pub use servers::{Reloaded, Servers};
pub use sightings::{IgnoredSighting, tell_sighted};
pub use snapshots::{LinkStatus, Links, ListVersions, Snapshots};
pub use soundings::{Depth, OtherInstance, Soundings};
pub use task::{Control, ControlError};
