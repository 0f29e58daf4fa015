//! Which build of the node is measured.

use std::io;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::process::Part;
use crate::roles::ROLE;

/// A program that runs a node.
#[derive(Clone, Debug)]
pub enum Program {
    /// This one: the library as it was just built.
    Own,
    /// Another build of this bench: the library as it was then.
    Bench(PathBuf),
    /// A `peerage` binary.
    Peerage(PathBuf),
}

impl Program {
    /// Starts a node called `name` in `home`.
    pub async fn start_node(&self, home: &Path, name: &str) -> io::Result<Part> {
        let mut command = match self {
            Self::Own => return Part::start("node", &[&home.to_string_lossy(), name]).await,
            Self::Bench(path) | Self::Peerage(path) => Command::new(path),
        };
        if let Self::Bench(_) = self {
            command.args([ROLE, "node"]).arg(home).arg(name);
        } else {
            command.arg("--home").arg(home).args(["--json", "up"]);
            command.args(["--http", "auto", "--no-mdns", "--name", name]);
            command.args(["--listen", "/ip4/127.0.0.1/udp/0/quic-v1"]);
        }
        Part::spawn(command).await
    }
}
