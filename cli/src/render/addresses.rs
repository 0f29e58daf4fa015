//! The address book: where each node is or was, and what was told and not believed.

use comfy_table::Cell;
use peerage_node::gateway::frontend::rest::addresses_api::{
    AddressStatus, AddressesResponse, IgnoredAddress, ScanResponse,
};

use super::one_line;
use super::table::{cell, table};
use super::time::from_now;
use crate::terminal::View;

/// The nodes with their addresses, best first; `now` in milliseconds since the Unix epoch.
pub fn addresses(known: &AddressesResponse, now: u64, view: View) -> String {
    let rows = known.nodes.iter().flat_map(|node| {
        let name = node.name.as_deref().unwrap_or(&node.node);
        let addresses = node.addresses.iter();
        addresses.map(move |address| row(name, address, now))
    });
    let header = [
        "NAME",
        "ADDRESS",
        "TOLD BY",
        "WORKED",
        "FAILED",
        "LAST SEEN",
        "TRIED",
    ];
    let rows: Vec<_> = rows.collect();
    let mut text = match rows.is_empty() {
        true => {
            "No address of another node is known yet. Join a mesh: peerage join TICKET\n".to_owned()
        }
        false => table(view, &header, rows),
    };
    if !known.ignored.is_empty() {
        text.push_str("\nTold and not tried:\n");
        let rows = known.ignored.iter().map(ignored_row);
        let header = ["NODE", "ADDRESS", "TOLD BY", "TIMES", "BECAUSE"];
        text.push_str(&table(view, &header, rows.collect()));
    }
    text
}

fn row(name: &str, address: &AddressStatus, now: u64) -> Vec<Cell> {
    let tried = match address.rests_until {
        Some(until) => format!("again {}", from_now(now, until)),
        None => "now".to_owned(),
    };
    vec![
        cell(name),
        cell(&address.address),
        cell(&address.source),
        cell(&address.successes.to_string()),
        cell(&address.failures.to_string()),
        cell(&from_now(now, address.last_seen)),
        cell(&tried),
    ]
}

fn ignored_row(ignored: &IgnoredAddress) -> Vec<Cell> {
    vec![
        cell(&ignored.node),
        cell(&ignored.address),
        cell(&ignored.source),
        cell(&ignored.count.to_string()),
        cell(&ignored.why),
    ]
}

/// How far a scan is, on one line.
pub fn scanning(scan: &ScanResponse) -> String {
    let ScanResponse { asked, hosts, .. } = scan;
    format!(
        "asked {asked} of {hosts} addresses, {} found",
        scan.found.len()
    )
}

/// What a scan found.
pub fn scanned(scan: &ScanResponse) -> String {
    let hosts = scan.hosts;
    match scan.found.is_empty() {
        true => format!(
            "Nobody of this mesh answered at {hosts} addresses. A node answers where mDNS is on and its firewall lets UDP port 5353 through.\n"
        ),
        false => {
            let names: Vec<String> = scan.found.iter().map(|name| one_line(name)).collect();
            format!(
                "Found at {hosts} addresses: {}. See how they are: peerage nodes\n",
                names.join(", ")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use peerage_node::gateway::frontend::rest::addresses_api::NodeAddresses;

    use super::*;

    fn address(source: &str, rests_until: Option<u64>) -> AddressStatus {
        AddressStatus {
            address: "/ip4/192.168.1.7/udp/4001/quic-v1".to_owned(),
            source: source.to_owned(),
            successes: 3,
            failures: 1,
            last_seen: 3_600_000,
            succeeded: Some(3_600_000),
            rests_until,
        }
    }

    #[test]
    fn addresses_are_a_table_with_what_was_not_believed_below() {
        let known = AddressesResponse {
            nodes: vec![
                NodeAddresses {
                    node: "12D3KooW".to_owned(),
                    name: Some("desk".to_owned()),
                    addresses: vec![
                        address("announcement", None),
                        address("mdns", Some(7_260_000)),
                    ],
                },
                NodeAddresses {
                    node: "12D3KooX".to_owned(),
                    name: None,
                    addresses: vec![address("bootstrap", None)],
                },
            ],
            ignored: vec![IgnoredAddress {
                node: "12D3KooW".to_owned(),
                source: "mdns".to_owned(),
                why: "it is this node's own address".to_owned(),
                address: "/ip4/192.168.1.2/tcp/4001".to_owned(),
                count: 9,
            }],
        };
        insta::assert_snapshot!(addresses(&known, 7_200_000, View::default()));
    }

    #[test]
    fn without_any_address_one_is_told_to_join() {
        let text = addresses(&AddressesResponse::default(), 0, View::default());
        assert!(text.ends_with("peerage join TICKET\n"), "{text}");
    }
}
