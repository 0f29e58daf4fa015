//! Shows the checks what happens, and stops the world at the first that fails.

use peerage_protocol::membership::admission::Verdict;
use peerage_protocol::node_state::Reply;

use super::World;
use super::dials::Purpose;
use super::machine::Request;
use crate::checks::{Observation, View};
use crate::outcome::Violation;

impl World {
    /// Shows the checks something.
    pub(crate) fn observe(&mut self, seen: &Observation<'_>) {
        if self.violation.is_some() {
            return;
        }
        let by_id = &self.by_id;
        let view = View {
            now_us: self.now_us,
            machines: &self.machines,
            truth: &self.truth,
            place: &|node| by_id.get(&node).copied(),
        };
        for check in &mut self.checks {
            if let Err(finding) = check.observe(seen, &view) {
                let at = self.machines.get(finding.node);
                self.violation = Some(Violation {
                    at_us: self.now_us,
                    check: check.name().to_owned(),
                    node: at.map(|machine| machine.plan.number),
                    what: finding.what,
                });
                return;
            }
        }
    }

    /// Writes into the truth what a node is about to say, and shows it to the checks.
    pub(crate) fn observe_reply(&mut self, node: usize, request: Request, reply: &Reply) {
        match (request, reply) {
            (_, Reply::Invited(Ok(record))) => {
                self.truth.invited(record.id, node, record.uses);
                self.observe(&Observation::Invited { node, record });
            }
            (Request::Judge { handshake }, Reply::Verdict(Verdict::Issue { issued, .. })) => {
                self.truth.issued(issued);
                if let Some(place) = self.place(issued.body().subject) {
                    self.truth.readmitted(place);
                }
                let purpose = self
                    .handshakes
                    .get(&handshake)
                    .map(|one| one.purpose.clone());
                if let Some(Purpose::Redeem { ticket, .. }) = purpose {
                    self.truth.redeemed(ticket.id, issued.body().subject);
                    self.observe(&Observation::Redeemed {
                        node,
                        ticket: ticket.id,
                        issued,
                    });
                }
            }
            (Request::Approve { asker }, Reply::Approved(Ok(issued))) => {
                self.truth.issued(issued);
                if let Some(asker) = asker {
                    self.truth.readmitted(asker);
                }
                let seen = Observation::Approved {
                    node,
                    asker,
                    issued,
                };
                self.observe(&seen);
            }
            (_, Reply::Renewal(Ok(issued))) => self.truth.issued(issued),
            (_, Reply::Founded(Ok(_))) => {
                self.truth.entered(node);
                self.observe(&Observation::Entered { node });
            }
            (Request::Certify { .. }, Reply::Taken(Ok(()))) => {
                self.truth.entered(node);
                self.observe(&Observation::Entered { node });
            }
            (_, Reply::Left(Some(_))) => {
                self.truth.left(node);
                self.observe(&Observation::Left { node });
            }
            _ => {}
        }
    }
}
