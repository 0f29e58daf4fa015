//! Which process has a port, where the system tells: on Linux, for processes of this user (of all users, for root).
//!
//! `/proc/net/tcp` and its kin name the socket's inode (proc_net(5)), and `/proc/PID/fd` who has it open.

use std::fs;

/// What a port is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Tcp,
    Udp,
}

impl Protocol {
    pub(super) fn name(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        }
    }
}

/// The process that has this local port, and its name.
pub(super) fn occupant(protocol: Protocol, port: u16) -> Option<(u32, String)> {
    let name = protocol.name();
    let tables = [format!("/proc/net/{name}"), format!("/proc/net/{name}6")];
    let texts = tables.map(|table| fs::read_to_string(table).unwrap_or_default());
    let socket = texts
        .iter()
        .find_map(|text| socket_of(text, protocol, port))?;
    let link = format!("socket:[{socket}]");
    let pid = processes().find(|pid| has_open(*pid, &link))?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some((pid, name.trim().to_owned()))
}

/// The inode of the socket that listens at `port`, in the text of a table.
fn socket_of(table: &str, protocol: Protocol, port: u16) -> Option<u64> {
    /// `TCP_LISTEN` of the kernel.
    const LISTENING: &str = "0A";
    let ending = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let (local, state) = (columns.get(1)?, columns.get(3)?);
        let listens = protocol == Protocol::Udp || *state == LISTENING;
        match local.ends_with(&ending) && listens {
            true => columns.get(9)?.parse().ok(),
            false => None,
        }
    })
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn has_open(pid: u32, link: &str) -> bool {
    let entries = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten();
    entries
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .any(|target| target.as_os_str() == link)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
        \x20 0: 0100007F:1F90 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 7 1\n\
        \x20 1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1\n";

    #[test]
    fn the_listening_socket_is_found_and_no_connection() {
        assert_eq!(socket_of(TABLE, Protocol::Tcp, 8_080), Some(12_345));
        assert_eq!(socket_of(TABLE, Protocol::Udp, 8_080), Some(7));
        assert_eq!(socket_of(TABLE, Protocol::Tcp, 80), None);
    }
}
