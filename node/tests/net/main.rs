//! Real nodes on loopback: who passes the gate, what a link does, and how it ends.
#![allow(clippy::unwrap_used)]

mod dht;
mod gate;
mod gossip;
mod links;
mod proxy;
mod stranger;
mod tickets;
mod world;
