//! `tickets`: which may admit somebody yet, and taking one back.

use peerage_node::gateway::frontend::rest::api::{TicketWithdrawn, TicketsResponse};

use super::{Context, now};
use crate::arguments::Tickets;
use crate::failure::Failure;
use crate::render;
use crate::socket::encode;
use crate::terminal::print;

pub(super) async fn tickets(context: &Context, deed: Option<Tickets>) -> Result<(), Failure> {
    match deed {
        None => list(context).await,
        Some(Tickets::Revoke { id }) => revoke(context, &id).await,
    }
}

async fn list(context: &Context) -> Result<(), Failure> {
    let TicketsResponse { tickets } = context.client().get("/v1/tickets").await?;
    match context.json {
        true => print(&render::json(&tickets)?),
        false => print(&render::tickets(&tickets, now(), context.view)),
    }
}

async fn revoke(context: &Context, id: &str) -> Result<(), Failure> {
    let path = format!("/v1/tickets/{}", encode(id));
    let withdrawn: TicketWithdrawn = context.client().delete(&path).await?;
    match context.json {
        true => print(&render::json(&withdrawn)?),
        false => print(&render::ticket_withdrawn(&withdrawn)),
    }
}
