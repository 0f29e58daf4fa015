//! What this program is when it is started as a part of the stage: each part is a process of its own, so that its
//! processor time can be read.

pub mod answers;
pub mod child;
pub mod echo;
pub mod node;
pub mod upstream;

use std::io;

/// The argument before the name of a part.
pub const ROLE: &str = "--role";

/// Plays the part `name` with `arguments` until the process is ended.
pub fn play(name: &str, arguments: &[String]) -> io::Result<()> {
    let argument = |at: usize| arguments.get(at).map(String::as_str).unwrap_or_default();
    match name {
        "child" => child::run(),
        "upstream" => block_on(upstream::run()),
        "echo" => block_on(echo::run()),
        "node" => block_on(node::run(argument(0), argument(1))),
        _ => Err(io::Error::other(format!("there is no part called {name}"))),
    }
}

/// On the same kind of runtime as the node's own.
fn block_on(part: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(part)
}
