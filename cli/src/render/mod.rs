//! Turns answers into text: pure functions, so that what people see is tested.

mod addresses;
mod agents;
mod backup;
mod call;
mod clients;
mod decisions;
mod demo;
mod doctor;
mod endpoint;
mod failure;
mod import;
mod keys;
mod layout;
mod lifecycle;
mod lists;
mod log;
mod members;
mod mesh;
mod messages;
mod requests;
mod servers;
mod status;
mod table;
mod tasks;
mod tickets;
mod time;
mod upkeep;

pub use addresses::{addresses, scanned, scanning};
pub use agents::agents;
pub use backup::{backed_up, restored};
pub use call::call;
pub use clients::{ClientState, Outcome, changed, clients, unified_diff};
pub use decisions::{VerifiedDecision, proof_written, proposal, proposals, proposed, verified};
pub use demo::{demo_closing, demo_moment, demo_opening};
pub use doctor::examined;
pub use endpoint::trace;
pub use failure::failure;
pub use import::{Imported, imported};
pub use keys::{WORDS_WARNING, founded_anew, recovery_words, rotated};
pub use layout::in_place;
pub use lifecycle::{log_line, started, started_along, stopped};
pub use lists::{nodes, tokens, tools};
pub use log::{LaneStats, ShownEntry, log_entries, log_stats, log_verified};
pub use members::{members, revoked};
pub use mesh::{Joined, invite, joined, left, ready, token_made};
pub use messages::{acknowledged, inbox, messages, sent};
pub use requests::{approved, heard, requests};
pub use servers::{served, unserved};
pub use status::status;
#[cfg(test)]
pub(crate) use status::tests::example as example_status;
pub use tasks::{task, task_done, tasks};
pub use tickets::{ticket_withdrawn, tickets};
pub(crate) use time::from_now;
pub use upkeep::{install, renamed, uninstall};

use crate::failure::Failure;

/// One line of JSON.
pub fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<String, Failure> {
    match serde_json::to_string(value) {
        Ok(line) => Ok(line + "\n"),
        Err(error) => Err(Failure::failed("json", error)),
    }
}

/// Text of others on one line of a screen: control characters could move the cursor, or forge output.
pub(crate) fn one_line(text: &str) -> String {
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    let spaced: String = text.chars().map(visible).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `1 tool`, `2 tools`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_of_others_lose_their_power() {
        assert_eq!(one_line("a\u{1b}[2Jb\r\nc"), "a [2Jb c");
    }
}
