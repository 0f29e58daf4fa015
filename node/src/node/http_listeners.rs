//! The sockets of the MCP endpoint.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::StartError;
use crate::config::http_addresses::HttpAddresses;

/// Binds every address, all of them to one port. The first must succeed; an IPv6 address after it may be missing on a
/// machine without IPv6, and for a port that the system chose may be taken.
pub(super) async fn bind(wanted: &HttpAddresses) -> Result<Vec<TcpListener>, StartError> {
    let mut listeners: Vec<TcpListener> = Vec::new();
    let mut chosen = None;
    for wanted in wanted.addresses() {
        let mut address = *wanted;
        if let Some(port) = chosen {
            address.set_port(port);
        }
        match TcpListener::bind(address).await {
            Ok(listener) => {
                if wanted.port() == 0 && chosen.is_none() {
                    chosen = listener.local_addr().ok().map(|bound| bound.port());
                }
                listeners.push(listener);
            }
            Err(error) if may_be_missing(&error, address, chosen, &listeners) => {
                tracing::debug!(%address, %error, "the endpoint does not listen there");
            }
            Err(source) => return Err(StartError::Http { address, source }),
        }
    }
    Ok(listeners)
}

fn may_be_missing(
    error: &io::Error,
    address: SocketAddr,
    chosen: Option<u16>,
    bound: &[TcpListener],
) -> bool {
    let taken = error.kind() == io::ErrorKind::AddrInUse;
    !bound.is_empty() && address.is_ipv6() && (!taken || chosen.is_some())
}
