//! What an admin does: makes tickets, redeems each as often as it says, and gives unique names.
//!
//! A redemption is recorded, certificate included, before the certificate leaves: the same joiner asking again is
//! answered with the same certificate, and two joiners never share one use.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::admission::Refusal;
use super::certificate::{CertificateBody, CertificateChain, Role};
use super::role::{Grant, GuestServer};
use super::roster::Roster;
use super::ticket::{TicketId, TicketProof, TicketSecret, Transcript};
use crate::id::{NodeId, NodeName, SHORT_NAME_MAX};
use crate::limits::{
    CERTIFICATE_LIFETIME, CERTIFICATE_LIFETIME_MAX, CERTIFICATE_LIFETIME_MIN, TICKET_LIFETIME_MAX,
    TICKET_USES_MAX, TICKETS_MAX,
};
use crate::mutation::Mutation;
use crate::signature::Signer;
use crate::time::Timestamp;

/// A ticket as its issuer keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketRecord {
    /// Its name.
    pub id: TicketId,
    /// What its holder proves.
    pub secret: TicketSecret,
    /// When it ends.
    pub expires: Timestamp,
    /// How many nodes it admits.
    pub uses: u32,
    /// What they become.
    pub role: Role,
    /// The servers that guests may see and call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<GuestServer>,
    /// How long each of their certificates lives, in milliseconds, where that is less than usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_ms: Option<u64>,
    /// Who redeemed it, and the certificate each was given.
    pub redeemed: BTreeMap<NodeId, Arc<CertificateChain>>,
}

/// The tickets and serial numbers of one admin.
#[derive(Clone, Debug, Default)]
pub struct Issuer {
    tickets: BTreeMap<TicketId, TicketRecord>,
    last_serial: u64,
}

/// What somebody asks of [`Issuer::invite`].
#[derive(Clone, Debug)]
pub struct Invitation {
    /// Random.
    pub id: TicketId,
    /// Random.
    pub secret: TicketSecret,
    /// From now on; at most [`TICKET_LIFETIME_MAX`].
    pub lifetime: Duration,
    /// From 1 to [`TICKET_USES_MAX`].
    pub uses: u32,
    /// What the joiners become.
    pub grant: Grant,
    /// How long each of their certificates lives: from [`CERTIFICATE_LIFETIME_MIN`] to [`CERTIFICATE_LIFETIME`], which is
    /// also meant where nothing is said.
    pub certificate_lifetime: Option<Duration>,
}

/// What a certificate says of its subject, besides who that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What it is called.
    pub name: NodeName,
    /// What it may do.
    pub grant: Grant,
    /// How long the certificate lives.
    pub lifetime: Duration,
}

/// Whether certificates may be asked to live so long.
pub(crate) fn is_certificate_lifetime(lifetime: Option<Duration>) -> bool {
    let bounds = CERTIFICATE_LIFETIME_MIN..=CERTIFICATE_LIFETIME;
    lifetime.is_none_or(|lifetime| bounds.contains(&lifetime))
}

impl Issuer {
    /// Takes back a ticket that was persisted.
    pub fn restore_ticket(&mut self, record: TicketRecord) {
        for chain in record.redeemed.values() {
            self.note_serial(chain.body().serial);
        }
        self.tickets.insert(record.id, record);
    }

    /// Serial numbers up to and including `serial` are taken.
    pub fn note_serial(&mut self, serial: u64) {
        self.last_serial = self.last_serial.max(serial);
    }

    /// Makes a ticket; also returns those whose time has passed, to be forgotten.
    pub fn invite(
        &mut self,
        now: Timestamp,
        invitation: Invitation,
    ) -> Result<(TicketRecord, Vec<TicketId>), InviteError> {
        if !(1..=TICKET_USES_MAX).contains(&invitation.uses) {
            return Err(InviteError::Uses {
                found: invitation.uses,
            });
        }
        if invitation.lifetime.is_zero() || invitation.lifetime > TICKET_LIFETIME_MAX {
            return Err(InviteError::Lifetime);
        }
        if !invitation.grant.is_consistent() {
            return Err(InviteError::Servers);
        }
        if !is_certificate_lifetime(invitation.certificate_lifetime) {
            return Err(InviteError::CertificateLifetime);
        }
        let ended = self.forget_ended(now);
        if self.tickets.len() >= TICKETS_MAX {
            return Err(InviteError::TooManyTickets);
        }
        let record = TicketRecord {
            id: invitation.id,
            secret: invitation.secret,
            expires: now + invitation.lifetime,
            uses: invitation.uses,
            role: invitation.grant.role,
            only: invitation.grant.only,
            lifetime_ms: invitation
                .certificate_lifetime
                .and_then(|lifetime| u64::try_from(lifetime.as_millis()).ok()),
            redeemed: BTreeMap::new(),
        };
        self.tickets.insert(record.id, record.clone());
        Ok((record, ended))
    }

