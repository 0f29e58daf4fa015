//! `peerage status`: this node at a glance.

use std::time::Duration;

use peerage_node::gateway::frontend::rest::api::{ServerStatus, StatusResponse};

use super::table::{cell, state, table};
use super::time::{from_now, span};
use super::{counted, one_line};
use crate::terminal::View;

/// This node, its mesh and its servers; `now` in milliseconds since the Unix epoch.
pub fn status(status: &StatusResponse, now: u64, view: View) -> String {
    let uptime = span(Duration::from_secs(status.uptime_seconds));
    let mut lines = vec![
        format!("{} ({})", status.name, status.node),
        format!("  peerage {}, up for {uptime}", status.version),
        format!("  MCP     {}", status.http.join(", ")),
        format!("  mesh    {}", mesh(status, now)),
        format!(
            "  tools   {} here, {} on other nodes",
            status.local_tools, status.remote_tools
        ),
    ];
    let listen = status
        .listen
        .iter()
        .map(|address| format!("  listen  {address}"));
    lines.extend(listen);
    let warnings = status
        .warnings
        .iter()
        .map(|warning| format!("  warning: {}", one_line(warning)));
    lines.extend(warnings);
    format!("{}\n\n{}", lines.join("\n"), servers(&status.servers, view))
}

fn mesh(status: &StatusResponse, now: u64) -> String {
    let Some(mesh) = &status.mesh else {
        return "none; found one with: peerage invite, or join one with: peerage join TICKET"
            .to_owned();
    };
    let role = status.role.as_deref().unwrap_or("member");
    let members = counted(status.connected, "other member");
    let expiry = status
        .certificate_expires
        .map(|expires| format!(", certificate ends {}", from_now(now, expires)));
    format!(
        "{mesh} as {role}, {members} connected{}",
        expiry.unwrap_or_default()
    )
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
        }
    }

    #[test]
    fn a_fresh_node_is_told_what_to_do_next() {
        insta::assert_snapshot!(status(&example(), 0, View::default()));
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
        insta::assert_snapshot!(status(&busy, 0, View::default()));
    }
}
