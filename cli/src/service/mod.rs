//! The node as a service of its owner's session: what the system is told, as text.

mod launchd;
mod systemd;

use std::path::{Path, PathBuf};

use peerage_node::config::environment::Environment;

/// Who starts services here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemKind {
    /// systemd, as on most Linux.
    Systemd,
    /// launchd, as on macOS.
    Launchd,
}

impl SystemKind {
    /// Of the machine that this was built for.
    pub fn here() -> Self {
        match cfg!(target_os = "macos") {
            true => SystemKind::Launchd,
            false => SystemKind::Systemd,
        }
    }
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Where its description lies.
    pub path: PathBuf,
    /// The description.
    pub text: String,
    /// The commands that start it, now and at every login.
    pub enable: Vec<String>,
    /// The commands that end it.
    pub disable: Vec<String>,
}

impl Service {
    /// A service that runs `program` on `home`; `None` when nobody says where the owner's files lie.
    pub fn of(
        kind: SystemKind,
        program: &Path,
        home: &Path,
        environment: &dyn Environment,
    ) -> Option<Self> {
        let owner = environment
            .variable("HOME")
            .filter(|home| !home.is_empty())?;
        // A service has a short PATH of its own, on which an upstream's npx or uvx would not be found.
        let path = environment.variable("PATH").unwrap_or_default();
        Some(match kind {
            SystemKind::Systemd => {
                let folder = environment
                    .variable("XDG_CONFIG_HOME")
                    .filter(|folder| !folder.is_empty());
                let folder =
                    folder.map_or_else(|| Path::new(&owner).join(".config"), PathBuf::from);
                systemd::service(&folder, program, home, &path)
            }
            SystemKind::Launchd => launchd::service(Path::new(&owner), program, home, &path),
        })
    }
}
