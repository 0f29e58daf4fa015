//! Founding, inviting and redeeming, as people at their keyboards do it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use peerage_protocol::id::NodeId;
use peerage_protocol::limits::TICKET_LIFETIME;
use peerage_protocol::membership::certificate::Role;
use peerage_protocol::membership::issuer::{Invitation, TicketRecord};
use peerage_protocol::membership::ticket::{Ticket, TicketId, TicketSecret};
use peerage_protocol::node_state::Input;

use super::World;
use super::event::{Boot, Event};
use super::machine::{JoinProgress, Joining, Request};
use crate::randomness::derive;

/// A person who was told that it did not work tries again after this.
const TRY_AGAIN_US: u64 = 5_000_000;
/// How long a ticket's issuer is tried.
const JOIN_WITHIN_US: u64 = 20_000_000;
/// A person takes this long to carry a ticket from one machine to the other.
const HAND_OVER_US: u64 = 10_000;

/// Worlds of more nodes have tickets for many: an issuer keeps only so many.
const FEW_NODES: usize = 100;
/// How many such a ticket is for.
const USES_FOR_MANY: u32 = 100;

/// Tickets that are out.
#[derive(Default)]
pub(crate) struct Tickets {
    /// Those that actions refer to, by their numbers.
    pub(crate) numbered: BTreeMap<u32, Arc<Ticket>>,
    /// One for many, and how many more nodes it is for.
    spare: Option<(Arc<Ticket>, u32)>,
}

impl World {
    /// The first node of the plan founds the mesh.
    pub(crate) fn found(&mut self) {
        let Some(founder) = self.machines.first_mut() else {
            return;
        };
        let root = Arc::new(SigningKey::from_bytes(&derive(self.plan.seed, "root")));
        founder.disk.root = Some(root.clone());
        let Ok(name) = founder.plan.name.parse() else {
            return;
        };
        self.ask(0, Request::Found, |request| Input::Found {
            request,
            root,
            name,
        });
    }

    /// A node that wants to join asks for a ticket, or shows the one it has again.
    pub(crate) fn join(&mut self, node: usize) {
        let machine = &self.machines[node];
        let member = machine
            .process
            .as_ref()
            .is_some_and(|process| process.roster.is_some());
        if member {
            // By an old backup, or because another ticket brought it in.
            self.machines[node].join = JoinProgress::default();
            return;
        }
        if machine.join.wanted_since_us.is_none() {
            return;
        }
        if machine.join.again {
            let at_us = self.now_us + TRY_AGAIN_US;
            self.queue.schedule(at_us, Event::Join { node });
        }
        if machine.process.is_none() {
            return;
        }
        if let Some(admin) = machine.join.asks {
            self.ask_in(node, admin);
            return;
        }
        let wall = machine.wall(self.now_us);
        if machine
            .join
            .ticket
            .as_ref()
            .is_some_and(|ticket| ticket.expires > wall)
        {
            self.redeem(node);
            return;
        }
        let inviter = machine.join.inviter;
        let role = if machine.plan.admin {
            Role::Admin
        } else {
            Role::Member
        };
        if role == Role::Member && self.hand_spare_ticket(node) {
            return;
        }
        let many = role == Role::Member && self.machines.len() > FEW_NODES;
        let uses = if many { USES_FOR_MANY } else { 1 };
        let invitation = self.invitation(uses, TICKET_LIFETIME, role);
        self.ask(inviter, Request::InviteFor { joiner: node }, |request| {
            Input::Invite {
                request,
                invitation,
            }
        });
    }

    fn invitation(&mut self, uses: u32, lifetime: Duration, role: Role) -> Invitation {
        let [id, _] = halves(self.randomness.bytes());
        Invitation {
            id: TicketId(id),
            secret: TicketSecret(self.randomness.bytes()),
            lifetime,
            uses,
            grant: role.into(),
            certificate_lifetime: self.plan.certificate_ms.map(Duration::from_millis),
        }
    }

    /// An action has a node make a ticket.
    pub(crate) fn invite(&mut self, node: usize, ticket: u32, uses: u32, lifetime: Duration) {
        let invitation = self.invitation(uses, lifetime, Role::Member);
        self.ask(node, Request::Invite { ticket }, |request| Input::Invite {
            request,
            invitation,
        });
    }

    pub(crate) fn invited(&mut self, issuer: usize, number: u32, record: Option<TicketRecord>) {
        let ticket = record.and_then(|record| self.ticket(issuer, record));
        if let Some(ticket) = ticket {
            self.tickets.numbered.insert(number, Arc::new(ticket));
        }
    }

