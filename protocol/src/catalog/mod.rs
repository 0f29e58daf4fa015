//! What is offered where: manifests, the names things go by, and the snapshot that calls are routed with.

pub mod library;
pub mod manifest;
pub mod naming;
pub mod resource_uri;
mod section;
pub mod shelf;
pub mod snapshot;
pub mod uri_template;
