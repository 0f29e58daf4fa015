//! What a node has said is on its disk before it says so, and is there when it starts again.

use peerage_protocol::node_state::{Record, RecordKey};

use super::{Check, Finding, Observation, View};

pub(super) struct Promises;

impl Check for Promises {
    fn name(&self) -> &'static str {
        "promises"
    }

    fn observe(&mut self, seen: &Observation<'_>, view: &View<'_>) -> Result<(), Finding> {
        let (node, kept, what) = match seen {
            Observation::Invited { node, record } => {
                let kept = view.machines[*node]
                    .disk
                    .record(&RecordKey::Ticket(record.id));
                let what = "gave a ticket out that is not on its disk";
                (node, matches!(kept, Some(Record::Ticket(_))), what)
            }
            Observation::Redeemed {
                node,
                ticket,
                issued,
                ..
            } => {
                let subject = issued.body().subject;
                let kept = match view.machines[*node]
                    .disk
                    .record(&RecordKey::Ticket(*ticket))
                {
                    Some(Record::Ticket(record)) => record
                        .redeemed
                        .get(&subject)
                        .is_some_and(|kept| **kept == **issued),
                    _ => false,
                };
                let what = "gave out a certificate for a ticket, and its disk does not say so";
                (node, kept, what)
            }
            Observation::Entered { node } => {
                let what = "says that it is a member, and its disk does not say so";
                (node, has_home(view, *node), what)
            }
            Observation::Left { node } => {
                let what = "says that it has left, and its disk says otherwise";
                (node, !has_home(view, *node), what)
            }
            Observation::Booted { node } => {
                let promised = view.truth.homes.contains(node);
                let process = view.machines[*node].process.as_ref();
                let member = process.is_some_and(|process| process.roster.is_some());
                let excused = view.truth.restored.contains(node);
                let what = "was a member, and has forgotten it over a restart";
                (node, member || !promised || excused, what)
            }
            _ => return Ok(()),
        };
        if kept {
            return Ok(());
        }
        Err(Finding {
            node: *node,
            what: format!("{} {what}", view.called(*node)),
        })
    }
}

fn has_home(view: &View<'_>, node: usize) -> bool {
    view.machines[node].disk.record(&RecordKey::Home).is_some()
}
