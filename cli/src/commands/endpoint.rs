//! `endpoint`: where a client on this machine should speak MCP. The URL alone goes to standard output.

use peerage_node::config::environment::Environment;
use serde::Serialize;

use super::Context;
use crate::arguments::Looking;
use crate::client::Endpoint;
use crate::client::search::{Search, Step};
use crate::failure::Failure;
use crate::render;
use crate::terminal::{note, print};

pub(super) async fn endpoint(
    context: &Context,
    looking: &Looking,
    environment: &dyn Environment,
) -> Result<(), Failure> {
    let program = std::env::current_exe().map_err(|error| Failure::failed("endpoint", error))?;
    let mut search = Search::at(context.home.clone()).with_registry(program);
    if looking.scan {
        search = search.with_neighbours();
    }
    let found = search.run_in(environment).await;
    if looking.trace && !context.json {
        note(&render::trace(&found.steps));
    }
    match found.endpoint {
        Ok(endpoint) if context.json => {
            let steps = looking.trace.then_some(found.steps);
            print(&render::json(&Traced { endpoint, steps })?)
        }
        Ok(endpoint) => {
            print(&format!("{}\n", render::one_line(&endpoint.url)))?;
            if context.view.screen && !looking.trace {
                note(&format!("{}\n", endpoint.source));
            }
            Ok(())
        }
        Err(absent) => Err(absent.into()),
    }
}

#[derive(Serialize)]
struct Traced {
    #[serde(flatten)]
    endpoint: Endpoint,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<Vec<Step>>,
}