    /// The tickets that may admit somebody yet.
    pub fn open_tickets(&self, now: Timestamp) -> impl Iterator<Item = &TicketRecord> {
        let room = |record: &&TicketRecord| (record.redeemed.len() as u64) < u64::from(record.uses);
        self.tickets
            .values()
            .filter(move |record| now < record.expires)
            .filter(room)
    }

    /// Ends a ticket now. Whoever redeemed it stays a member. The record returned must be on disk before it is said.
    pub fn withdraw(&mut self, now: Timestamp, id: TicketId) -> Option<TicketRecord> {
        let record = self.tickets.get_mut(&id)?;
        record.expires = record.expires.min(now);
        Some(record.clone())
    }

    /// Tickets stay one day past their end, so that a late joiner hears "expired" rather than "unknown".
    fn forget_ended(&mut self, now: Timestamp) -> Vec<TicketId> {
        const KEPT_AFTER_END: Duration = Duration::from_secs(24 * 60 * 60);
        let ended: Vec<TicketId> = self
            .tickets
            .values()
            .filter(|record| now >= record.expires + KEPT_AFTER_END)
            .map(|record| record.id)
            .collect();
        for id in &ended {
            self.tickets.remove(id);
        }
        ended
    }

    /// Redeems a ticket for `transcript.dialer`. The record returned must be on disk before the certificate leaves.
    pub fn redeem(
        &mut self,
        now: Timestamp,
        signer: &dyn Signer,
        roster: &Roster,
        claim: &Redemption<'_>,
    ) -> Result<(TicketRecord, Arc<CertificateChain>), TicketRefusal> {
        let joiner = claim.transcript.dialer;
        let record = self
            .tickets
            .get(&claim.ticket)
            .filter(|record| {
                record
                    .secret
                    .check(record.id, claim.transcript, claim.proof)
            })
            .ok_or(TicketRefusal::unproved(Refusal::UnknownTicket))?;
        let redeemed = record.redeemed.get(&joiner);
        let given = redeemed.and_then(|chain| last_given(roster, chain));
        let used = usize::try_from(record.uses).is_ok_and(|uses| record.redeemed.len() >= uses);
        if given.is_none() && now >= record.expires {
            return Err(TicketRefusal::proved(Refusal::TicketExpired));
        }
        if used && redeemed.is_none() && !Mutation::ReuseTicket.is_on() {
            return Err(TicketRefusal::proved(Refusal::TicketUsed));
        }
        let grant = Grant {
            role: record.role,
            only: record.only.clone(),
        };
        let lifetime = record.lifetime_ms.map(Duration::from_millis);
        let lifetime = lifetime.unwrap_or(CERTIFICATE_LIFETIME);
        let chain = match given {
            Some(chain) => chain,
            None => {
                let terms = Terms {
                    name: self.free_name(claim.name, joiner, roster),
                    grant,
                    lifetime,
                };
                self.issue(now, signer, roster, joiner, terms)
            }
        };
        let record = self
            .tickets
            .get_mut(&claim.ticket)
            .ok_or(TicketRefusal::unproved(Refusal::UnknownTicket))?;
        record.redeemed.insert(joiner, chain.clone());
        Ok((record.clone(), chain))
    }

    /// A fresh certificate for `subject`, signed by this admin.
    pub fn issue(
        &mut self,
        now: Timestamp,
        signer: &dyn Signer,
        roster: &Roster,
        subject: NodeId,
        terms: Terms,
    ) -> Arc<CertificateChain> {
        self.issue_in_place_of(now, signer, roster, subject, None, terms)
    }

    /// The same; where it says so, `subject` takes the place of another node.
    pub(crate) fn issue_in_place_of(
        &mut self,
        now: Timestamp,
        signer: &dyn Signer,
        roster: &Roster,
        subject: NodeId,
        replaces: Option<NodeId>,
        terms: Terms,
    ) -> Arc<CertificateChain> {
        let Terms {
            name,
            grant: Grant { role, only },
            lifetime,
        } = terms;
        self.last_serial = self.last_serial.saturating_add(1);
        let mut body = CertificateBody {
            version: CertificateBody::version_for(role),
            mesh: roster.mesh,
            serial: self.last_serial,
            subject,
            name,
            role,
            not_before: now,
            expires: expiry(now, roster, subject, lifetime),
            only,
            replaces,
        };
        body.version = body.needed_version();
        let mut issuers = vec![roster.own.certificate.clone()];
        issuers.extend(roster.own.issuers.iter().cloned());
        Arc::new(body.sign(signer, issuers))
    }

