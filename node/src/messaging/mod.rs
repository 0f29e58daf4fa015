//! Messages between agents, as this node carries them: sealed and put into the log, opened and kept in inboxes.
//!
//! What is public goes into the log in the clear. What is direct is sealed to the recipient's node; only the two ends
//! ever hold it open. Everything an agent is told of is in the database first.

mod holding;
mod keyring;
mod news;
mod opening;
mod service;
mod shown;
mod upkeep;

pub use keyring::{KEY_TOLD_FOR, Keyring, KeyringError, SealError, seal};
pub use news::News;
pub use opening::Opener;
pub use service::{Draft, Messaging, MessagingError, OWNER, WAIT_MAX};
pub use shown::ShownMessage;
pub use upkeep::keep_up;
