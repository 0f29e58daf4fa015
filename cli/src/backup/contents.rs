//! Which files of a home belong into a backup, and putting them back.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use peerage_node::home::{Home, write_atomically};
use peerage_node::store::{StoreError, copy};

use super::archive::Entry;

/// What belongs to one run of a node.
const OF_ONE_RUN: [&str; 5] = [
    "peerage.lock",
    "peerage.sock",
    "peerage.log",
    "peerage.log.1",
    "demo.log",
];
/// Copied in another way: a running node writes to it.
const DATABASE: [&str; 3] = ["peerage.db", "peerage.db-wal", "peerage.db-shm"];
/// Copies that an upgrade of the database left.
const UPGRADE_COPY: &str = ".backup";
/// Folders in a home whose files are the node's.
const FOLDERS: [&str; 1] = ["agents"];

/// Every file that makes the node what it is; the database as it is at this moment.
pub fn collect(home: &Home) -> Result<Vec<Entry>, CollectError> {
    let mut entries = files(home.root(), "")?;
    for folder in FOLDERS {
        entries.extend(files(&home.root().join(folder), &format!("{folder}/"))?);
    }
    if home.store().exists() {
        let folder = tempfile::tempdir_in(home.root())?;
        let database = folder.path().join("copy.db");
        copy(&home.store(), &database)?;
        entries.push(Entry {
            path: "peerage.db".to_owned(),
            bytes: fs::read(&database)?,
        });
    }
    Ok(entries)
}

fn files(folder: &Path, prefix: &str) -> io::Result<Vec<Entry>> {
    let listed = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed?,
    };
    let mut entries = Vec::new();
    for file in listed {
        let file = file?;
        let Ok(name) = file.file_name().into_string() else {
            continue;
        };
        let belongs = !OF_ONE_RUN.contains(&name.as_str())
            && !DATABASE.contains(&name.as_str())
            && !name.ends_with(UPGRADE_COPY);
        if belongs && file.path().is_file() {
            entries.push(Entry {
                path: format!("{prefix}{name}"),
                bytes: fs::read(file.path())?,
            });
        }
    }
    entries.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(entries)
}

/// Moves everything out of the way of a restore, into a new folder in the home, and says which; `None` where there is
/// nothing to move.
pub fn set_aside(home: &Home, now: u64) -> io::Result<Option<PathBuf>> {
    let present = present(home)?;
    if present.is_empty() {
        return Ok(None);
    }
    let aside = home.root().join(format!("before-restore-{now}"));
    fs::DirBuilder::new().mode(0o700).create(&aside)?;
    for name in present {
        fs::rename(home.root().join(&name), aside.join(&name))?;
    }
    Ok(Some(aside))
}

/// What is in the home, beside what belongs to one run of a node.
pub fn present(home: &Home) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(home.root())? {
        if let Ok(name) = entry?.file_name().into_string()
            && !OF_ONE_RUN.contains(&name.as_str())
            && !name.starts_with("before-restore-")
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Writes the files into an empty home.
pub fn put_back(home: &Home, entries: &[Entry]) -> io::Result<()> {
    for entry in entries {
        let path = home.root().join(&entry.path);
        if let Some(folder) = path.parent() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
        }
        write_atomically(&path, &entry.bytes)?;
    }
    Ok(())
}

/// Why the files of a home cannot be collected.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// A file cannot be read, or the copy of the database not be written beside it.
    #[error("a file of the home cannot be read, or the disk is full: {0}; see: peerage doctor")]
    Io(#[from] io::Error),
    /// The database cannot be copied.
    #[error("{0}; see: peerage doctor")]
    Store(#[from] StoreError),
}
