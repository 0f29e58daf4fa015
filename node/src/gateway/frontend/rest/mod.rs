//! The control API: HTTP/JSON over the Unix socket in the home, for the command line of the same user.

pub(super) mod addresses;
pub mod addresses_api;
pub mod agents_api;
pub mod api;
pub mod door;
mod keys;
pub mod keys_api;
mod members;
pub mod members_api;
pub mod refusal;
pub mod registry;
mod requests;
pub mod requests_api;
pub mod server;
pub mod service;
mod tickets;
mod views;
