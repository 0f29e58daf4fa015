//! What is offered where: manifests, the names tools go by, and the snapshot that calls are routed with.
