//! What stands in a client's configuration for Peerage: the stdio proxy, under one name.

use std::path::Path;

use peerage_protocol::id::AgentName;

/// The name under which the proxy stands.
pub(crate) const ENTRY_NAME: &str = "peerage";

/// A command that a client runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The program; absolute, for clients on a desktop search other folders than shells do.
    pub command: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Whether `"type": "stdio"` stands with it.
    pub names_transport: bool,
}

impl Entry {
    /// The proxy of `program` that calls as `agent`; `home` where it is not the usual one.
    pub(crate) fn of_proxy(
        program: &Path,
        home: Option<&Path>,
        agent: &AgentName,
        names_transport: bool,
    ) -> Self {
        let home = home.map(|home| ["--home".to_owned(), home.display().to_string()]);
        let proxy = ["mcp".to_owned(), "--as".to_owned(), agent.to_string()];
        Self {
            command: program.display().to_string(),
            args: home.into_iter().flatten().chain(proxy).collect(),
            names_transport,
        }
    }
}

/// Whether a client's server is Peerage itself: its own name for a program, or its endpoint.
pub(crate) fn is_ourselves(name: &str, command: Option<&str>, args: &[String]) -> bool {
    let program = command.map(|command| Path::new(command).file_stem().unwrap_or_default());
    let ours = program.is_some_and(|program| program == "peerage");
    name == ENTRY_NAME || (ours && args.iter().any(|argument| argument == "mcp"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn another_home_is_named_and_the_usual_one_is_not() {
        let agent = "claude".parse().unwrap();
        let program = Path::new("/bin/peerage");
        let usual = Entry::of_proxy(program, None, &agent, true);
        assert_eq!(usual.args, ["mcp", "--as", "claude"]);
        let other = Entry::of_proxy(program, Some(Path::new("/h")), &agent, true);
        assert_eq!(other.args, ["--home", "/h", "mcp", "--as", "claude"]);
    }

    #[test]
    fn we_know_ourselves_by_name_or_by_program() {
        let mcp = ["mcp".to_owned()];
        assert!(is_ourselves("peerage", Some("/other"), &[]));
        assert!(is_ourselves("mesh", Some("/usr/bin/peerage"), &mcp));
        assert!(!is_ourselves("mesh", Some("/usr/bin/peerage"), &[]));
        assert!(!is_ourselves("fs", Some("npx"), &mcp));
        assert!(!is_ourselves("fs", None, &[]));
    }
}
