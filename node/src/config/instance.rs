//! How many processes of one program serve its callers.

use std::fmt;

/// Who shares a process of a stdio server with whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Instance {
    /// One process for all.
    #[default]
    Shared,
    /// One for each session of a client; where there are no sessions, one for each caller.
    PerSession,
    /// One for each caller: an agent, this machine's guests, a member and each of its agents.
    PerCaller,
}

impl Instance {
    /// Every choice with its name in `mcp.json`.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("shared", Self::Shared),
        ("per-session", Self::PerSession),
        ("per-caller", Self::PerCaller),
    ];

    /// The choice with this name.
    pub fn parse(text: &str) -> Option<Self> {
        let found = Self::NAMES.into_iter().find(|(name, _)| *name == text);
        found.map(|(_, instance)| instance)
    }

    /// Its name in `mcp.json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::PerSession => "per-session",
            Self::PerCaller => "per-caller",
        }
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_is_read_by_the_name_it_is_written_with() {
        for (name, instance) in Instance::NAMES {
            assert_eq!(instance.to_string(), name);
            assert_eq!(Instance::parse(name), Some(instance));
        }
        assert_eq!(Instance::parse("Shared"), None);
    }
}
