//! Whether `mcp.json` can be read, and whether what it names is there.

use super::Judgement;
use crate::doctor::evidence::{Answer, Evidence, FileReading};
use crate::doctor::finding::Finding;

pub(super) fn check(evidence: &Evidence) -> Judgement {
    let broken = match &evidence.servers {
        FileReading::Broken(why) => Some(Finding::wrong(
            "servers_broken",
            why,
            "correct that line; a running node takes the file within a few seconds",
        )),
        _ => None,
    };
    let unset = evidence.unset_variables.iter().map(|name| {
        let what = format!("mcp.json needs the variable {name}, which is not set here");
        let mend =
            format!("export {name}=... before the node starts, or write ${{{name}:-default}}");
        // A running node was started with an environment of its own.
        match &evidence.node {
            Answer::Said(..) => Finding::notice("variable_unset", what, mend),
            _ => Finding::wrong("variable_unset", what, mend),
        }
    });
    let missing = evidence.missing_commands.iter().map(|(server, command)| {
        Finding::wrong(
            "command_missing",
            match command.contains('/') {
                true => format!("the server {server} is run by {command:?}, which is not there"),
                false => format!("the server {server} is run by {command:?}, which is not on the PATH"),
            },
            format!("install it, or name it by its whole path: peerage serve {server} -- /path/to/command ..."),
        )
    });
    let seen = match &evidence.servers {
        FileReading::Absent => "no mcp.json: add a server with peerage serve".to_owned(),
        FileReading::Fine(seen) => seen.clone(),
        FileReading::Broken(_) => "mcp.json".to_owned(),
    };
    Judgement::new(seen, broken.into_iter().chain(unset).chain(missing))
}

#[cfg(test)]
mod tests {
    use super::super::names;
    use super::*;

    #[test]
    fn a_broken_file_an_unset_variable_and_a_missing_command_are_found() {
        let evidence = Evidence {
            servers: FileReading::Broken("mcp.json, line 3: column 5".to_owned()),
            unset_variables: vec!["TOKEN".to_owned()],
            missing_commands: vec![("fs".to_owned(), "npx".to_owned())],
            ..Evidence::healthy()
        };
        let judged = check(&evidence);
        assert_eq!(
            names(&judged),
            ["servers_broken", "variable_unset", "command_missing"]
        );
        assert!(judged.findings[1].mend.contains("${TOKEN:-default}"));
    }
}
