//! Where the demonstration plays: one temporary folder with three homes in it, removed at the end, whatever the end.

use std::fs;

use tempfile::TempDir;

use super::machine::Machine;
use crate::failure::Failure;

/// Three machines.
pub struct Stage {
    pub(super) desk: Machine,
    pub(super) laptop: Machine,
    pub(super) shed: Machine,
    folder: TempDir,
}

impl Stage {
    /// Makes the folder and the homes; nothing runs yet.
    pub fn set() -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("peerage-demo-").tempdir();
        let folder = folder.map_err(|error| {
            let message = format!(
                "cannot make a temporary folder: {error}; set TMPDIR to one that is writable"
            );
            Failure::failed("demo", message)
        })?;
        Ok(Self {
            desk: Machine::new(folder.path(), "desk")?,
            laptop: Machine::new(folder.path(), "laptop")?,
            shed: Machine::new(folder.path(), "shed")?,
            folder,
        })
    }

    /// Stops what runs and removes what was made.
    pub async fn clear(mut self) -> Result<(), Failure> {
        let (desk, laptop, shed) =
            tokio::join!(self.desk.stop(), self.laptop.stop(), self.shed.stop());
        for machine in [&self.desk, &self.laptop, &self.shed] {
            let socket = machine.home().socket();
            // A home with a long path has its socket elsewhere.
            if let Some(folder) = socket
                .parent()
                .filter(|folder| !folder.starts_with(self.folder.path()))
            {
                let _ = fs::remove_dir_all(folder);
            }
        }
        let path = self.folder.path().to_path_buf();
        let removed = self.folder.close().map_err(|error| {
            let message = format!(
                "cannot remove {}: {error}; remove it by hand",
                path.display()
            );
            Failure::failed("demo", message)
        });
        desk.and(laptop).and(shed).and(removed)
    }
}
