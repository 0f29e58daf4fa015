//! `demo`: plays the mesh on this machine, and ends with what to try for real; and the server that it shares.

use std::path::Path;

use super::Context;
use super::signals::Signals;
use crate::demo::sample_server::serve_notes;
use crate::demo::stage::Stage;
use crate::demo::story::play;
use crate::demo::timeline::Timeline;
use crate::failure::Failure;
use crate::render;
use crate::terminal::print;

pub(super) async fn demo(context: &Context) -> Result<(), Failure> {
    // First of all, so that no signal falls between: whatever happens, the stage is cleared.
    let mut signals = Signals::listen()?;
    let mut stage = Stage::set()?;
    if !context.json {
        print(&render::demo_opening())?;
    }
    let mut timeline = Timeline::start(context.json, context.view);
    let outcome = tokio::select! {
        outcome = play(&mut stage, &mut timeline) => outcome,
        () = signals.any() => Err(interrupted()),
    };
    let cleared = stage.clear().await;
    outcome.and(cleared)?;
    timeline.done()?;
    match context.json {
        true => Ok(()),
        false => print(&render::demo_closing(context.view)),
    }
}

fn interrupted() -> Failure {
    let message = "interrupted; the three nodes are stopped and their folders removed";
    Failure::failed("interrupted", message)
}

/// Speaks MCP on standard input and output until the input ends.
pub(super) fn sample_server(folder: &Path) -> Result<(), Failure> {
    serve_notes(folder).map_err(|error| {
        let message = format!("the sample server cannot go on: {error}; start it again");
        Failure::failed("sample_server", message)
    })
}
