//! The frontend against a service that the tests control: routers without sockets, and real loopback sockets.

#![allow(clippy::unwrap_used)]

mod doors;
mod double;
mod http_sse;
mod legacy;
mod modern;
mod revoked;
mod sockets;
mod websocket;
