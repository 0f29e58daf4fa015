//! A whole node in one file, and back: its keys, its database, its files.
//!
//! The file is a plain tar archive for its owner alone. Whoever has it can be the node, so it is to be kept like a key;
//! encrypting it is left to programs that do just that, through a pipe.

mod archive;
mod contents;

pub use archive::{Archive, Label};
pub use contents::{collect, present, put_back, set_aside};
