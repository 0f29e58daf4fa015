//! Configuration: raw files and flags become validated settings once, before anything starts.

pub mod environment;
pub mod expand;
mod json_lines;
pub mod servers;
pub mod servers_edit;
pub mod servers_error;
pub mod upstream;
