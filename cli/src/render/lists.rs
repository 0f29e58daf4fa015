//! The lists: members, tools, tokens. Each says what to do when it is empty.

use peerage_node::gateway::frontend::rest::api::{NodeStatus, TokenStatus, ToolStatus};

use super::table::{cell, state, table};
use super::time::from_now;
use crate::terminal::View;

/// The members of the mesh; `now` in milliseconds since the Unix epoch.
pub fn nodes(nodes: &[NodeStatus], now: u64, view: View) -> String {
    let placed = nodes.iter().any(|node| node.region.is_some());
    let measured = nodes.iter().any(|node| node.round_trip_micros.is_some());
    let missing = nodes.iter().any(|node| !is_here(node));
    let rows = nodes.iter().map(|node| {
        let round_trip = node.round_trip_micros.map_or("-".to_owned(), milliseconds);
        let region = node.region.as_deref().unwrap_or("-");
        let mut row: Vec<_> = placed.then(|| cell(region)).into_iter().collect();
        row.extend([
            cell(&node.name),
            state(&node.state),
            cell(node.role.as_deref().unwrap_or("-")),
            cell(&node.tools.to_string()),
        ]);
        row.extend(placed.then(|| cell(node.path.as_deref().unwrap_or("-"))));
        row.extend(measured.then(|| cell(&round_trip)));
        row.push(cell(node.version.as_deref().unwrap_or("-")));
        row.extend(missing.then(|| cell(&last_seen(node, now))));
        row.push(cell(node.addresses.first().map_or("-", String::as_str)));
        row
    });
    let mut header: Vec<&str> = placed.then_some("REGION").into_iter().collect();
    header.extend(["NAME", "STATE", "ROLE", "TOOLS"]);
    header.extend(placed.then_some("PATH"));
    header.extend(measured.then_some("ROUND TRIP"));
    header.push("VERSION");
    header.extend(missing.then_some("LAST SEEN"));
    header.push("ADDRESS");
    let mut text = table(view, &header, rows.collect());
    if nodes.len() <= 1 {
        text.push_str("\nNo other member yet. Let one in: peerage invite\n");
    }
    text
}

fn is_here(node: &NodeStatus) -> bool {
    matches!(node.state.as_str(), "self" | "connected")
}

fn last_seen(node: &NodeStatus, now: u64) -> String {
    match node.last_seen {
        _ if is_here(node) => "now".to_owned(),
        // Zero is the time of what never happened.
        None | Some(0) => "-".to_owned(),
        Some(seen) => from_now(now.max(seen.saturating_add(1)), seen),
    }
}

fn milliseconds(micros: u64) -> String {
    format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100)
}

/// The tools that can be called; `starting` when a server of this node is not ready yet.
pub fn tools(tools: &[ToolStatus], query: &str, starting: bool, view: View) -> String {
    if tools.is_empty() && query.is_empty() {
        let text = match starting {
            true => {
                "No tools yet. Servers may still be starting: peerage status. Add one: peerage serve NAME -- CMD ARGS..."
            }
            false => "No tools yet. Add a server: peerage serve NAME -- CMD ARGS...",
        };
        return format!("{text}\n");
    }
    if tools.is_empty() {
        return "No tool matches. List them all: peerage tools\n".to_owned();
    }
    let rows = tools.iter().map(|tool| {
        let description = tool.description.as_deref().unwrap_or_default();
        vec![
            cell(&tool.name),
            cell(&tool.node),
            cell(&first_sentence(description)),
        ]
    });
    table(view, &["NAME", "NODE", "DOES"], rows.collect())
}

/// Most characters of a description in a list.
const DESCRIPTION_MAX: usize = 100;

fn first_sentence(text: &str) -> String {
    let line = super::one_line(text);
    let sentence = line
        .split_once(". ")
        .map_or(line.as_str(), |(first, _)| first);
    match sentence.char_indices().nth(DESCRIPTION_MAX) {
        Some((end, _)) => format!("{}…", &sentence[..end]),
        None => sentence.to_owned(),
    }
}

