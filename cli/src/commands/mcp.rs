//! `mcp`: the stdio proxy, so that a client that knows no HTTP has the whole mesh.

use std::time::Duration;

use peerage_node::config::choices::LogLevel;
use peerage_node::config::environment::Environment;
use tokio::io::{BufReader, stdin, stdout};

use super::Context;
use super::signals::Signals;
use crate::arguments::Mcp;
use crate::background::ensure_running;
use crate::client::TOKEN_VARIABLE;
use crate::client::courier::{Courier, Destination};
use crate::client::endpoint;
use crate::client::identity::agent_name;
use crate::failure::Failure;
use crate::terminal::View;
use crate::{log, proxy};

/// How long a request waits for a node that is away, below the patience of usual clients.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn mcp(
    context: &Context,
    mcp: Mcp,
    environment: &(dyn Environment + Sync),
) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    log::start(LogLevel::Warn, View::of_stderr(environment).colour);
    let named = endpoint::of_environment(environment);
    if named.is_none() && !mcp.no_start {
        ensure_running(&context.home, &[]).await?;
    }
    let destination = |client: Option<&str>| match named {
        Some(endpoint) => Destination::Fixed {
            endpoint,
            token: environment.variable(TOKEN_VARIABLE),
        },
        None => Destination::Node {
            home: context.home.clone(),
            agent: mcp.agent.or_else(|| agent_name(client.unwrap_or("agent"))),
            revive: !mcp.no_start,
        },
    };
    let courier = |client: Option<&str>| Courier::new(destination(client), PATIENCE);
    let carried = proxy::run(BufReader::new(stdin()), stdout(), courier, signals.any());
    carried.await.map_err(Failure::from)
}
