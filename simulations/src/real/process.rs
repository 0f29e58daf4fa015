//! What this process takes of the machine, as Linux tells it.

use std::fs;
use std::io;

use serde::{Deserialize, Serialize};

/// Clock ticks in a second, as `/proc` counts them on every Linux of today.
const TICKS_PER_SECOND: u64 = 100;

/// Bytes of a page, likewise.
const PAGE_BYTES: u64 = 4_096;

/// What the process takes at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Memory that is resident, in bytes.
    pub resident_bytes: u64,
    /// Threads.
    pub threads: u64,
    /// Open files.
    pub files: u64,
    /// Processor time so far, in milliseconds.
    pub processor_ms: u64,
}

impl Usage {
    /// What it takes now.
    ///
    /// # Errors
    ///
    /// When `/proc` is not there, or says something else than it does.
    pub(super) fn now() -> io::Result<Self> {
        let pages = field(&fs::read_to_string("/proc/self/statm")?, 1)?;
        let stat = fs::read_to_string("/proc/self/stat")?;
        // The second field is the program's name, in parentheses, with whatever it holds.
        let numbers = stat.rsplit(')').next().unwrap_or_default();
        let ticks = field(numbers, 11)? + field(numbers, 12)?;
        Ok(Self {
            resident_bytes: pages * PAGE_BYTES,
            threads: field(numbers, 17)?,
            files: u64::try_from(fs::read_dir("/proc/self/fd")?.count()).unwrap_or(u64::MAX),
            processor_ms: ticks * 1_000 / TICKS_PER_SECOND,
        })
    }
}

fn field(text: &str, place: usize) -> io::Result<u64> {
    let number = text.split_whitespace().nth(place);
    number
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| io::Error::other(format!("no number in field {place} of {text:?}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_running_process_takes_memory_a_thread_and_files() {
        let usage = Usage::now().unwrap();
        assert!(usage.resident_bytes > 1_000_000);
        assert!((1..1_000).contains(&usage.threads));
        assert!((3..1_000).contains(&usage.files));
    }
}
