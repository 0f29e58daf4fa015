//! `members` and `revoke`: who belongs to the mesh, and who no longer does.

use peerage_node::gateway::frontend::rest::members_api::{
    MembersResponse, RevokeRequest, RevokeResponse,
};

use super::{Context, now};
use crate::arguments::Revoke;
use crate::failure::Failure;
use crate::render;
use crate::terminal::print;

pub(super) async fn list(context: &Context) -> Result<String, Failure> {
    let members: MembersResponse = context.client().get("/v1/members").await?;
    match context.json {
        true => render::json(&members),
        false => Ok(render::members(&members, now(), context.view)),
    }
}

pub(super) async fn revoke(context: &Context, revoke: Revoke) -> Result<(), Failure> {
    let request = RevokeRequest {
        node: revoke.node,
        keep_issued_before_seconds: revoke.keep_issued_before.map(|age| age.as_secs()),
    };
    let revoked: RevokeResponse = context.client().post("/v1/revoke", &request).await?;
    match context.json {
        true => print(&render::json(&revoked)?),
        false => print(&render::revoked(&revoked)),
    }
}
