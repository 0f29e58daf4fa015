//! The tickets that an owner may list and take back.

use data_encoding::HEXLOWER;
use peerage_protocol::membership::issuer::TicketRecord;
use peerage_protocol::membership::ticket::TicketId;

use super::api::{TicketStatus, TicketWithdrawn, TicketsResponse};
use super::refusal::{Exit, Refused};
use super::service::{OwnerService, membership_refused};

impl OwnerService {
    pub(super) async fn tickets(&self) -> Result<TicketsResponse, Refused> {
        let mut open = self
            .membership
            .tickets()
            .await
            .map_err(membership_refused)?;
        open.sort_by_key(|record| record.expires);
        Ok(TicketsResponse {
            tickets: open.iter().map(status).collect(),
        })
    }

    /// `id` may be the beginning of a ticket's name, as long as it is that of one alone.
    pub(super) async fn withdraw_ticket(&self, id: &str) -> Result<TicketWithdrawn, Refused> {
        let open = self
            .membership
            .tickets()
            .await
            .map_err(membership_refused)?;
        let asked = id.to_ascii_lowercase();
        let mut named = open
            .iter()
            .map(|record| record.id)
            .filter(|id| !asked.is_empty() && text(*id).starts_with(&asked));
        let (Some(id), None) = (named.next(), named.next()) else {
            return Err(unknown(&asked));
        };
        let withdrawn = self.membership.withdraw_ticket(id).await;
        match withdrawn.map_err(membership_refused)? {
            true => Ok(TicketWithdrawn { id: text(id) }),
            false => Err(unknown(&asked)),
        }
    }
}

fn unknown(id: &str) -> Refused {
    Refused::new(
        Exit::Failed,
        "unknown_ticket",
        format!("not one ticket that is open begins with {id:?}"),
        "see which are with: peerage tickets",
    )
}

fn status(record: &TicketRecord) -> TicketStatus {
    let names = record
        .redeemed
        .values()
        .map(|chain| chain.body().name.to_string());
    TicketStatus {
        id: text(record.id),
        expires: record.expires.0,
        uses: record.uses,
        used_by: names.collect(),
        role: record.role.to_string(),
    }
}

fn text(id: TicketId) -> String {
    HEXLOWER.encode(&id.0)
}
