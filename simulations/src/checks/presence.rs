//! Nobody is taken for away who runs and whom nothing has kept from answering for longer than is borne.

use super::{Check, Finding, Observation, View};

pub(super) struct Presence;

impl Check for Presence {
    fn name(&self) -> &'static str {
        "presence"
    }

    fn observe(&mut self, seen: &Observation<'_>, view: &View<'_>) -> Result<(), Finding> {
        let Observation::TakenForAway { node, silent } = seen else {
            return Ok(());
        };
        let Some(place) = (view.place)(*silent) else {
            return Ok(());
        };
        let machine = &view.machines[place];
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
