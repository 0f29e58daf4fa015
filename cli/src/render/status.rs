//! `peerage status`: this node at a glance.

use std::time::Duration;

use peerage_node::gateway::frontend::rest::api::{NodeStatus, ServerStatus, StatusResponse};
use peerage_node::gateway::frontend::rest::door::DoorStatus;
use peerage_node::gateway::frontend::rest::registry::RegistryStatus;

use super::layout::{Style, styled, wrapped};
use super::one_line;
use super::table::{cell, state, table};
use super::time::{from_now, span};
use crate::terminal::View;

/// This node, its mesh, its members and its servers; `now` in milliseconds since the Unix epoch.
pub fn status(status: &StatusResponse, nodes: &[NodeStatus], now: u64, view: View) -> String {
    let uptime = span(Duration::from_secs(status.uptime_seconds));
    let name = styled(&one_line(&status.name), Style::Bold, view);
    let mut text = format!(
        "{} {name}  up for {uptime}, peerage {}\n",
        styled("●", Style::Green, view),
        status.version
    );
    let mut line = |label: &str, said: &str| {
        let label = styled(&format!("  {label:<9}"), Style::Dim, view);
        text.push_str(&format!("{label}{}\n", wrapped(said, LABEL_COLUMNS, view)));
    };
    line("node", &status.node);
    line("MCP", &status.http.join(", "));
    line("mesh", &mesh(status, now));
    if let Some(members) = members(nodes) {
        line("members", &members);
    }
    let (here, elsewhere) = (status.local_tools, status.remote_tools);
    line("tools", &format!("{here} here, {elsewhere} on other nodes"));
    for address in &status.listen {
        line("listen", address);
    }
    if let Some(door) = door(&status.door) {
        line("door", &door);
    }
    if let Some(registry) = &status.registry {
        line("registry", &self::registry(registry, now));
    }
    for warning in &status.warnings {
        let warning = wrapped(&format!("warning: {}", one_line(warning)), 2, view);
        text.push_str(&format!("  {}\n", styled(&warning, Style::Yellow, view)));
    }
    let down = status.servers.iter().any(|server| server.state == "down");
    let more = match down || !status.warnings.is_empty() {
        true => "\nWhat is wrong, and how to mend it: peerage doctor\n",
        false => "",
    };
    let servers = match status.servers.is_empty() && !status.warnings.is_empty() {
        true => "No server runs; see the warning above.\n".to_owned(),
        false => servers(&status.servers, view),
    };
    format!("{text}\n{servers}{more}")
}

/// Columns before what a line says.
const LABEL_COLUMNS: usize = 11;
/// Members that are named; a large mesh is for `peerage nodes`.
const NAMED_MAX: usize = 8;

fn mesh(status: &StatusResponse, now: u64) -> String {
    let Some(mesh) = &status.mesh else {
        return "none; found one with: peerage invite, or join one with: peerage join TICKET"
            .to_owned();
    };
    let role = status.role.as_deref().unwrap_or("member");
    let expiry = status
        .certificate_expires
        .map(|expires| format!(", certificate ends {}", from_now(now, expires)));
    format!("{mesh} as {role}{}", expiry.unwrap_or_default())
}

/// Who is refused, and how many were turned away; `None` where nobody was.
fn door(door: &DoorStatus) -> Option<String> {
    let refused = door.offenders.iter().filter(|offender| offender.refused);
    let refused: Vec<String> = refused
        .map(|offender| {
            format!(
                "{} ({})",
                one_line(&offender.who),
                one_line(&offender.worst)
            )
        })
        .collect();
    let turned_away =
        (door.turned_away > 0).then(|| format!("{} strangers turned away", door.turned_away));
    let refused = (!refused.is_empty()).then(|| format!("refused for now: {}", refused.join(", ")));
    let said: Vec<String> = [turned_away, refused].into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join("; "))
}

/// How the registry does; whoever sees it need not be reminded that it is optional.
fn registry(registry: &RegistryStatus, now: u64) -> String {
    let url = one_line(&registry.url);
    let since = registry.succeeded.map(|at| from_now(now, at));
    match (&registry.fault, since) {
        (Some(fault), since) => {
            let since = since.map_or("never of use yet".to_owned(), |since| {
                format!("last of use {since}")
            });
            format!("{url}, {since}: {}", one_line(fault))
        }
        (None, Some(since)) => format!("{url}, {} members there, asked {since}", registry.members),
        (None, None) => format!("{url}, not asked yet"),
    }
}

/// Who is linked and who is away; `None` where nobody else is known.
fn members(nodes: &[NodeStatus]) -> Option<String> {
    let (linked, away): (Vec<_>, Vec<_>) = nodes
        .iter()
        .filter(|node| node.state != "self")
        .partition(|node| node.state == "connected");
    let named = |nodes: &[&NodeStatus], how: &str| {
        let names: Vec<String> = nodes
            .iter()
            .take(NAMED_MAX)
            .map(|node| one_line(&node.name))
            .collect();
        let more = nodes.len().saturating_sub(NAMED_MAX);
        match (names.is_empty(), more) {
            (true, _) => None,
            (false, 0) => Some(format!("{} {how}", names.join(", "))),
            (false, more) => Some(format!("{} and {more} more {how}", names.join(", "))),
        }
    };
    let said: Vec<String> = [named(&linked, "linked"), named(&away, "away")]
        .into_iter()
        .flatten()
        .collect();
    (!said.is_empty()).then(|| said.join("; "))
}

