//! `keys`: another key for this node, and the root key as words on paper.

use std::io::{self, BufRead, IsTerminal};
use std::time::Duration;

use peerage_node::gateway::frontend::rest::api::StatusResponse;
use peerage_node::gateway::frontend::rest::keys_api::{
    FoundRequest, FoundResponse, RotateResponse,
};
use peerage_node::keys::{self, KeyError};
use peerage_protocol::id::MeshId;
use peerage_protocol::signature::Signer;
use serde_json::json;
use tokio::time::{Instant, sleep};
use zeroize::Zeroizing;

use super::Context;
use crate::arguments::{Keys, Restore};
use crate::failure::Failure;
use crate::render;
use crate::terminal::{note, print};

/// Every admin may have to be tried.
const ROTATE_PATIENCE: Duration = Duration::from_secs(90);
/// How long the node may take to come back under its new key.
const BACK_WITHIN: Duration = Duration::from_secs(20);
/// Between two looks at whether it has.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

pub(super) async fn keys(context: &Context, deed: &Keys) -> Result<(), Failure> {
    match deed {
        Keys::Rotate => rotate(context).await,
        Keys::RecoveryWords { show } => recovery_words(context, *show),
    }
}

async fn rotate(context: &Context) -> Result<(), Failure> {
    let client = context.client().patient_for(ROTATE_PATIENCE);
    let rotated: RotateResponse = client.post("/v1/keys/rotate", &json!({})).await?;
    let deadline = Instant::now() + BACK_WITHIN;
    loop {
        let status = context.client().get::<StatusResponse>("/v1/status").await;
        if status.is_ok_and(|status| status.node == rotated.new) {
            break;
        }
        if Instant::now() >= deadline {
            let message = format!(
                "the key is replaced, but the node does not answer as {}; start it with: peerage up",
                rotated.new
            );
            return Err(Failure::failed("not_back", message));
        }
        sleep(LOOK_INTERVAL).await;
    }
    match context.json {
        true => print(&render::json(&rotated)?),
        false => print(&render::rotated(&rotated)),
    }
}

fn recovery_words(context: &Context, show: bool) -> Result<(), Failure> {
    let root = keys::load(&context.home.root_key()).map_err(key_failed)?;
    let root = root.ok_or_else(|| {
        Failure::refused(
            "no_root_key",
            "there is no root key in this home; it is on the node that founded the mesh",
        )
    })?;
    if !show {
        if context.json {
            let message = "recovery words are shown to programs only with --show";
            return Err(Failure::refused("not_shown", message));
        }
        note(render::WORDS_WARNING);
        if !says_yes()? {
            return Err(Failure::refused("not_shown", "nothing is shown"));
        }
    }
    let mesh = MeshId::from_public_key(root.public_key()).to_string();
    let words = keys::recovery_words(&root);
    match context.json {
        true => {
            let line = render::json(&json!({"mesh": mesh, "words": words.as_str()}))?;
            print(&Zeroizing::new(line))
        }
        false => print(&Zeroizing::new(render::recovery_words(&words))),
    }
}

fn says_yes() -> Result<bool, Failure> {
    Ok(read_line()?.trim() == "yes")
}

fn read_line() -> Result<Zeroizing<String>, Failure> {
    let mut line = Zeroizing::new(String::new());
    let read = io::stdin().lock().read_line(&mut line);
    read.map_err(|error| Failure::failed("stdin", error))?;
    Ok(line)
}

/// Brings the root key back, and with it this node into its mesh.
pub(super) async fn restore(context: &Context, restore: Restore) -> Result<(), Failure> {
    if io::stdin().is_terminal() {
        note("Type the 24 words in one line: ");
    }
    let line = read_line()?;
    let root = keys::key_of_words(&line).map_err(|error| Failure::failed("words", error))?;
    let home = context
        .home
        .prepare()
        .map_err(|error| Failure::failed("home", error))?;
    match keys::load(&home.root_key()).map_err(key_failed)? {
        Some(there) if there.to_bytes() == root.to_bytes() => {}
        Some(_) => {
            return Err(Failure::refused(
                "another_root_key",
                "this home has the root key of another mesh; restore into another one with --home DIR",
            ));
        }
        None => keys::keep(&home.root_key(), &root).map_err(key_failed)?,
    }
    context.ensure_node(restore.no_start).await?;
    let request = FoundRequest {
        member: restore.member,
    };
    let founded: FoundResponse = context.client().post("/v1/found", &request).await?;
    match context.json {
        true => print(&render::json(&founded)?),
        false => print(&render::founded_anew(&founded)),
    }
}

fn key_failed(error: KeyError) -> Failure {
    Failure::failed("key", error)
}
