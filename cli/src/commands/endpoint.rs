//! `endpoint`: where a client on this machine should speak MCP. The URL alone goes to standard output.

use peerage_node::config::environment::Environment;

use super::Context;
use crate::client::endpoint::{of_environment, of_node};
use crate::failure::Failure;
use crate::render;
use crate::terminal::{note, print};

pub(super) async fn endpoint(
    context: &Context,
    environment: &dyn Environment,
) -> Result<(), Failure> {
    let endpoint = match of_environment(environment) {
        Some(endpoint) => endpoint,
        None => of_node(&context.home).await?,
    };
    if context.json {
        return print(&render::json(&endpoint)?);
    }
    print(&format!("{}\n", render::one_line(&endpoint.url)))?;
    if context.view.screen {
        note(&format!("{}\n", endpoint.source));
    }
    Ok(())
}
