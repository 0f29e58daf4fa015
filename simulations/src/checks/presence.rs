//! Nobody is taken for away who runs and whom nothing has kept from answering for longer than is borne; and whoever was
//! killed for long is taken for away by everybody.

use peerage_protocol::id::NodeId;

use super::{Check, Finding, Observation, View};

pub(super) struct Presence;

impl Check for Presence {
    fn name(&self) -> &'static str {
        "presence"
    }

    fn observe(&mut self, seen: &Observation<'_>, view: &View<'_>) -> Result<(), Finding> {
        if let Observation::TakenForAway { node, .. } | Observation::CrashMissed { node, .. } = seen
            && is_out(*node, view)
        {
            return Ok(());
        }
        let (node, silent) = match seen {
            Observation::TakenForAway { node, silent } => (node, silent),
            Observation::CrashMissed {
                node,
                silent,
                down_us,
            } => return Err(missed(*node, *silent, *down_us, view)),
            _ => return Ok(()),
        };
        let Some(place) = (view.place)(*silent) else {
            return Ok(());
        };
        let machine = &view.machines[place];
        if machine.id != *silent {
            // Its machine goes on with another key.
            return Ok(());
        }
        let process = machine.process.as_ref();
        let member = process.is_some_and(|process| process.roster.is_some());
        let lives = member && view.now_us > machine.excused_until_us;
        // Liars may accuse anybody, and whoever is put back to an old backup may have forgotten that it is a member.
        let odd = !view.truth.liars.is_empty() || view.truth.restored.contains(&place);
        if !lives || odd {
            return Ok(());
        }
        let (here, there) = (view.called(*node), view.called(place));
        Err(Finding {
            node: *node,
            what: format!("{here} takes {there} for away, which lives"),
        })
    }
}

/// Whoever was put out of the mesh, and may not know it, hears of nobody any more.
fn is_out(node: usize, view: &View<'_>) -> bool {
    let process = view.machines[node].process.as_ref();
    let roster = process.and_then(|process| process.roster.as_ref());
    roster.is_some_and(|roster| view.truth.is_put_out(&roster.own))
}

fn missed(node: usize, silent: NodeId, down_us: u64, view: &View<'_>) -> Finding {
    let here = view.called(node);
    let there = (view.place)(silent).map_or_else(|| silent.to_string(), |place| view.called(place));
    let down = down_us / 1_000_000;
    Finding {
        node,
        what: format!("{here} has not noticed in {down} s that {there} was killed"),
    }
}
