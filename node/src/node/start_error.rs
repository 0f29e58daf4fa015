//! Why a node does not start, and what to do about it.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::servers_error::ServersFileError;
use crate::control::ControlError;
use crate::discovery::bootstrap_file::BootstrapFileError;
use crate::home::HomeError;
use crate::identity::TokenError;
use crate::keys::KeyError;
use crate::messaging::KeyringError;
use crate::net;
use crate::store::StoreError;

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The home cannot be used, or another node holds it.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// A key cannot be read or made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The database cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the database holds cannot be taken up.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The tokens cannot be read.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// There is no key for messages.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// `mcp.json` is wrong.
    #[error(transparent)]
    Servers(#[from] ServersFileError),
    /// The endpoint's port is taken, or the address is not this machine's.
    #[error(
        "cannot listen on {address}: {source}; stop what holds it, or let the system choose a port with --http auto"
    )]
    Http {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// A `--listen` that is no multiaddress.
    #[error(
        "{address:?} is not a multiaddress ({why}); one looks like /ip4/0.0.0.0/udp/4001/quic-v1"
    )]
    ListenAddress {
        /// As given.
        address: String,
        /// What is wrong with it.
        why: String,
    },
    /// The bootstrap file cannot be read.
    #[error(transparent)]
    Bootstrap(#[from] BootstrapFileError),
    /// The swarm cannot start.
    #[error(transparent)]
    Network(#[from] net::StartError),
    /// The socket of the command line cannot be bound.
    #[error("cannot listen on the control socket {path}: {source}", path = path.display())]
    Socket {
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}