fn servers(servers: &[ServerStatus], view: View) -> String {
    if servers.is_empty() {
        return "No servers yet. Add one: peerage serve NAME -- CMD ARGS...\n".to_owned();
    }
    let rows = servers.iter().map(|server| {
        let visible = if server.share { "shared" } else { "private" };
        vec![
            cell(&server.name),
            state(&server.state),
            state(visible),
            cell(&server.tools.to_string()),
            cell(server.why.as_deref().unwrap_or_default()),
        ]
    });
    table(
        view,
        &["SERVER", "STATE", "FOR OTHERS", "TOOLS", "WHY"],
        rows.collect(),
    )
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn example() -> StatusResponse {
        StatusResponse {
            node: "12D3KooWExample".to_owned(),
            name: "desk".to_owned(),
            mesh: None,
            role: None,
            certificate_expires: None,
            version: "0.1.0".to_owned(),
            uptime_seconds: 125,
            http: vec!["http://127.0.0.1:8080/mcp".to_owned()],
            listen: vec!["/ip4/192.168.1.7/udp/4001/quic-v1".to_owned()],
            connected: 0,
            local_tools: 0,
            remote_tools: 0,
            servers: Vec::new(),
            warnings: Vec::new(),
            copy: None,
            door: DoorStatus::default(),
            registry: None,
        }
    }

    #[test]
    fn a_fresh_node_is_told_what_to_do_next() {
        insta::assert_snapshot!(status(&example(), &[], 0, View::default()));
    }

    #[test]
    fn without_servers_a_warning_is_pointed_at() {
        let warned = StatusResponse {
            warnings: vec!["the last edit of mcp.json was not taken: line 1".to_owned()],
            ..example()
        };
        let text = status(&warned, &[], 0, View::default());
        assert!(text.contains("see the warning above"), "{text}");
        assert!(!text.contains("No servers yet"), "{text}");
    }

    #[test]
    fn a_busy_node_shows_its_mesh_and_its_servers() {
        let server = |name: &str, share, state: &str, why: Option<&str>| ServerStatus {
            name: name.to_owned(),
            share,
            state: state.to_owned(),
            why: why.map(str::to_owned),
            tools: 4,
        };
        let busy = StatusResponse {
            mesh: Some("7vK9".to_owned()),
            role: Some("admin".to_owned()),
            certificate_expires: Some(14 * 24 * 3_600_000),
            connected: 1,
            local_tools: 8,
            remote_tools: 12,
            servers: vec![
                server("fs", true, "ready", None),
                server(
                    "web",
                    false,
                    "down",
                    Some("exited with status 1\nno module"),
                ),
            ],
            warnings: vec!["the certificate ends soon".to_owned()],
            ..example()
        };
        let node = |name: &str, state: &str| NodeStatus {
            node: "12D3KooW".to_owned(),
            name: name.to_owned(),
            region: None,
            role: None,
            state: state.to_owned(),
            addresses: Vec::new(),
            tools: 0,
            round_trip_micros: None,
            clock_ahead_ms: None,
            version: None,
            last_seen: None,
            path: None,
            away_since: None,
        };
        let nodes = [
            node("desk", "self"),
            node("laptop", "connected"),
            node("shed", "unreachable"),
        ];
        insta::assert_snapshot!(status(&busy, &nodes, 0, View::default()));
    }

    #[test]
    fn a_registry_that_fails_says_why_and_since_when() {
        let well = RegistryStatus {
            url: "https://mesh.example".to_owned(),
            id: None,
            succeeded: Some(0),
            fault: None,
            failures: 0,
            members: 3,
            expired: 0,
            foreign: 0,
        };
        let said = registry(&well, 60_000);
        assert!(said.contains("3 members there"), "{said}");
        let fault = Some("it did not answer in time".to_owned());
        let said = registry(&RegistryStatus { fault, ..well }, 60_000);
        assert!(said.contains("last of use"), "{said}");
        assert!(said.ends_with("it did not answer in time"), "{said}");
    }

    #[test]
    fn who_is_refused_at_the_door_is_named_and_a_quiet_door_is_not_mentioned() {
        use peerage_node::gateway::frontend::rest::door::OffenderStatus;

        let mut shown = example();
        let quiet = status(&shown, &[], 0, View::default());
        assert!(!quiet.contains("door"), "{quiet}");
        shown.door = DoorStatus {
            handshakes: 0,
            turned_away: 7,
            offenders: vec![OffenderStatus {
                who: "192.0.2.1".to_owned(),
                score: 60,
                worst: "garbage".to_owned(),
                refused: true,
            }],
        };
        let busy = status(&shown, &[], 0, View::default());
        assert!(
            busy.contains("7 strangers turned away; refused for now: 192.0.2.1 (garbage)"),
            "{busy}"
        );
    }
}
