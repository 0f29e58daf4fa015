//! What the doctor says: a subject, what was seen of it, and what is wrong with it.

use serde::Serialize;

/// One subject that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Examined {
    /// What was looked at.
    pub subject: &'static str,
    /// What was seen, in a few words.
    pub seen: String,
    /// What is wrong or worth knowing; empty when all is well.
    pub findings: Vec<Finding>,
}

/// Something that is wrong or worth knowing, with its mend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A stable name, for programs.
    pub name: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What it is.
    pub what: String,
    /// What to do about it.
    pub mend: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing is broken by it now.
    Notice,
    /// Something does not work, or a secret is in danger.
    Wrong,
}

impl Finding {
    /// Something that does not work, or a secret in danger.
    pub fn wrong(name: &'static str, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            name,
            severity: Severity::Wrong,
            what: what.into(),
            mend: mend.into(),
        }
    }

    /// Something worth knowing.
    pub fn notice(name: &'static str, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            severity: Severity::Notice,
            ..Self::wrong(name, what, mend)
        }
    }
}
