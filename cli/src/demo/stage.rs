//! Where the demonstration plays: one temporary folder with three homes in it, removed at the end, whatever the end. A
//! demonstration that was killed cannot; the next one does it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use tempfile::TempDir;

use super::machine::Machine;
use crate::failure::Failure;
use crate::process::command_line;

/// What the names of the folders begin with; the process follows.
const PREFIX: &str = "peerage-demo-";

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
        remove_orphans(&std::env::temp_dir());
        let prefix = format!("{PREFIX}{}-", std::process::id());
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir();
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

/// Removes the folders in `within` whose demonstration has ended without doing so. What cannot be removed stays.
fn remove_orphans(within: &Path) {
    let Ok(entries) = fs::read_dir(within) else {
        return;
    };
    let orphans = entries.filter_map(Result::ok).filter(|entry| {
        let name = entry.file_name();
        let process = name.to_str().and_then(process_of);
        // A link would lead elsewhere, and what others made is not ours.
        let ours = entry.metadata().is_ok_and(|found| {
            found.is_dir() && found.uid() == rustix::process::geteuid().as_raw()
        });
        ours && process.is_some_and(|pid| command_line(pid).is_none())
    });
    for orphan in orphans {
        if let Err(error) = fs::remove_dir_all(orphan.path()) {
            tracing::debug!(%error, path = %orphan.path().display(), "an old demonstration stays");
        }
    }
}

/// The process in the name of a demonstration's folder.
fn process_of(name: &str) -> Option<u32> {
    let (process, _) = name.strip_prefix(PREFIX)?.split_once('-')?;
    process.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_a_killed_demonstration_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let ours = format!("{PREFIX}{}-x", std::process::id());
        let ended = format!("{PREFIX}{}-x", u32::MAX);
        let stay = [ours.as_str(), "peerage-demo-notes", "else"];
        for name in stay.into_iter().chain([ended.as_str()]) {
            fs::create_dir_all(folder.path().join(name).join("desk")).unwrap();
        }
        let link = folder.path().join(format!("{PREFIX}{}-link", u32::MAX));
        std::os::unix::fs::symlink(folder.path().join("else"), &link).unwrap();
        remove_orphans(folder.path());
        assert!(!folder.path().join(&ended).exists());
        assert!(
            stay.iter()
                .all(|name| folder.path().join(name).join("desk").exists())
        );
        assert!(link.is_symlink());
    }
}
