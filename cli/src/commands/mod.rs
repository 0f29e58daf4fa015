//! The commands: each asks the node, or does its part without one, and prints what came of it.

mod asking;
mod backup;
mod call;
mod connect;
mod decisions;
mod demo;
mod doctor;
mod endpoint;
mod firebase;
mod import;
mod install;
mod keys;
mod lifecycle;
mod lists;
mod log;
mod logs;
mod mcp;
mod members;
mod mesh;
mod messages;
mod rename;
mod requests;
mod scan;
mod serve;
mod shell;
mod signals;
mod tasks;
mod tickets;
mod token;
mod up;
mod watch;

use std::time::{SystemTime, UNIX_EPOCH};

use peerage_node::config::environment::ProcessEnvironment;
use peerage_node::home::Home;

use crate::arguments::{Arguments, Command};
use crate::background::{Running, ensure_running};
use crate::failure::Failure;
use crate::render;
use crate::socket::Client;
use crate::terminal::{View, note};

/// What every command knows.
pub(crate) struct Context {
    pub home: Home,
    pub json: bool,
    pub view: View,
}

impl Context {
    pub(crate) fn client(&self) -> Client {
        Client::new(self.home.clone())
    }

    /// Starts the node in the background where none runs, and says so.
    async fn ensure_node(&self, no_start: bool) -> Result<(), Failure> {
        if no_start {
            return Ok(());
        }
        let Running { started, status } = ensure_running(&self.home, &[]).await?;
        if let Some(pid) = started.filter(|_| !self.json) {
            note(&render::started_along(pid, &status));
        }
        Ok(())
    }
}

/// Does what the command line says.
pub async fn run(arguments: Arguments) -> Result<(), Failure> {
    let environment = ProcessEnvironment;
    let home = Home::locate(arguments.home, &environment)
        .map_err(|error| Failure::failed("home", error))?;
    let context = Context {
        home,
        json: arguments.json,
        view: View::of_stdout(&environment),
    };
    match arguments.command {
        Command::Up(flags) if flags.background => lifecycle::up(&context, &flags).await,
        Command::Down => lifecycle::down(&context).await,
        Command::Restart => lifecycle::restart(&context).await,
        Command::Logs(logs) => logs::logs(&context, &logs).await,
        Command::Up(flags) => up::up(&context, flags, &environment).await,
        Command::Serve(server) => serve::serve(&context, server).await,
        Command::Unserve { name } => serve::unserve(&context, &name).await,
        Command::Invite(invite) => mesh::invite(&context, &invite).await,
        Command::Tickets { deed } => tickets::tickets(&context, deed).await,
        Command::Requests(asked) => requests::requests(&context, &asked).await,
        Command::Approve(approve) => requests::approve(&context, &approve).await,
        Command::Join(join) => mesh::join(&context, join, &environment).await,
        Command::Members { watch } => {
            watch::show(&context, watch, || members::list(&context)).await
        }
        Command::Revoke(revoke) => members::revoke(&context, revoke).await,
        Command::Leave => mesh::leave(&context).await,
        Command::Nodes {
            addresses: true,
            watch,
        } => watch::show(&context, watch, || lists::addresses(&context)).await,
        Command::Nodes { watch, .. } => {
            watch::show(&context, watch, || lists::nodes(&context)).await
        }
        Command::Agents { watch } => watch::show(&context, watch, || lists::agents(&context)).await,
        Command::Scan => scan::scan(&context).await,
        Command::Tools { query, watch } => {
            let query = query.join(" ");
            watch::show(&context, watch, || lists::tools(&context, &query)).await
        }
        Command::Status { watch } => watch::show(&context, watch, || lists::status(&context)).await,
        Command::Call(call) => call::call(&context, call).await,
        Command::Send(send) => messages::send(&context, send, &environment).await,
        Command::Inbox(inbox) => messages::inbox(&context, inbox, &environment).await,
        Command::Messages(query) => messages::messages(&context, query, &environment).await,
        Command::Ack(ack) => messages::ack(&context, ack, &environment).await,
        Command::Task(task) => tasks::task(&context, task, &environment).await,
        Command::Propose(propose) => decisions::propose(&context, propose, &environment).await,
        Command::Vote(vote) => decisions::vote(&context, vote, &environment).await,
        Command::Proposals { watch } => decisions::proposals(&context, watch).await,
        Command::Proposal(shown) => decisions::proposal(&context, shown).await,
        Command::Verify(verify) => decisions::verify(&context, &verify),
        Command::Endpoint(looking) => endpoint::endpoint(&context, &looking, &environment).await,
        Command::Mcp(mcp) => mcp::mcp(&context, mcp, &environment).await,
        Command::Connect(change) => connect::connect(&context, change, &environment).await,
        Command::Disconnect(change) => connect::disconnect(&context, change, &environment).await,
        Command::Import(import) => import::import(&context, &import, &environment).await,
        Command::Token(token) => token::token(&context, token).await,
        Command::Doctor => doctor::doctor(&context).await,
        Command::Log(deed) => log::log(&context, &deed),
        Command::Firebase(deed) => firebase::firebase(&context, &deed).await,
        #[cfg(feature = "firebase")]
        Command::FirebaseCourier => firebase::errand().await,
        Command::Rename { name } => rename::rename(&context, &name).await,
        Command::Backup(backup) => backup::backup(&context, &backup),
        Command::Restore(restore) => match restore.file.clone() {
            Some(file) => backup::restore(&context, &file, restore.force),
            None => keys::restore(&context, restore).await,
        },
        Command::Keys(deed) => keys::keys(&context, &deed).await,
        Command::Install { write } => install::install(&context, write, &environment),
        Command::Uninstall => install::uninstall(&context, &environment),
        Command::Completions { shell } => shell::completions(shell),
        Command::Man { command } => shell::man(command.as_deref()),
        Command::Demo => demo::demo(&context).await,
        Command::SampleServer { folder } => demo::sample_server(&folder),
    }
}

/// Milliseconds since the Unix epoch, by this machine's clock.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
