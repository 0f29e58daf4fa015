//! A Peerage node: the mesh, the MCP gateway and their supervision.
//!
//! The README beside this crate draws the rooms and the threat model.

pub mod config;
pub mod control;
pub mod deciding;
pub mod discovery;
pub mod gateway;
pub mod home;
pub mod identity;
pub mod keys;
pub mod messaging;
pub mod net;
pub mod node;
pub mod store;
pub mod tasks;