    /// `wanted`, or `wanted-2` and so on where another node has it already.
    pub(crate) fn free_name(&self, wanted: &NodeName, joiner: NodeId, roster: &Roster) -> NodeName {
        match self.is_taken(wanted, joiner, roster) {
            true => self.numbered_name(wanted, joiner, roster),
            false => wanted.clone(),
        }
    }

    /// `wanted-2` and so on.
    pub(crate) fn numbered_name(
        &self,
        wanted: &NodeName,
        joiner: NodeId,
        roster: &Roster,
    ) -> NodeName {
        let numbered = |number: u32| {
            let suffix = format!("-{number}");
            let kept: String = wanted
                .as_str()
                .chars()
                .take(SHORT_NAME_MAX - suffix.len())
                .collect();
            format!("{kept}{suffix}").parse::<NodeName>().ok()
        };
        (2..u32::MAX)
            .filter_map(numbered)
            .find(|name| !self.is_taken(name, joiner, roster))
            .unwrap_or_else(|| wanted.clone())
    }

    /// Whether another node has `name`.
    fn is_taken(&self, name: &NodeName, joiner: NodeId, roster: &Roster) -> bool {
        roster.other_holder(name, joiner).is_some()
            || self
                .issued()
                .any(|chain| chain.body().name == *name && chain.body().subject != joiner)
    }

    fn issued(&self) -> impl Iterator<Item = &Arc<CertificateChain>> {
        self.tickets
            .values()
            .flat_map(|record| record.redeemed.values())
    }
}

/// The certificate that the holder of `chain` is to have by now: a later one where there is one, as it may have left
/// since, and nobody takes it back with `chain`; `None` where it has left and was given none.
fn last_given(roster: &Roster, chain: &Arc<CertificateChain>) -> Option<Arc<CertificateChain>> {
    match roster.known(chain.body().subject) {
        Some(known) if known.chain().body().expires >= chain.body().expires => {
            (!known.has_left()).then(|| known.chain().clone())
        }
        _ => Some(chain.clone()),
    }
}

/// A lifetime from now, and later than whatever `subject` had before, by another issuer's clock maybe: of two
/// certificates the one that expires later counts.
fn expiry(now: Timestamp, roster: &Roster, subject: NodeId, lifetime: Duration) -> Timestamp {
    const LATER: Duration = Duration::from_millis(1);
    let before = roster
        .known(subject)
        .map(|known| known.chain().body().expires);
    let regular = now + lifetime;
    let longest = now + CERTIFICATE_LIFETIME_MAX;
    before.map_or(regular, |before| (before + LATER).clamp(regular, longest))
}

/// A ticket shown at the gate.
#[derive(Clone, Copy, Debug)]
pub struct Redemption<'a> {
    /// The handshake it is shown in.
    pub transcript: &'a Transcript,
    /// Which ticket.
    pub ticket: TicketId,
    /// Shows the secret.
    pub proof: &'a TicketProof,
    /// The name the joiner would like.
    pub name: &'a NodeName,
}

/// Why a ticket is not redeemed, and whether its holder may hear it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketRefusal {
    /// Why.
    pub reason: Refusal,
    /// Whether the dialer proved that it holds the ticket.
    pub proved: bool,
}

impl TicketRefusal {
    fn proved(reason: Refusal) -> Self {
        Self {
            reason,
            proved: true,
        }
    }

    fn unproved(reason: Refusal) -> Self {
        Self {
            reason,
            proved: false,
        }
    }
}

/// Why no ticket is made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InviteError {
    /// This node may not issue.
    #[error("this node is not an admin of its mesh; ask an admin for a ticket")]
    NotAnAdmin,
    /// The number of uses is out of bounds.
    #[error("a ticket has from 1 to {TICKET_USES_MAX} uses, not {found}")]
    Uses {
        /// What was asked.
        found: u32,
    },
    /// The lifetime is out of bounds.
    #[error("a ticket lives from 1 second to 30 days")]
    Lifetime,
    /// The certificates' lifetime is out of bounds.
    #[error("a certificate lives from 5 seconds to 14 days")]
    CertificateLifetime,
    /// A guest without servers, or somebody else with some.
    #[error("a guest is let in for 1 to 16 servers, and nobody else for any")]
    Servers,
    /// [`TICKETS_MAX`] tickets are alive.
    #[error("{TICKETS_MAX} tickets are alive already; wait until some have expired")]
    TooManyTickets,
}
