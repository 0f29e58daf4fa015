//! A node that gets another key stays who it was: in name, in role, and in what it may see.

use super::{Check, Finding, Observation, View};

pub(super) struct Rotation;

impl Check for Rotation {
    fn name(&self) -> &'static str {
        "rotation"
    }

    fn observe(&mut self, seen: &Observation<'_>, view: &View<'_>) -> Result<(), Finding> {
        let Observation::KeyReplaced { node, held, issued } = seen else {
            return Ok(());
        };
        let (old, new) = (held.body(), issued.body());
        let what = if new.replaces != Some(old.subject) {
            "does not say whose place it takes".to_owned()
        } else if new.name != old.name {
            format!("is for {}", new.name)
        } else if new.grant() != old.grant() {
            format!("makes it {:?}", new.role)
        } else {
            return Ok(());
        };
        Err(Finding {
            node: *node,
            what: format!(
                "{} gets another key, whose certificate {what}",
                view.called(*node)
            ),
        })
    }
}
