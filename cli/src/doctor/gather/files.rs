//! Owners, permissions and times of files, and the room on their disk.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use peerage_protocol::time::Timestamp;

use crate::doctor::evidence::FileFacts;

/// Files of a home that are looked at; a home has about ten.
const FILES_MAX: usize = 1_000;

/// Of what a path leads to; `None` when there is nothing, or it may not be seen.
pub(super) fn facts(path: &Path) -> Option<FileFacts> {
    let metadata = fs::metadata(path).ok()?;
    let seconds = u64::try_from(metadata.mtime()).unwrap_or_default();
    Some(FileFacts {
        path: path.to_path_buf(),
        owner: metadata.uid(),
        mode: metadata.mode() & 0o7777,
        modified: Timestamp(seconds.saturating_mul(1_000)),
    })
}

/// Of every regular file in a folder, by name.
pub(super) fn within(folder: &Path) -> Vec<FileFacts> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.flatten().take(FILES_MAX).map(|entry| entry.path());
    let mut files: Vec<FileFacts> = paths
        .filter(|path| path.is_file())
        .filter_map(|path| facts(&path))
        .collect();
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files
}

/// Free and total bytes of the disk on which a folder lies, or will lie.
pub(super) fn disk(folder: &Path) -> Option<(u64, u64)> {
    let existing = folder.ancestors().find(|folder| folder.exists())?;
    let disk = rustix::fs::statvfs(existing).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
    Some((bytes(disk.f_bavail), bytes(disk.f_blocks)))
}
