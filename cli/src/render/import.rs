//! `import`: which servers of other clients are taken over, and which are not and why.

use std::fmt::Display;

use peerage_node::config::upstream::{UpstreamSettings, UpstreamTransport};
use peerage_protocol::id::ServerName;
use serde::Serialize;

use super::counted;
use super::table::{cell, table};
use crate::terminal::View;

/// One server of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// The client.
    pub client: String,
    /// What the client calls it.
    pub server: String,
    /// What it is called here; absent when it is left out.
    pub name: Option<String>,
    /// Its command or URL, without the values of variables and headers; or why it is left out.
    pub what: String,
}

impl Imported {
    pub(crate) fn left_out(client: impl Display, server: &str, why: &str) -> Self {
        Self {
            client: client.to_string(),
            server: server.to_owned(),
            name: None,
            what: why.to_owned(),
        }
    }

    pub(crate) fn taken(
        client: impl Display,
        server: &str,
        name: &ServerName,
        settings: &UpstreamSettings,
    ) -> Self {
        let what = match &settings.transport {
            UpstreamTransport::Stdio { command, args, .. } => std::iter::once(command)
                .chain(args)
                .cloned()
                .collect::<Vec<_>>()
                .join(" "),
            UpstreamTransport::Http { url, .. } => url.clone(),
        };
        Self {
            name: Some(name.to_string()),
            ..Self::left_out(client, server, &what)
        }
    }
}

/// What `peerage import` says. `live` when a node runs that has taken them up.
pub fn imported(all: &[Imported], written: bool, live: bool, view: View) -> String {
    if all.is_empty() {
        return "No client has a server that is not here. See where they are looked for with: peerage connect\n"
            .to_owned();
    }
    let rows = all.iter().map(|row| {
        let name = row.name.as_deref().unwrap_or("left out");
        [row.client.as_str(), &row.server, name, &row.what]
            .map(cell)
            .to_vec()
    });
    let table = table(
        view,
        &["FROM", "SERVER", "NAME HERE", "WHAT"],
        rows.collect(),
    );
    let taken = all.iter().filter(|row| row.name.is_some()).count();
    let next = match (taken, written, live) {
        (0, _, _) => "Nothing to take over.".to_owned(),
        (_, false, _) => format!(
            "Nothing is written yet. Take over {} with: peerage import --write",
            counted(taken, "server")
        ),
        (_, true, true) => format!(
            "Took over {}, private to this machine. See how they fare with: peerage status",
            counted(taken, "server")
        ),
        (_, true, false) => format!(
            "Took over {}, private to this machine. They start with the node: peerage up",
            counted(taken, "server")
        ),
    };
    format!("{table}\n{next}\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::collections::BTreeMap;

    fn rows() -> Vec<Imported> {
        let settings = UpstreamSettings {
            share: false,
            transport: UpstreamTransport::Stdio {
                command: "npx".to_owned(),
                args: vec!["-y".to_owned(), "gh".to_owned()],
                env: BTreeMap::from([("TOKEN".to_owned(), "s3cret".to_owned())]),
                cwd: None,
                instance: Default::default(),
            },
        };
        vec![
            Imported::taken("claude", "GitHub", &"github".parse().unwrap(), &settings),
            Imported::left_out("cursor", "fs", "fs is here already"),
        ]
    }

    #[test]
    fn what_is_taken_over_and_what_is_left_out_stand_together_without_secrets() {
        let text = imported(&rows(), false, false, View::default());
        assert!(!text.contains("s3cret"));
        insta::assert_snapshot!(text);
    }

    #[test]
    fn what_was_written_says_what_is_next() {
        assert!(imported(&rows(), true, true, View::default()).contains("peerage status"));
        assert!(imported(&rows(), true, false, View::default()).contains("peerage up"));
        assert!(imported(&[], false, false, View::default()).contains("No client"));
        assert!(imported(&rows()[1..], false, false, View::default()).contains("Nothing to take"));
    }
}
