//! What a task asks for: fixed when it is created.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::identifiers::TaskId;
use crate::id::{AgentName, NodeId};
use crate::messaging::message::Priority;
use crate::time::Timestamp;

/// Bytes of a task's title.
pub const TITLE_BYTES_MAX: usize = 200;
/// Bytes of its description.
pub const DESCRIPTION_BYTES_MAX: usize = 8 * 1024;
/// Tasks that one task may wait for.
pub const DEPENDENCIES_MAX: usize = 32;
/// Capabilities that one task may ask for.
pub const CAPABILITIES_MAX: usize = 8;
/// Bytes of one of them: as long as agents may tell of.
pub const CAPABILITY_BYTES_MAX: usize = crate::limits::AGENT_CAPABILITY_BYTES_MAX;
/// How many nodes may decide on a task together: so many that one or two may be gone.
pub const ARBITERS: [usize; 2] = [3, 5];
/// How long a lease lasts without a sign of the agent that holds it, unless the creator says otherwise.
pub const LEASE: Duration = Duration::from_secs(15 * 60);
/// The shortest.
pub const LEASE_MIN: Duration = Duration::from_secs(1);
/// The longest.
pub const LEASE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// What a task asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// In a few words.
    pub title: String,
    /// All that its holder needs to know; empty where the title says it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The agent that asks for it, at the creator's node.
    pub by: AgentName,
    /// How urgent it is.
    #[serde(default)]
    pub priority: Priority,
    /// Tasks that are to be completed before it can be claimed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<TaskId>,
    /// What its holder must be able to do, in the words in which agents say it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// When it should be done, by the creator's clock. Nothing follows from it but that it is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// How long a grant lasts without a sign of its holder, in milliseconds.
    pub lease: u64,
    /// The nodes that decide on it together, by [register](super::register); empty where its creator's does alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arbiters: Vec<NodeId>,
}

impl Definition {
    /// The length of a lease.
    pub const fn lease(&self) -> Duration {
        Duration::from_millis(self.lease)
    }

    /// Checks the bounds.
    ///
    /// # Errors
    ///
    /// Names the first that is broken.
    pub fn check(&self) -> Result<(), DefinitionError> {
        let found = self.title.len();
        if !(1..=TITLE_BYTES_MAX).contains(&found) || self.title.trim().is_empty() {
            return Err(DefinitionError::Title { found });
        }
        let found = self.description.len();
        if found > DESCRIPTION_BYTES_MAX {
            return Err(DefinitionError::Description { found });
        }
        let found = self.after.len();
        if found > DEPENDENCIES_MAX {
            return Err(DefinitionError::Dependencies { found });
        }
        let found = self.capabilities.len();
        if found > CAPABILITIES_MAX {
            return Err(DefinitionError::Capabilities { found });
        }
        let lengths = self.capabilities.iter().map(String::len);
        if let Some(found) = lengths
            .into_iter()
            .find(|found| !(1..=CAPABILITY_BYTES_MAX).contains(found))
        {
            return Err(DefinitionError::Capability { found });
        }
        self.check_arbiters()?;
        match (LEASE_MIN..=LEASE_MAX).contains(&self.lease()) {
            true => Ok(()),
            false => Err(DefinitionError::Lease {
                milliseconds: self.lease,
            }),
        }
    }

    fn check_arbiters(&self) -> Result<(), DefinitionError> {
        let found = self.arbiters.len();
        let distinct: BTreeSet<&NodeId> = self.arbiters.iter().collect();
        match found == 0 || (ARBITERS.contains(&found) && distinct.len() == found) {
            true => Ok(()),
            false => Err(DefinitionError::Arbiters { found }),
        }
    }
}

/// What is wrong with a task.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// No title, a blank one, or too long.
    #[error(
        "the title has {found} bytes; from 1 to {TITLE_BYTES_MAX} are allowed, and not only blanks"
    )]
    Title {
        /// Its length.
        found: usize,
    },
    /// Too long.
    #[error(
        "the description has {found} bytes; at most {DESCRIPTION_BYTES_MAX} are allowed: put more into a file or a resource"
    )]
    Description {
        /// Its length.
        found: usize,
    },
    /// Too many.
    #[error("{found} dependencies; at most {DEPENDENCIES_MAX} are allowed")]
    Dependencies {
        /// How many.
        found: usize,
    },
    /// Too many.
    #[error("{found} required capabilities; at most {CAPABILITIES_MAX} are allowed")]
    Capabilities {
        /// How many.
        found: usize,
    },
    /// None, or too long.
    #[error("a capability of {found} bytes; from 1 to {CAPABILITY_BYTES_MAX} are allowed")]
    Capability {
        /// Its length.
        found: usize,
    },
    /// Neither one nor a number of which a majority is well defined and small.
    #[error("{found} arbiters; a task has 1, 3 or 5, all different")]
    Arbiters {
        /// How many.
        found: usize,
    },
    /// Too short or too long.
    #[error("a lease of {milliseconds} ms; from 1 s to 24 h are allowed")]
    Lease {
        /// How long.
        milliseconds: u64,
    },
}
