//! `token create`, `list`, `revoke`: who a local agent is.

use peerage_node::gateway::frontend::rest::api::{
    TokenRequest, TokenResponse, TokenRevoked, TokensResponse,
};
use peerage_protocol::id::AgentName;

use super::{Context, now};
use crate::arguments::Token;
use crate::failure::Failure;
use crate::render;
use crate::terminal::{note, print};

pub(super) async fn token(context: &Context, token: Token) -> Result<(), Failure> {
    match token {
        Token::Create { name } => create(context, &name).await,
        Token::List => list(context).await,
        Token::Revoke { name } => revoke(context, &name).await,
    }
}

async fn create(context: &Context, name: &AgentName) -> Result<(), Failure> {
    let request = TokenRequest {
        name: name.to_string(),
    };
    let client = context.client();
    let TokensResponse { tokens } = client.get("/v1/tokens").await?;
    let replaces = tokens.iter().any(|token| token.name == request.name);
    let response: TokenResponse = client.post("/v1/tokens", &request).await?;
    match context.json {
        true => print(&render::json(&response)?)?,
        false => print(&format!("{}\n", response.token))?,
    }
    note(&render::token_made(&request.name, replaces));
    Ok(())
}

async fn list(context: &Context) -> Result<(), Failure> {
    let TokensResponse { tokens } = context.client().get("/v1/tokens").await?;
    match context.json {
        true => print(&render::json(&tokens)?),
        false => print(&render::tokens(&tokens, now(), context.view)),
    }
}

async fn revoke(context: &Context, name: &AgentName) -> Result<(), Failure> {
    let revoked: TokenRevoked = context
        .client()
        .delete(&format!("/v1/tokens/{name}"))
        .await?;
    match context.json {
        true => print(&render::json(&revoked)?),
        false => print(&format!("The token of {} no longer works.\n", revoked.name)),
    }
}
