//! Which upstream servers are down, with the last they said.

use peerage_node::gateway::frontend::rest::api::ServerStatus;

use super::Judgement;
use crate::doctor::evidence::{Answer, Evidence};
use crate::doctor::finding::Finding;

pub(super) fn check(evidence: &Evidence) -> Judgement {
    let Answer::Said(status, _) = &evidence.node else {
        return Judgement::new("not asked: no node runs", None);
    };
    let up = status
        .servers
        .iter()
        .filter(|server| server.state != "down")
        .count();
    let seen = format!("{up} of {} servers are up", status.servers.len());
    let not_taken = status
        .warnings
        .iter()
        .filter(|warning| warning.contains("was not taken"))
        .map(|warning| {
            Finding::wrong(
                "edit_not_taken",
                warning,
                "correct mcp.json; the node goes on with what it read before",
            )
        });
    let ambiguous = status
        .warnings
        .iter()
        .filter(|warning| warning.contains("calls of several clients were under way"))
        .map(|warning| {
            Finding::wrong(
                "shared_server_asks",
                warning,
                "give each caller a process of its own: write \"instance\": \"per-caller\" (or \"per-session\") into the server's entry in mcp.json",
            )
        });
    let down = status
        .servers
        .iter()
        .filter(|server| server.state == "down")
        .map(dead);
    Judgement::new(seen, down.chain(not_taken).chain(ambiguous))
}

fn dead(server: &ServerStatus) -> Finding {
    let why = server.why.as_deref().unwrap_or("it does not say why");
    Finding::wrong(
        "upstream_down",
        format!(
            "the server {} is down: {}",
            server.name,
            why.lines().collect::<Vec<_>>().join(" | ")
        ),
        format!(
            "run its command by hand to see more; correct it with: peerage serve {0} -- CMD ARGS..., or drop it: peerage unserve {0}",
            server.name
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::super::names;
    use super::*;

    #[test]
    fn a_shared_server_that_asks_its_callers_is_found_with_what_to_do() {
        let evidence = Evidence::healthy().running(|status, _| {
            status.warnings.push(
                "the server web asked 3 times for something while calls of several clients were under way, and was \
                 refused: nobody knows whom it meant"
                    .to_owned(),
            );
        });
        let judged = check(&evidence);
        assert_eq!(names(&judged), ["shared_server_asks"]);
    }

    #[test]
    fn a_dead_upstream_is_found_with_its_last_words() {
        let evidence = Evidence::healthy().running(|status, _| {
            status.servers.push(ServerStatus {
                name: "web".to_owned(),
                share: false,
                state: "down".to_owned(),
                why: Some("exited with status 1\nno module".to_owned()),
                tools: 0,
            });
        });
        let judged = check(&evidence);
        assert_eq!(names(&judged), ["upstream_down"]);
        assert!(
            judged.findings[0]
                .what
                .ends_with("exited with status 1 | no module")
        );
    }
}
