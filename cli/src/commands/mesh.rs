//! `invite`, `join`, `leave`. The ticket alone goes to standard output, so that it can be piped.

use std::time::Duration;

use peerage_node::config::environment::Environment;
use peerage_node::gateway::frontend::rest::api::{
    InviteRequest, InviteResponse, JoinRequest, JoinResponse, LeaveResponse,
};
use peerage_protocol::membership::ticket::Ticket;
use serde_json::json;

use super::requests::ask;
use super::{Context, connect, now};
use crate::arguments::{Connect, Invite, Join};
use crate::failure::Failure;
use crate::render::{self, Joined};
use crate::terminal::{note, print};

/// Joining dials every address of a ticket.
const JOIN_PATIENCE: Duration = Duration::from_secs(40);
/// Leaving tells the other members.
const LEAVE_PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn invite(context: &Context, invite: &Invite) -> Result<(), Failure> {
    let request = InviteRequest {
        ttl_seconds: invite.ttl.as_secs(),
        uses: invite.uses,
        role: match invite.only.is_empty() {
            true => invite.role.as_str(),
            false => "guest",
        }
        .to_owned(),
        only: invite.only.clone(),
        certificate_seconds: invite.lifetime.map(|lifetime| lifetime.as_secs()),
    };
    context.ensure_node(invite.no_start).await?;
    let response: InviteResponse = context.client().post("/v1/invite", &request).await?;
    match context.json {
        true => print(&render::json(&json!({"ticket": response.ticket}))?)?,
        false => print(&format!("{}\n", response.ticket))?,
    }
    note(&render::invite(&response, invite.uses, now()));
    Ok(())
}

pub(super) async fn join(
    context: &Context,
    join: Join,
    environment: &dyn Environment,
) -> Result<(), Failure> {
    // What cannot work is found here, before anyone is dialed: damage in copying, a configuration that is not readable.
    if let Some(ticket) = &join.ticket {
        Ticket::from_text(ticket).map_err(|error| Failure::failed("ticket", error))?;
    }
    let client = join.connect.map(|client| {
        let asked = Connect::written(client);
        connect::prepare(context, client, asked, environment)
    });
    let client = client.transpose()?;
    context.ensure_node(join.no_start).await?;
    let response = match join.ticket {
        Some(ticket) => redeem(context, ticket).await?,
        None => ask(context, join.ask.flatten(), join.same_words).await?,
    };
    let client = match client {
        Some(prepared) => Some(connect::apply(context, prepared).await?),
        None => None,
    };
    let joined = Joined { response, client };
    match context.json {
        true => print(&render::json(&joined)?),
        false => print(&render::joined(&joined, context.view)),
    }
}

async fn redeem(context: &Context, ticket: String) -> Result<JoinResponse, Failure> {
    let client = context.client().patient_for(JOIN_PATIENCE);
    client.post("/v1/join", &JoinRequest { ticket }).await
}

pub(super) async fn leave(context: &Context) -> Result<(), Failure> {
    let client = context.client().patient_for(LEAVE_PATIENCE);
    let left: LeaveResponse = client.post("/v1/leave", &json!({})).await?;
    match context.json {
        true => print(&render::json(&left)?),
        false => print(&render::left(&left)),
    }
}
