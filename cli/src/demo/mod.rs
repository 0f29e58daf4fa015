//! The demonstration: three nodes with throw-away homes on this machine, and what happens between them, told with
//! times. Nothing of it is left behind.

mod machine;
pub mod sample_server;
pub mod stage;
pub mod story;
pub mod timeline;
mod waiting;
