//! Registers keep their word: what a majority of a task's arbiters has accepted on disk comes one after the other.

use std::collections::{BTreeMap, BTreeSet};

use peerage_protocol::id::NodeId;
use peerage_protocol::tasks::register::{Ballot, End, RegisterWord, Standing, majority};
use peerage_protocol::tasks::{ClaimId, Fence, TaskId};

/// Everything that was ever accepted: whoever lost it has said it all the same.
#[derive(Default)]
pub(super) struct Registers {
    arbiters: BTreeMap<TaskId, usize>,
    accepted: BTreeMap<(TaskId, Ballot), BTreeSet<NodeId>>,
    /// By the round and the number of the fence.
    granted: BTreeMap<(TaskId, u32, u64), (Fence, ClaimId)>,
    /// How, and from which ballot on: an earlier one may still find a majority, and changes nothing by that.
    ended: BTreeMap<TaskId, (Ballot, Option<Fence>, End)>,
}

impl Registers {
    pub(super) fn created(&mut self, task: TaskId, arbiters: usize) {
        self.arbiters.insert(task, arbiters);
    }

    /// An arbiter's word is on its disk. Gives what is wrong by it, in a sentence.
    pub(super) fn said(
        &mut self,
        author: NodeId,
        task: TaskId,
        word: RegisterWord,
    ) -> Result<(), String> {
        let RegisterWord::Accepted { ballot, value, .. } = word else {
            return Ok(());
        };
        let by = self.accepted.entry((task, ballot)).or_default();
        by.insert(author);
        let arbiters = self.arbiters.get(&task).copied().unwrap_or_default();
        match arbiters > 0 && by.len() == majority(arbiters) {
            true => self.stands(task, ballot, &value),
            false => Ok(()),
        }
    }

    fn stands(&mut self, task: TaskId, ballot: Ballot, value: &Standing) -> Result<(), String> {
        if let Some(grant) = &value.grant {
            let (fence, claim) = (grant.fence, grant.claim);
            let key = (task, fence.round, fence.number);
            let first = *self.granted.entry(key).or_insert((fence, claim));
            if first != (fence, claim) {
                return Err(format!(
                    "a majority has granted task {task:?} under {fence:?}, after {:?}",
                    first.0
                ));
            }
        }
        let Some(end) = value.end else {
            return match self.ended.get(&task) {
                Some((from, _, end)) if ballot > *from => Err(format!(
                    "a majority has accepted that task {task:?} goes on, after {end:?}"
                )),
                _ => Ok(()),
            };
        };
        let ended = (ballot, value.fence(), end);
        let first = *self.ended.entry(task).or_insert(ended);
        match (first.1, first.2) == (ended.1, ended.2) {
            true => Ok(()),
            false => Err(format!(
                "a majority has ended task {task:?} as {end:?}, after {:?}",
                first.2
            )),
        }
    }
}
