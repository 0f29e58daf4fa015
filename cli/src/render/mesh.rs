//! Starting, inviting, joining and leaving: what happened, and what comes next.

use peerage_node::gateway::frontend::rest::api::{InviteResponse, JoinResponse, LeaveResponse};
use peerage_node::node::Ready;

use serde::Serialize;

use super::clients::{Outcome, changed};
use super::one_line;
use super::time::from_now;
use crate::terminal::View;

/// What `peerage up` says once the node answers.
pub fn ready(ready: &Ready) -> String {
    let next = match &ready.mesh {
        None => [
            "  Add tools:              peerage serve NAME -- CMD ARGS...",
            "  Let a machine in:       peerage invite",
            "  Or join another's mesh: peerage join TICKET",
        ],
        Some(_) => [
            "  Add tools:         peerage serve NAME --share -- CMD ARGS...",
            "  See who is there:  peerage nodes",
            "  See what is there: peerage tools",
        ],
    };
    let mesh = ready.mesh.as_deref().unwrap_or("none yet");
    let listen = ready
        .listen
        .iter()
        .map(|address| format!("  listen  {address}\n"));
    format!(
        "{} is up\n  MCP     {}\n  node    {}\n  mesh    {mesh}\n{}\n  Point your agents at {}\n{}\n  Stop with Ctrl-C\n",
        ready.name,
        ready.http,
        ready.node,
        listen.collect::<String>(),
        ready.http,
        next.join("\n"),
    )
}

/// What `peerage invite` says beside the ticket; `now` in milliseconds since the Unix epoch.
pub fn invite(invite: &InviteResponse, uses: u32, now: u64) -> String {
    let machines = super::counted(usize::try_from(uses).unwrap_or(usize::MAX), "machine");
    let mut text = format!(
        "Good for {machines}, ends {}. Whoever has it can join: hand it over in private.\n\
         On the other machine: peerage join TICKET --connect claude (or another client, or none)\n",
        from_now(now, invite.expires)
    );
    for warning in &invite.warnings {
        text.push_str(&format!("warning: {}\n", one_line(warning)));
    }
    text
}

/// What came of `peerage join`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Joined {
    /// The mesh.
    #[serde(flatten)]
    pub response: JoinResponse,
    /// The client whose configuration was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<Outcome>,
}

/// What `peerage join` says.
pub fn joined(joined: &Joined, view: View) -> String {
    let Joined { response, client } = joined;
    let client = client.as_ref().map(|outcome| changed(outcome, view));
    format!(
        "Joined the mesh {} as {} ({}), let in by {}.\n{}See its tools: peerage tools\n",
        one_line(&response.mesh),
        one_line(&response.name),
        one_line(&response.role),
        one_line(&response.admitted_by),
        client.unwrap_or_default(),
    )
}

/// What `peerage leave` says.
pub fn left(left: &LeaveResponse) -> String {
    format!(
        "Left the mesh {}. To come back, ask a member for a ticket.\n",
        one_line(&left.mesh)
    )
}

/// What `peerage token create` says beside the token; `replaces` when the agent had one before.
pub fn token_made(name: &str, replaces: bool) -> String {
    let earlier = match replaces {
        true => format!("The earlier token of {name} no longer works.\n"),
        false => String::new(),
    };
    format!("{earlier}It is shown only now. Agents send it as: Authorization: Bearer TOKEN\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(mesh: Option<&str>) -> Ready {
        Ready {
            http: "http://127.0.0.1:8080/mcp".to_owned(),
            node: "12D3KooWExample".to_owned(),
            name: "desk".to_owned(),
            mesh: mesh.map(str::to_owned),
            listen: vec!["/ip4/192.168.1.7/udp/4001/quic-v1".to_owned()],
        }
    }

    #[test]
    fn a_first_start_says_how_to_add_tools_and_machines() {
        insta::assert_snapshot!(ready(&example(None)));
    }

    #[test]
    fn a_member_that_starts_says_where_to_look() {
        insta::assert_snapshot!(ready(&example(Some("7vK9"))));
    }

    #[test]
    fn an_invitation_says_for_how_long_and_what_may_go_wrong() {
        let response = InviteResponse {
            ticket: "peerage1secret".to_owned(),
            expires: 900_000,
            warnings: vec!["no address can be reached from outside this machine".to_owned()],
        };
        let text = invite(&response, 1, 0);
        assert!(!text.contains("peerage1secret"));
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_joined_node_knows_its_name_there() {
        let response = JoinResponse {
            mesh: "7vK9".to_owned(),
            name: "desk-2".to_owned(),
            role: "member".to_owned(),
            admitted_by: "laptop".to_owned(),
        };
        let alone = Joined {
            response,
            client: None,
        };
        insta::assert_snapshot!(joined(&alone, View::default()));
    }
}
