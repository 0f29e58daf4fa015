//! What Peerage nodes say to each other, and what it means.
//!
//! Nothing here performs IO, reads a clock or draws randomness: time arrives as [`time::Now`], random values
//! arrive in inputs, signatures are checked by an injected [`signature::Verifier`]. The README beside this crate
//! describes the wire format.

#![deny(missing_docs)]

pub mod address_book;
pub mod catalog;
pub mod consensus;
pub mod id;
pub mod limits;
pub mod links;
pub mod log;
pub mod membership;
pub mod messaging;
#[cfg(feature = "mutations")]
pub mod mutation;
#[cfg(not(feature = "mutations"))]
mod mutation;
pub mod node_state;
pub mod presence;
pub mod region_links;
pub mod signature;
pub mod tasks;
pub mod time;
pub mod topology;
pub mod wire;
