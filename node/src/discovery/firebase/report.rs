//! How the registry does, for its owner to see.

use std::sync::{Mutex, MutexGuard, PoisonError};

use peerage_protocol::time::Timestamp;

use super::fault::Fault;

/// How the registry did when it was last asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registered {
    /// The latest exchange in which everything went well.
    pub succeeded: Option<Timestamp>,
    /// What is wrong since then.
    pub fault: Option<Fault>,
    /// Exchanges in a row of which that is true.
    pub failures: u32,
    /// Members found there, this node left out.
    pub members: usize,
    /// Records of members that were silent for too long.
    pub expired: usize,
    /// Records that are no member's word.
    pub foreign: usize,
}

/// Written by the registry's task, read by whoever shows it.
#[derive(Debug, Default)]
pub struct RegistryReport {
    now: Mutex<Registered>,
}

impl RegistryReport {
    /// The latest.
    pub fn latest(&self) -> Registered {
        self.lock().clone()
    }

    #[cfg(feature = "firebase")]
    pub(super) fn change(&self, change: impl FnOnce(&mut Registered)) {
        change(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, Registered> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
