//! What is offered where: manifests, the names tools go by, and the snapshot that calls are routed with.

pub mod manifest;
pub mod naming;
mod section;
pub mod snapshot;
