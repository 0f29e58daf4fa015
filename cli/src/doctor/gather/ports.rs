//! Whether the ports that `peerage.toml` names are free: by taking each for a moment.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use peerage_node::config::settings_file::SettingsFile;

use super::occupant::{Protocol, occupant};
use crate::doctor::evidence::TakenPort;

pub(super) fn taken(settings: &SettingsFile) -> Vec<TakenPort> {
    let http = settings.http.clone().unwrap_or_default();
    let gateway = http
        .addresses()
        .iter()
        .map(|address| (*address, "gateway", Protocol::Tcp));
    let mesh = settings
        .mesh_port
        .filter(|_| settings.listen.is_none())
        .into_iter()
        .flat_map(|port| {
            let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
            [
                (address, "mesh", Protocol::Udp),
                (address, "mesh", Protocol::Tcp),
            ]
        });
    gateway
        .chain(mesh)
        .filter_map(|(address, purpose, protocol)| try_port(address, purpose, protocol))
        .collect()
}

fn try_port(address: SocketAddr, purpose: &'static str, protocol: Protocol) -> Option<TakenPort> {
    let tried = match protocol {
        Protocol::Tcp => TcpListener::bind(address).map(drop),
        Protocol::Udp => UdpSocket::bind(address).map(drop),
    };
    let error = tried.err()?;
    // A machine without IPv6 goes without.
    if address.is_ipv6() && error.kind() != io::ErrorKind::AddrInUse {
        return None;
    }
    Some(TakenPort {
        address: format!("{address}/{}", protocol.name()),
        purpose,
        process: occupant(protocol, address.port()),
        why: error.to_string(),
    })
}
