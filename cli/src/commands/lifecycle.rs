//! `up --background`, `down` and `restart`: a node that runs without a terminal.

use std::ffi::OsString;
use std::time::Duration;

use peerage_node::gateway::frontend::rest::api::StatusResponse;
use peerage_node::home::{Holder, Home};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::Context;
use crate::arguments::Up;
use crate::background::{Running, ensure_running};
use crate::failure::Failure;
use crate::process::command_line;
use crate::render;
use crate::terminal::print;

/// A node stops within five seconds of being asked; a busy machine may take longer.
const STOP: Duration = Duration::from_secs(15);
/// Between two looks at whether it has.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

pub(super) async fn up(context: &Context, up: &Up) -> Result<(), Failure> {
    let folder = std::env::current_dir().unwrap_or_else(|_| context.home.root().to_path_buf());
    start(context, &up.words(&folder)).await
}

pub(super) async fn down(context: &Context) -> Result<(), Failure> {
    let stopped = stop(&context.home).await?;
    match context.json {
        true => print(&render::json(&json!({"stopped": stopped}))?),
        false => print(&render::stopped(stopped, context.home.root())),
    }
}

pub(super) async fn restart(context: &Context) -> Result<(), Failure> {
    let words = match holder(&context.home)? {
        Some(holder) => words_of(&holder, &context.home)?,
        None => Vec::new(),
    };
    stop(&context.home).await?;
    start(context, &words).await
}

/// The flags with which a node was started, in the background or not.
fn words_of(holder: &Holder, home: &Home) -> Result<Vec<OsString>, Failure> {
    let up = holder
        .pid
        .and_then(command_line)
        .and_then(|words| Up::of_command_line(&words));
    match up {
        Some(up) => Ok(up.words(home.root())),
        None => Err(Failure::failed(
            "restart",
            "the flags of the running node cannot be known; run: peerage down, and then: peerage up --background with its flags",
        )),
    }
}

async fn start(context: &Context, words: &[OsString]) -> Result<(), Failure> {
    let Running { started, status } = ensure_running(&context.home, words).await?;
    match context.json {
        true => print(&render::json(&as_ready(started, &status))?),
        false => print(&render::started(started, &status, &context.home.log())),
    }
}

/// What `up --json` says in the foreground, and the process.
fn as_ready(started: Option<u32>, status: &StatusResponse) -> serde_json::Value {
    json!({
        "event": "ready",
        "http": status.http.first(),
        "node": status.node,
        "name": status.name,
        "mesh": status.mesh,
        "listen": status.listen,
        "started": started,
    })
}

/// Asks the node on `home` to stop and waits until it has; `None` when none runs.
pub(super) async fn stop(home: &Home) -> Result<Option<u32>, Failure> {
    let Some(Holder { pid, .. }) = holder(home)? else {
        return Ok(None);
    };
    let unknown = || {
        let message = format!(
            "a node runs on {}, but its lock file does not say which; look for it with: ps",
            home.root().display()
        );
        Failure::failed("unknown_holder", message)
    };
    let id = pid.ok_or_else(unknown)?;
    let process = Pid::from_raw(id.cast_signed()).ok_or_else(unknown)?;
    kill_process(process, Signal::TERM).map_err(|error| {
        let message =
            format!("cannot stop process {id}: {error}; run as the user who runs the node");
        Failure::refused("not_ours", message)
    })?;
    let deadline = Instant::now() + STOP;
    // Its last deed before it gives the home back is to take its name out of the lock file.
    while holder(home)?.is_some_and(|holder| holder.pid.is_none_or(|pid| pid == id)) {
        if Instant::now() >= deadline {
            let message =
                format!("process {id} has not stopped within {STOP:?}; end it with: kill -9 {id}");
            return Err(Failure::failed("not_stopped", message));
        }
        sleep(LOOK_INTERVAL).await;
    }
    Ok(Some(id))
}

fn holder(home: &Home) -> Result<Option<Holder>, Failure> {
    home.holder()
        .map_err(|error| Failure::failed("home", error))
}
