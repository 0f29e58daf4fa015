//! End-to-end harness: real `peerage` processes on loopback, driven as a user drives them.
//!
//! ```no_run
//! # async fn example() {
//! use peerage_tests::node::Peerage;
//!
//! let folder = tempfile::tempdir().expect("a temporary folder");
//! let node = Peerage::up(&folder.path().join("home"), &["--name", "desk"]).await;
//! let nodes = node.cli(&["nodes", "--json"]).await.done();
//! assert_eq!(nodes.json()[0]["name"], "desk");
//! # }
//! ```
//!
//! A broken expectation of the harness is a panic: it fails the test that made it.

pub mod binary;
pub mod cli;
pub mod client;
pub mod disk_images;
pub mod failing_disk;
#[cfg(feature = "firebase")]
pub mod firebase;
pub mod inside;
pub mod log_node;
pub mod mesh;
pub mod messages;
pub mod mutation;
pub mod node;
pub mod process;
pub mod raw_client;
pub mod siege;
pub mod wait;
