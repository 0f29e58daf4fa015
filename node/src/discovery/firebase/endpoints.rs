//! The endpoints of MCP that owners have put into the registry, for clients on machines without a node.

use std::path::Path;

use peerage_protocol::time::Timestamp;

use super::errand::{Errand, Listed};
use super::fault::Fault;
use super::record::NO_ENDPOINT;
use super::registry::errand;
use super::sending::send;
use super::{CLOCKS_APART_MAX, RECORD_LIFETIME};
use crate::config::firebase::{FirebaseSettings, PublicEndpoint};
use crate::control::wall;

/// The endpoints that stand there now, the liveliest first, as read by `program`, a `peerage`. Nobody vouches for them but
/// whoever gives out the tokens of the registry.
pub async fn endpoints(
    firebase: &FirebaseSettings,
    program: &Path,
) -> Result<Vec<PublicEndpoint>, Fault> {
    let errand = Errand {
        read: true,
        ..errand(firebase)?
    };
    let brought = send(program, &errand, firebase.url.authority()).await?;
    match brought.records {
        Some(records) => Ok(live(records?.listed, wall())),
        None => Err(Fault::Silent),
    }
}

/// Whoever does not write there does not know its time: ages count back from the latest heartbeat, which is no older than
/// clocks differ.
fn live(mut listed: Vec<Listed>, now: Timestamp) -> Vec<PublicEndpoint> {
    listed.sort_by_key(|listed| std::cmp::Reverse(listed.heartbeat));
    let latest = Timestamp(listed.first().map_or(0, |listed| listed.heartbeat));
    if now.since(latest) > CLOCKS_APART_MAX {
        return Vec::new();
    }
    let lives = |listed: &Listed| {
        listed.online
            && listed.endpoint != NO_ENDPOINT
            && latest.since(Timestamp(listed.heartbeat)) <= RECORD_LIFETIME
    };
    listed.retain(lives);
    listed
        .iter()
        .filter_map(|listed| listed.endpoint.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000_000;

    fn listed(endpoint: &str, heartbeat: u64) -> Listed {
        Listed {
            id: endpoint.to_owned(),
            endpoint: endpoint.to_owned(),
            addresses: Vec::new(),
            online: true,
            heartbeat,
        }
    }

    fn found(records: Vec<Listed>) -> Vec<String> {
        let live = live(records, Timestamp(NOW));
        live.iter().map(|one| one.as_str().to_owned()).collect()
    }

    #[test]
    fn only_endpoints_that_were_told_by_the_living_are_found_the_liveliest_first() {
        let silent = Listed {
            online: false,
            ..listed("https://stopped/mcp", NOW)
        };
        let records = vec![
            listed("https://b/mcp", NOW - 50_000),
            listed(NO_ENDPOINT, NOW),
            listed("https://u:p@c/mcp", NOW),
            listed("http://d/mcp", NOW),
            silent,
            listed("https://dead/mcp", NOW - 200_000),
            listed("https://a/mcp", NOW - 1_000),
        ];
        assert_eq!(found(records), ["https://a/mcp", "https://b/mcp"]);
    }

    #[test]
    fn a_registry_in_which_everybody_is_dead_names_nobody() {
        assert!(found(vec![listed("https://a/mcp", NOW - 3_600_000)]).is_empty());
    }
}
