//! The agents of the mesh.

use peerage_node::gateway::directory::AgentStatus;

use super::table::{cell, table};
use crate::terminal::View;

/// Who is present; what to do where that is nobody.
pub fn agents(agents: &[AgentStatus], view: View) -> String {
    if agents.is_empty() {
        return "No agent is present. An agent needs a name: peerage connect, or peerage token create NAME\n"
            .to_owned();
    }
    let rows = agents.iter().map(|agent| {
        vec![
            cell(&agent.agent),
            cell(&agent.capabilities.join(", ")),
            cell(agent.status.as_deref().unwrap_or("-")),
        ]
    });
    table(view, &["AGENT", "CAN", "DOES"], rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_a_table_and_without_any_one_is_told_what_to_do() {
        let coder = AgentStatus {
            agent: "coder@desk".to_owned(),
            node: "desk".to_owned(),
            node_id: "12D3KooW".to_owned(),
            local: false,
            capabilities: vec!["rust".to_owned(), "review".to_owned()],
            status: Some("reading\u{1b}[2J".to_owned()),
        };
        let told = agents(&[coder], View::default());
        assert!(
            told.contains("coder@desk  rust, review  reading [2J"),
            "{told}"
        );
        assert!(agents(&[], View::default()).contains("peerage token create"));
    }
}
