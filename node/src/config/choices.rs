//! Settings with a fixed set of values.

use std::fmt;
use std::str::FromStr;

/// How tools of other nodes are named in lists; every tool is callable by its qualified name either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ToolNames {
    /// `node__server__tool`.
    #[default]
    Qualified,
    /// The tool's own name where it is unambiguous.
    Plain,
}

/// How many tools of other nodes are listed; every tool is callable, listed or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ToolList {
    /// Up to a budget that fits a model; `tools_search` finds the rest.
    #[default]
    Budgeted,
    /// All of them.
    Full,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// What needs the owner.
    Error,
    /// And what may soon need them.
    Warn,
    /// And what changes.
    #[default]
    Info,
    /// And why.
    Debug,
    /// And each step.
    Trace,
}

impl LogLevel {
    /// Every level with its name.
    pub const NAMES: [(&'static str, LogLevel); 5] = [
        ("error", LogLevel::Error),
        ("warn", LogLevel::Warn),
        ("info", LogLevel::Info),
        ("debug", LogLevel::Debug),
        ("trace", LogLevel::Trace),
    ];

    /// Its name, as filters of `tracing` know it.
    pub fn as_str(self) -> &'static str {
        match self {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
            LogLevel::Trace => "trace",
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for LogLevel {
    type Err = LogLevelError;

    fn from_str(text: &str) -> Result<Self, LogLevelError> {
        let named = Self::NAMES.into_iter().find(|(name, _)| *name == text);
        named.map(|(_, level)| level).ok_or(LogLevelError)
    }
}

/// A text that names no level of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log level is one of error, warn, info, debug and trace")]
pub struct LogLevelError;
