//! `up`: runs the node in the foreground until a signal, and stops it within five seconds.

use std::time::Duration;

use peerage_node::config::environment::Environment;
use peerage_node::config::settings::{Flags, Settings};
use peerage_node::home::HomeError;
use peerage_node::node::{Node, StartError};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, setsid};
use tokio::io::{AsyncReadExt, stdin};

use super::Context;
use super::signals::Signals;
use crate::arguments::Up;
use crate::failure::Failure;
use crate::terminal::{View, print};
use crate::{log, render};

/// How long calls under way may take to end; the rest of the five seconds belongs to the process.
const DRAIN: Duration = Duration::from_secs(4);

pub(super) async fn up(
    context: &Context,
    up: Up,
    environment: &(dyn Environment + Sync),
) -> Result<(), Failure> {
    if up.detached {
        leave_session()?;
    }
    // Before all that takes time, so that no signal falls between.
    let mut signals = Signals::listen()?;
    let while_stdin_open = up.while_stdin_open;
    let settings = Settings::load(&context.home, flags(up), environment)
        .map_err(|error| Failure::failed("settings", error))?;
    log::start(settings.log, View::of_stderr(environment).colour);
    raise_descriptor_limit();
    warn(&settings);
    let mut orphaned = std::pin::pin!(standard_input_ends());
    loop {
        let mut node = tokio::select! {
            node = Node::start(settings.clone()) => node.map_err(start_failed)?,
            () = signals.any() => return Ok(()),
        };
        match context.json {
            true => print(&render::json(node.ready())?)?,
            false => print(&render::ready(node.ready()))?,
        }
        let restart = node.wants_restart();
        let end = tokio::select! {
            () = signals.any() => End::Stop,
            () = &mut orphaned, if while_stdin_open => End::Stop,
            why = node.failure() => End::Failed(why),
            () = restart => End::Restart,
        };
        tracing::info!("stopping; a second signal ends it at once");
        tokio::select! {
            () = node.stop() => {}
            () = tokio::time::sleep(DRAIN) => tracing::warn!("some calls did not end in time"),
            () = signals.any() => {}
        }
        match end {
            End::Restart => tracing::info!("starting again under another key"),
            End::Stop => return Ok(()),
            End::Failed(why) => return Err(Failure::failed("node", why)),
        }
    }
}

/// Why a node stops.
enum End {
    Stop,
    Failed(String),
    Restart,
}

/// Begins a session of its own, without a terminal that could end it.
fn leave_session() -> Result<(), Failure> {
    setsid().map(drop).map_err(|error| {
        Failure::failed(
            "session",
            format!("cannot leave the terminal: {error}; start it with: peerage up"),
        )
    })
}

/// Shells start programs with few descriptors for the sake of old ones; a node needs one per connection and child.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!(%error, "the limit of open files could not be raised");
    }
}

/// Whoever started the node has gone, however it ended.
async fn standard_input_ends() {
    let mut passed_over = [0; 64];
    while matches!(stdin().read(&mut passed_over).await, Ok(1..)) {}
}

fn flags(up: Up) -> Flags {
    Flags {
        name: up.name.map(|name| name.to_string()),
        http: up.http,
        listen: up.listen,
        bootstrap: up.bootstrap,
        no_mdns: up.no_mdns,
        log: up.log,
    }
}

fn warn(settings: &Settings) {
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    if settings.http.is_exposed() {
        tracing::warn!(
            "the gateway listens beyond this machine, so every caller needs a token: make one with \
             `peerage token create NAME`, or keep to loopback with --http 127.0.0.1:8080"
        );
    }
}

fn start_failed(error: StartError) -> Failure {
    match &error {
        StartError::Home(HomeError::Held { .. }) => Failure::refused("home_held", error),
        _ => Failure::failed("start", error),
    }
}
