//! Configuration: raw files and flags become validated settings once, before anything starts.

pub mod choices;
pub mod environment;
pub mod expand;
pub mod firebase;
pub mod http_addresses;
pub mod instance;
mod json_lines;
mod mesh_port;
mod node_name;
pub mod servers;
pub mod servers_edit;
pub mod servers_error;
pub mod settings;
pub mod settings_edit;
pub mod settings_error;
pub mod settings_file;
mod settings_section;
pub mod upstream;
