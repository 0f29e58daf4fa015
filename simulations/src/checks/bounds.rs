//! Nothing that a node keeps or asks for grows without bound.

use peerage_protocol::limits::{ROSTER_MAX, TICKETS_MAX};
use peerage_protocol::links::STRANGERS_MAX;

use super::{Check, Finding, Observation, View};

/// Inputs that may wait while a node writes: what its members and its own network tell it within a write.
const INBOX_MAX: usize = 4_096;
/// Outputs that one input may bring, whatever the size of the mesh: among them a dial of every stranger that is
/// remembered, of which there are 256 at most.
const OUTPUTS_BASE: usize = 64 + 256;
/// Outputs that one input may bring for each member.
const OUTPUTS_PER_MEMBER: usize = 3;
/// Questions that a node may have under way for each link.
const QUESTIONS_PER_LINK: usize = 8;
/// Questions that a node may have under way beyond that: a goodbye goes to everybody at once, whose links may just have
/// been lost.
const QUESTIONS_BASE: usize = 512;

/// Deadlines that one node may have within one millisecond: more is a deadline that is not met by waking.
const WAKES_MAX: u32 = 64;

pub(super) struct Bounds;

impl Check for Bounds {
    fn name(&self) -> &'static str {
        "bounds"
    }

    fn observe(&mut self, seen: &Observation<'_>, view: &View<'_>) -> Result<(), Finding> {
        if let Observation::Woken { node, times } = seen
            && *times > WAKES_MAX
        {
            let what = format!(
                "{} is woken {times} times within a millisecond, and would be without end",
                view.called(*node)
            );
            return Err(Finding { node: *node, what });
        }
        let Observation::Stepped { node, outputs } = seen else {
            return Ok(());
        };
        let machine = &view.machines[*node];
        let Some(process) = &machine.process else {
            return Ok(());
        };
        let members = process.roster.as_ref().map_or(0, |roster| roster.len());
        let links = process.peers.len();
        // Whoever floods others with questions has asked too many itself.
        let liar = view.truth.liars.contains(node);
        let questions = if liar { 0 } else { process.asking.len() };
        let questions_max = QUESTIONS_BASE + QUESTIONS_PER_LINK * links;
        let bounded = [
            ("members in its roster", members, ROSTER_MAX),
            (
                "outputs from one input",
                *outputs,
                OUTPUTS_BASE + OUTPUTS_PER_MEMBER * members,
            ),
            ("inputs waiting", process.inbox.len(), INBOX_MAX),
            (
                "strangers to dial",
                process.state.strangers_to_dial(),
                STRANGERS_MAX,
            ),
            ("questions under way", questions, questions_max),
            (
                "records on its disk",
                machine.disk.len(),
                2 * ROSTER_MAX + TICKETS_MAX + 2,
            ),
        ];
        for (what, found, bound) in bounded {
            if found > bound {
                let what = format!(
                    "{} has {found} {what}; at most {bound} are allowed",
                    view.called(*node)
                );
                return Err(Finding { node: *node, what });
            }
        }
        Ok(())
    }
}