    pub(crate) fn invited_for(
        &mut self,
        issuer: usize,
        joiner: usize,
        record: Option<TicketRecord>,
    ) {
        let uses = record.as_ref().map_or(0, |record| record.uses);
        let ticket = record.and_then(|record| self.ticket(issuer, record));
        let Some(ticket) = ticket.map(Arc::new) else {
            return;
        };
        if uses > 1 {
            self.tickets.spare = Some((ticket.clone(), uses - 1));
        }
        self.hand_over(joiner, ticket);
    }

    /// Whether there was a ticket for many that this node could have.
    fn hand_spare_ticket(&mut self, joiner: usize) -> bool {
        let wall = self.machines[joiner].wall(self.now_us);
        match &mut self.tickets.spare {
            Some((ticket, left)) if *left > 0 && ticket.expires > wall => {
                *left -= 1;
                let ticket = ticket.clone();
                self.hand_over(joiner, ticket);
                true
            }
            _ => false,
        }
    }

    fn hand_over(&mut self, joiner: usize, ticket: Arc<Ticket>) {
        self.machines[joiner].join.ticket = Some(ticket);
        let boot = self.machines[joiner].boots;
        let at_us = self.now_us + HAND_OVER_US;
        self.queue
            .schedule(at_us, Event::TicketHanded { node: joiner, boot });
    }

    fn ticket(&self, issuer: usize, record: TicketRecord) -> Option<Ticket> {
        let machine = &self.machines[issuer];
        let roster = machine.process.as_ref()?.roster.as_ref()?;
        Some(Ticket {
            mesh: roster.mesh,
            issuer: machine.id,
            id: record.id,
            secret: record.secret,
            expires: record.expires,
            addresses: vec![machine.address.clone()],
        })
    }

    pub(crate) fn ticket_handed(&mut self, node: usize, boot: Boot) {
        if self.machines[node].runs(boot) {
            self.redeem(node);
        }
    }

    /// Shows the ticket that a node was given.
    pub(crate) fn redeem(&mut self, node: usize) {
        let machine = &mut self.machines[node];
        let (Some(ticket), Ok(name)) = (machine.join.ticket.clone(), machine.plan.name.parse())
        else {
            return;
        };
        let Some(process) = &mut machine.process else {
            return;
        };
        if process.roster.is_some() || process.joining.is_some() {
            return;
        }
        let issuer = ticket.issuer;
        let addresses = ticket.addresses.clone();
        process.joining = Some(Joining { ticket, name });
        process.join_attempts += 1;
        let (boot, attempt) = (process.boot, process.join_attempts);
        if let Some(issuer) = self.place(issuer) {
            self.disconnect(node, issuer);
        }
        let at_us = self.now_us + JOIN_WITHIN_US;
        self.queue.schedule(
            at_us,
            Event::JoinGivenUp {
                node,
                boot,
                attempt,
            },
        );
        self.dial(node, issuer, &addresses);
    }

    pub(crate) fn join_given_up(&mut self, node: usize, boot: Boot, attempt: u32) {
        let process = self.machines[node].process.as_mut();
        let process = process.filter(|process| process.boot == boot);
        if let Some(process) = process.filter(|process| process.join_attempts == attempt) {
            process.joining = None;
        }
    }

    /// The redemption at `issuer`, if there is one, came to nothing.
    pub(crate) fn join_failed(&mut self, node: usize, issuer: NodeId) {
        self.errand_failed(node, issuer);
        let Some(process) = &mut self.machines[node].process else {
            return;
        };
        if process
            .joining
            .as_ref()
            .is_some_and(|joining| joining.ticket.issuer == issuer)
        {
            process.joining = None;
            self.machines[node].join.ticket = None;
        }
    }

    /// A certificate from `issuer` was taken.
    pub(crate) fn joined(&mut self, node: usize, issuer: NodeId) {
        let now_us = self.now_us;
        let machine = &mut self.machines[node];
        if let Some(process) = &mut machine.process {
            process.errand = None;
        }
        if let Some(process) = &mut machine.process
            && process
                .joining
                .as_ref()
                .is_some_and(|joining| joining.ticket.issuer == issuer)
        {
            process.joining = None;
        }
        machine.join.ticket = None;
        machine.join.again = false;
        machine.join.asks = None;
        if let Some(since_us) = machine.join.wanted_since_us.take() {
            self.statistics.join_us.add(now_us - since_us);
            self.await_join(node);
        }
    }
}

/// Both halves of random bytes.
pub(crate) fn halves(bytes: [u8; 32]) -> [[u8; 16]; 2] {
    let mut halves = [[0; 16]; 2];
    halves[0].copy_from_slice(&bytes[..16]);
    halves[1].copy_from_slice(&bytes[16..]);
    halves
}
