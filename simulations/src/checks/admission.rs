//! Nobody is past a gate whom the truth does not admit, and a ticket admits no more nodes than it says.

use peerage_protocol::membership::admission::{Refusal, Verdict};

use super::{Check, Finding, Observation, View};
use crate::action::Attempt;

pub(super) struct Admission;

impl Check for Admission {
    fn name(&self) -> &'static str {
        "admission"
    }

    fn observe(&mut self, seen: &Observation<'_>, view: &View<'_>) -> Result<(), Finding> {
        match seen {
            Observation::LinkOpened { node, other } => {
                let wall = view.machines[*node].wall(view.now_us);
                if view.truth.admits(*other, wall) {
                    return Ok(());
                }
                let (here, there) = (view.called(*node), view.called_by_id(*other));
                Err(Finding {
                    node: *node,
                    what: format!(
                        "{here} has a link to {there}, which no admin has given a certificate that is valid now"
                    ),
                })
            }
            Observation::Redeemed {
                node,
                ticket,
                issued,
            } => {
                let to = view.called_by_id(issued.body().subject);
                let here = view.called(*node);
                let what = match view.truth.ticket(*ticket) {
                    None => format!(
                        "{here} gave {to} a certificate for a ticket that nobody made: {ticket:?}"
                    ),
                    // A node put back to an old backup has forgotten who redeemed its tickets.
                    Some(truth) if view.truth.restored.contains(&truth.issuer) => return Ok(()),
                    Some(truth) if truth.redeemed.len() <= truth.uses as usize => return Ok(()),
                    Some(truth) => format!(
                        "{here} gave {to} a certificate for a ticket of {} uses, as the {}th node",
                        truth.uses,
                        truth.redeemed.len()
                    ),
                };
                Err(Finding { node: *node, what })
            }
            Observation::Approved {
                node,
                asker,
                issued,
            } => {
                let subject = issued.body().subject;
                if asker.is_some_and(|asker| view.machines[asker].id == subject) {
                    return Ok(());
                }
                let (here, there) = (view.called(*node), view.called_by_id(subject));
                Err(Finding {
                    node: *node,
                    what: format!("{here} let {there} in by words that others showed"),
                })
            }
            Observation::StrangerAnswered {
                node,
                attempt,
                verdict,
            } => {
                let here = view.called(*node);
                let what = match verdict {
                    Verdict::Refuse { tell: false, .. } => return Ok(()),
                    Verdict::Refuse { reason, .. } if may_be_told(*attempt, reason) => {
                        return Ok(());
                    }
                    Verdict::Refuse { reason, .. } => format!("told a stranger why not: {reason}"),
                    Verdict::Admit { .. } => "let a stranger in".to_owned(),
                    Verdict::Issue { .. } => "gave a stranger a certificate".to_owned(),
                };
                Err(Finding {
                    node: *node,
                    what: format!("{here} {what}; it had tried {attempt:?}"),
                })
            }
            _ => Ok(()),
        }
    }
}

/// Whoever asks while a window is open hears that it waits, and whoever was put out hears that.
fn may_be_told(attempt: Attempt, reason: &Refusal) -> bool {
    match attempt {
        Attempt::StoodBetween => *reason == Refusal::Pending,
        Attempt::ReplacedKey => *reason == Refusal::Revoked,
        _ => false,
    }
}