/// The tokens of local agents; `now` in milliseconds since the Unix epoch.
pub fn tokens(tokens: &[TokenStatus], now: u64, view: View) -> String {
    if tokens.is_empty() {
        return "No tokens yet. Make one: peerage token create NAME\n".to_owned();
    }
    let rows = tokens
        .iter()
        .map(|token| vec![cell(&token.name), cell(&from_now(now, token.created))]);
    table(view, &["AGENT", "CREATED"], rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, state: &str, round_trip_micros: Option<u64>) -> NodeStatus {
        NodeStatus {
            node: "12D3KooW".to_owned(),
            name: name.to_owned(),
            region: None,
            role: Some("member".to_owned()),
            state: state.to_owned(),
            addresses: vec!["/ip4/192.168.1.7/udp/4001/quic-v1".to_owned()],
            tools: 3,
            round_trip_micros,
            clock_ahead_ms: None,
            version: Some("0.1.0".to_owned()),
            last_seen: Some(60_000),
            path: None,
            away_since: None,
        }
    }

    fn tool(name: &str, description: &str) -> ToolStatus {
        ToolStatus {
            name: name.to_owned(),
            node: "desk".to_owned(),
            server: Some("fs".to_owned()),
            description: Some(description.to_owned()),
        }
    }

    #[test]
    fn members_are_a_table() {
        let listed = [
            node("laptop", "self", None),
            node("desk", "connected", Some(1_250)),
        ];
        insta::assert_snapshot!(nodes(&listed, 180_000, View::default()));
    }

    #[test]
    fn where_regions_are_named_each_has_its_members_with_path_and_round_trip() {
        let member = |name, region: Option<&str>, path: Option<&str>, micros| NodeStatus {
            region: region.map(str::to_owned),
            path: path.map(str::to_owned),
            ..node(name, "connected", micros)
        };
        let listed = [
            member("laptop", Some("eu-west"), None, None),
            member("desk", Some("eu-west"), Some("quic"), Some(1_250)),
            member("attic", None, None, None),
            member("rack", Some("us-east"), Some("tcp"), Some(91_300)),
        ];
        insta::assert_snapshot!(nodes(&listed, 180_000, View::default()));
    }

    #[test]
    fn without_any_round_trip_there_is_no_column_for_it() {
        let listed = [
            node("laptop", "self", None),
            node("desk", "unreachable", None),
        ];
        insta::assert_snapshot!(nodes(&listed, 180_000, View::default()));
    }

    #[test]
    fn without_tools_one_is_told_to_wait_only_for_servers_that_start() {
        let said = [true, false].map(|starting| tools(&[], "", starting, View::default()));
        insta::assert_snapshot!(said.concat());
    }

    #[test]
    fn a_lonely_node_is_told_how_to_let_others_in() {
        let text = nodes(&[node("laptop", "self", None)], 0, View::default());
        assert!(text.ends_with("Let one in: peerage invite\n"), "{text}");
    }

    #[test]
    fn tools_show_the_first_sentence_and_no_control_characters() {
        let listed = [
            tool("desk__fs__read", "Reads a file. And much more.\nReally."),
            tool("desk__fs__write", "Writes\u{1b}[31m a file"),
        ];
        insta::assert_snapshot!(tools(&listed, "", false, View::default()));
    }

    #[test]
    fn a_table_keeps_to_the_width_of_the_screen() {
        let listed = [tool("desk__fs__read", &"word ".repeat(40))];
        let view = View {
            width: Some(50),
            ..View::default()
        };
        let text = tools(&listed, "", false, view);
        assert!(
            text.lines().all(|line| line.chars().count() <= 50),
            "{text}"
        );
    }

    #[test]
    fn colours_appear_only_when_wanted() {
        let listed = [node("laptop", "connected", None)];
        let colour = View {
            colour: true,
            ..View::default()
        };
        assert!(nodes(&listed, 0, colour).contains('\u{1b}'));
        assert!(!nodes(&listed, 180_000, View::default()).contains('\u{1b}'));
    }

    #[test]
    fn tokens_say_when_they_were_made() {
        let listed = [TokenStatus {
            name: "coder".to_owned(),
            created: 0,
        }];
        insta::assert_snapshot!(tokens(&listed, 7_200_000, View::default()));
    }
}
