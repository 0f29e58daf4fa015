//! The commands: each asks the node, or does its part without one, and prints what came of it.

mod call;
mod connect;
mod endpoint;
mod import;
mod lists;
mod mcp;
mod mesh;
mod serve;
mod signals;
mod token;
mod up;

use std::time::{SystemTime, UNIX_EPOCH};

use peerage_node::config::environment::ProcessEnvironment;
use peerage_node::home::Home;

use crate::arguments::{Arguments, Command};
use crate::failure::Failure;
use crate::socket::Client;
use crate::terminal::View;

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
        Command::Up(flags) => up::up(&context, flags, &environment).await,
        Command::Serve(server) => serve::serve(&context, server).await,
        Command::Unserve { name } => serve::unserve(&context, &name).await,
        Command::Invite(invite) => mesh::invite(&context, &invite).await,
        Command::Join { ticket } => mesh::join(&context, ticket).await,
        Command::Leave => mesh::leave(&context).await,
        Command::Nodes => lists::nodes(&context).await,
        Command::Tools { query } => lists::tools(&context, &query.join(" ")).await,
        Command::Status => lists::status(&context).await,
        Command::Call(call) => call::call(&context, call).await,
        Command::Endpoint => endpoint::endpoint(&context, &environment).await,
        Command::Mcp(mcp) => mcp::mcp(&context, mcp, &environment).await,
        Command::Connect(change) => connect::connect(&context, change, &environment).await,
        Command::Disconnect(change) => connect::disconnect(&context, change, &environment).await,
        Command::Import(import) => import::import(&context, &import, &environment).await,
        Command::Token(token) => token::token(&context, token).await,
    }
}

/// Milliseconds since the Unix epoch, by this machine's clock.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
