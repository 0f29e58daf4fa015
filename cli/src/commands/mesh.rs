//! `invite`, `join`, `leave`. The ticket alone goes to standard output, so that it can be piped.

use std::time::Duration;

use peerage_node::gateway::frontend::rest::api::{
    InviteRequest, InviteResponse, JoinRequest, JoinResponse, LeaveResponse,
};
use peerage_protocol::membership::ticket::Ticket;
use serde_json::json;

use super::{Context, now};
use crate::arguments::Invite;
use crate::failure::Failure;
use crate::render;
use crate::terminal::{note, print};

/// Joining dials every address of a ticket.
const JOIN_PATIENCE: Duration = Duration::from_secs(40);
/// Leaving tells the other members.
const LEAVE_PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn invite(context: &Context, invite: &Invite) -> Result<(), Failure> {
    let request = InviteRequest {
        ttl_seconds: invite.ttl.as_secs(),
        uses: invite.uses,
        role: invite.role.as_str().to_owned(),
    };
    let response: InviteResponse = context.client().post("/v1/invite", &request).await?;
    match context.json {
        true => print(&render::json(&json!({"ticket": response.ticket}))?)?,
        false => print(&format!("{}\n", response.ticket))?,
    }
    note(&render::invite(&response, invite.uses, now()));
    Ok(())
}

pub(super) async fn join(context: &Context, ticket: String) -> Result<(), Failure> {
    // Damage in copying is found here, before anyone is dialed.
    Ticket::from_text(&ticket).map_err(|error| Failure::failed("ticket", error))?;
    let joined: JoinResponse = context
        .client()
        .patient_for(JOIN_PATIENCE)
        .post("/v1/join", &JoinRequest { ticket })
        .await?;
    match context.json {
        true => print(&render::json(&joined)?),
        false => print(&render::joined(&joined)),
    }
}

pub(super) async fn leave(context: &Context) -> Result<(), Failure> {
    let client = context.client().patient_for(LEAVE_PATIENCE);
    let left: LeaveResponse = client.post("/v1/leave", &json!({})).await?;
    match context.json {
        true => print(&render::json(&left)?),
        false => print(&render::left(&left)),
    }
}
