//! What a task's register holds: who has the task, how often the lease was renewed, and whether it is over.

use serde::{Deserialize, Serialize};

use crate::id::Hash;
use crate::tasks::identifiers::Fence;
use crate::tasks::words::{ArbiterWord, Completion, Grant};

/// The value of a register. Before the first change nobody has had the task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Standing {
    /// The latest grant; its holder may have given the task back since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
    /// The holder's last sign for which the lease was extended; 0 before the first.
    #[serde(default)]
    pub step: u64,
    /// How the task ended: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
}

/// How a task ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum End {
    /// The holder of the latest grant has done it; with the hash of the result.
    Completed(Hash),
    /// Its creator does not want it any more.
    Cancelled,
}

impl Standing {
    /// The fence of the latest grant.
    pub fn fence(&self) -> Option<Fence> {
        self.grant.as_ref().map(|grant| grant.fence)
    }

    /// What one arbiter alone would have said.
    pub(in crate::tasks) fn as_word(&self) -> ArbiterWord {
        let completion = match (&self.grant, self.end) {
            (Some(grant), Some(End::Completed(result))) => Some(Completion {
                fence: grant.fence,
                holder: grant.holder.clone(),
                result,
            }),
            _ => None,
        };
        ArbiterWord {
            grant: self.grant.clone(),
            extended: self.fence().map(|fence| (fence, self.step)),
            completion,
        }
    }
}
