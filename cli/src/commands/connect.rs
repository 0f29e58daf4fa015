//! `connect` and `disconnect`: put this node into a client's configuration, or take it out; shown first.

use std::path::{Path, PathBuf};

use peerage_node::config::environment::Environment;
use peerage_node::gateway::frontend::rest::api::TokenRevoked;
use peerage_node::home::Home;
use peerage_protocol::id::AgentName;

use super::Context;
use crate::arguments::{Connect, KnownClient};
use crate::client::identity;
use crate::clients::{Change, ChangeError, ENTRY_NAME, Entry, Folders, Planned, Platform};
use crate::failure::Failure;
use crate::render::{self, ClientState, Outcome};
use crate::terminal::print;

pub(super) async fn connect(
    context: &Context,
    asked: Connect,
    environment: &dyn Environment,
) -> Result<(), Failure> {
    let Some(client) = asked.client else {
        return list(context, asked.project, environment);
    };
    let prepared = prepare(context, client, asked, environment)?;
    let outcome = apply(context, prepared).await?;
    tell(context, &outcome)
}

/// A change that puts this node into a client's configuration.
pub(super) struct Prepared {
    client: KnownClient,
    agent: AgentName,
    asked: Connect,
    planned: Planned,
}

/// Works the change out; nothing is written.
pub(super) fn prepare(
    context: &Context,
    client: KnownClient,
    asked: Connect,
    environment: &dyn Environment,
) -> Result<Prepared, Failure> {
    let agent = asked.agent.clone().unwrap_or_else(|| client.agent());
    let entry = entry(context, client, &agent)?;
    let path = file(client, asked.project, environment)?;
    let planned = Change::Connect(&entry).plan(&path, client.format())?;
    Ok(Prepared {
        client,
        agent,
        asked,
        planned,
    })
}

/// Writes the change if that is asked, with a token for the agent where a node runs.
pub(super) async fn apply(context: &Context, prepared: Prepared) -> Result<Outcome, Failure> {
    let Prepared {
        client,
        agent,
        asked,
        planned,
    } = prepared;
    let backup = write(&planned, asked.write)?;
    if asked.write {
        // Without a node the token is made on first use.
        match identity::token_of(&context.home.prepare()?, &agent).await {
            Err(error) if !error.is_away() => return Err(error.into()),
            _ => {}
        }
    }
    let home = named_home(context);
    Ok(Outcome::new(
        client, "connect", home, &asked, &planned, backup,
    ))
}

pub(super) async fn disconnect(
    context: &Context,
    asked: Connect,
    environment: &dyn Environment,
) -> Result<(), Failure> {
    let Some(client) = asked.client else {
        return list(context, asked.project, environment);
    };
    let path = file(client, asked.project, environment)?;
    let planned = Change::Disconnect.plan(&path, client.format())?;
    let backup = write(&planned, asked.write)?;
    if asked.write {
        let agent = asked.agent.clone().unwrap_or_else(|| client.agent());
        revoke(context, &agent).await?;
    }
    let home = named_home(context);
    let outcome = Outcome::new(client, "disconnect", home, &asked, &planned, backup);
    tell(context, &outcome)
}

/// The home, where it is not the one that is found without being named. A client does not see this shell's variables.
fn named_home(context: &Context) -> Option<&Path> {
    let usual = Home::locate(None, &std::collections::BTreeMap::new()).ok();
    (usual.as_ref() != Some(&context.home)).then(|| context.home.root())
}

fn entry(context: &Context, client: KnownClient, agent: &AgentName) -> Result<Entry, Failure> {
    let program = std::env::current_exe().map_err(|error| {
        let message =
            format!("the path of this program is not known ({error}); start it by its path");
        Failure::failed("program", message)
    })?;
    Ok(Entry::of_proxy(
        &program,
        named_home(context),
        agent,
        client.names_transport(),
    ))
}

/// The client's file, for the user or for the project in the current folder.
pub(super) fn file(
    client: KnownClient,
    project: bool,
    environment: &dyn Environment,
) -> Result<PathBuf, Failure> {
    if project {
        return client.project_file(&current_folder()?).ok_or_else(|| {
            let message =
                format!("{client} has no configuration for projects; leave out --project");
            Failure::failed("no_project_file", message)
        });
    }
    let folders = Folders::locate(environment, Platform::CURRENT)
        .ok_or_else(|| Failure::failed("no_home", "HOME is not set; set it to your own folder"))?;
    Ok(client.user_file(&folders))
}

fn current_folder() -> Result<PathBuf, Failure> {
    std::env::current_dir().map_err(|error| {
        let message = format!("the current folder is gone ({error}); change to another");
        Failure::failed("folder", message)
    })
}

fn write(planned: &Planned, wanted: bool) -> Result<Option<PathBuf>, Failure> {
    match wanted && planned.changes_anything() {
        true => Ok(planned.write()?),
        false => Ok(None),
    }
}

/// Without a node there is no token that works; the one that is kept would be refused by the next.
async fn revoke(context: &Context, agent: &AgentName) -> Result<(), Failure> {
    if !identity::forget(&context.home, agent)? {
        return Ok(());
    }
    let path = format!("/v1/tokens/{agent}");
    let revoked: Result<TokenRevoked, Failure> = context.client().delete(&path).await;
    match revoked {
        Err(failure) if !failure.is_no_node() && !failure.is_unknown_token() => Err(failure),
        _ => Ok(()),
    }
}

fn tell(context: &Context, outcome: &Outcome) -> Result<(), Failure> {
    match context.json {
        true => print(&render::json(outcome)?),
        false => print(&render::changed(outcome, context.view)),
    }
}

fn list(context: &Context, project: bool, environment: &dyn Environment) -> Result<(), Failure> {
    let state = |client: &KnownClient| {
        let path = file(*client, project, environment).ok()?;
        Some(ClientState {
            client: client.to_string(),
            state: state_of(&path, *client),
            path: path.display().to_string(),
        })
    };
    let states: Vec<ClientState> = KnownClient::ALL.iter().filter_map(state).collect();
    match context.json {
        true => print(&render::json(&states)?),
        false => print(&render::clients(&states, context.view)),
    }
}

fn state_of(path: &Path, client: KnownClient) -> &'static str {
    if !path.exists() {
        return "no file";
    }
    match Change::Disconnect.plan(path, client.format()) {
        Ok(planned) if planned.changes_anything() => "connected",
        Ok(_) => "not connected",
        Err(_) => "not readable",
    }
}

impl From<ChangeError> for Failure {
    fn from(error: ChangeError) -> Self {
        Failure::failed("client_config", error)
    }
}

impl Outcome {
    fn new(
        client: KnownClient,
        verb: &'static str,
        home: Option<&Path>,
        asked: &Connect,
        planned: &Planned,
        backup: Option<PathBuf>,
    ) -> Self {
        let changes = planned.changes_anything();
        let project = if asked.project { " --project" } else { "" };
        let home = home.map(|home| format!(" --home {}", home.display()));
        let agent = asked.agent.as_ref().map(|agent| format!(" --as {agent}"));
        Self {
            client: client.to_string(),
            entry: ENTRY_NAME,
            path: planned.path.display().to_string(),
            changed: changes,
            written: changes && asked.write,
            backup: backup.map(|path| path.display().to_string()),
            diff: render::unified_diff(&planned.before, &planned.after),
            apply_with: format!(
                "peerage{} {verb} {client}{project}{} --write",
                home.unwrap_or_default(),
                agent.unwrap_or_default()
            ),
            next: client.after_change().to_owned(),
        }
    }
}
