//! Nobody takes up a link to a node that it knows was put out of the mesh.

use super::{Check, Finding, Observation, View};

pub(super) struct Revocation;

impl Check for Revocation {
    fn name(&self) -> &'static str {
        "revocation"
    }

    fn observe(&mut self, seen: &Observation<'_>, view: &View<'_>) -> Result<(), Finding> {
        let Observation::LinkOpened { node, other } = seen else {
            return Ok(());
        };
        let process = view.machines[*node].process.as_ref();
        let Some(roster) = process.and_then(|process| process.roster.as_ref()) else {
            return Ok(());
        };
        let mut in_force = roster.revocations().in_force();
        if !in_force.any(|revocation| revocation.body.subject == *other) {
            return Ok(());
        }
        let (here, there) = (view.called(*node), view.called_by_id(*other));
        Err(Finding {
            node: *node,
            what: format!("{here} has a new link to {there}, which it knows was put out"),
        })
    }
}
