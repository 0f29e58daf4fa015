//! The file: a tar archive whose first entry says what it is.

use std::io::{self, Read};
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};
use tar::{Builder, EntryType, Header};

/// The name of the first entry.
const LABEL: &str = "peerage-backup.json";
/// The version of this arrangement.
const VERSION: u32 = 1;
/// Entries that are read; a home has about ten files, and one for each agent.
const ENTRIES_MAX: usize = 2_000;
/// Bytes of all entries together.
const BYTES_MAX: u64 = 512 * 1024 * 1024;

/// What a backup says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    version: u32,
    /// The node's id.
    pub node: String,
    /// When it was made, in milliseconds since the Unix epoch.
    pub made: u64,
}

impl Label {
    /// Of a backup of this node, made at this time.
    pub fn new(node: String, made: u64) -> Self {
        Self {
            version: VERSION,
            node,
            made,
        }
    }
}

/// A file of the home. May be a secret: no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path in the home, of one or two names.
    pub path: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// A backup.
#[derive(Clone, PartialEq, Eq)]
pub struct Archive {
    /// What it is.
    pub label: Label,
    /// The files.
    pub entries: Vec<Entry>,
}

impl Archive {
    /// As the bytes of a file.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ArchiveError> {
        let total: u64 = self
            .entries
            .iter()
            .map(|entry| entry.bytes.len() as u64)
            .sum();
        if total > BYTES_MAX {
            return Err(ArchiveError::TooLarge);
        }
        let mut archive = Builder::new(Vec::new());
        let label = serde_json::to_vec(&self.label).map_err(io::Error::from)?;
        append(&mut archive, LABEL, &label, self.label.made)?;
        for entry in &self.entries {
            append(&mut archive, &entry.path, &entry.bytes, self.label.made)?;
        }
        Ok(archive.into_inner()?)
    }

    /// Of the bytes of a file. Nothing in it is believed: not its size, and no path that leads elsewhere.
    pub fn read(from: impl Read) -> Result<Self, ArchiveError> {
        let mut archive = tar::Archive::new(from.take(BYTES_MAX + 1));
        let mut label = None;
        let mut entries = Vec::new();
        let mut left = BYTES_MAX;
        for entry in archive.entries()? {
            let entry = entry.map_err(|_| ArchiveError::NotOurs)?;
            let read = read_entry(entry, left)?;
            left -= read.bytes.len() as u64;
            if label.is_none() {
                label = Some(read_label(&read)?);
                continue;
            }
            if entries.len() == ENTRIES_MAX {
                return Err(ArchiveError::TooLarge);
            }
            check_path(&read.path)?;
            entries.push(read);
        }
        let label = label.ok_or(ArchiveError::NotOurs)?;
        Ok(Self { label, entries })
    }
}

fn append(archive: &mut Builder<Vec<u8>>, path: &str, bytes: &[u8], made: u64) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_size(bytes.len() as u64);
    header.set_mode(0o600);
    header.set_mtime(made / 1_000);
    archive.append_data(&mut header, path, bytes)
}

fn read_entry(mut entry: tar::Entry<'_, impl Read>, left: u64) -> Result<Entry, ArchiveError> {
    if entry.header().entry_type() != EntryType::Regular {
        return Err(ArchiveError::NotOurs);
    }
    if entry.size() > left {
        return Err(ArchiveError::TooLarge);
    }
    let path =
        String::from_utf8(entry.path_bytes().into_owned()).map_err(|_| ArchiveError::NotOurs)?;
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes)?;
    match bytes.len() as u64 == entry.size() {
        true => Ok(Entry { path, bytes }),
        false => Err(ArchiveError::CutShort),
    }
}

fn read_label(entry: &Entry) -> Result<Label, ArchiveError> {
    if entry.path != LABEL {
        return Err(ArchiveError::NotOurs);
    }
    let label: Label = serde_json::from_slice(&entry.bytes).map_err(|_| ArchiveError::NotOurs)?;
    match label.version {
        VERSION => Ok(label),
        found => Err(ArchiveError::Version { found }),
    }
}

fn check_path(path: &str) -> Result<(), ArchiveError> {
    let components: Vec<Component<'_>> = Path::new(path).components().collect();
    let inside = components
        .iter()
        .all(|component| matches!(component, Component::Normal(_)));
    match inside && (1..=2).contains(&components.len()) {
        true => Ok(()),
        false => Err(ArchiveError::Path {
            path: path.to_owned(),
        }),
    }
}

/// Why a backup cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Reading or writing failed.
    #[error("it cannot be read or written: {0}")]
    Io(#[from] io::Error),
    /// Something else than what `peerage backup` writes.
    #[error("it is no backup that peerage backup has made; if it is encrypted, decrypt it first")]
    NotOurs,
    /// Of a later arrangement.
    #[error(
        "it is a backup of version {found}, this program knows {VERSION}: use the newer peerage that made it"
    )]
    Version {
        /// Its version.
        found: u32,
    },
    /// It ends in the middle.
    #[error("it is cut short; copy it again")]
    CutShort,
    /// Over the bounds.
    #[error(
        "it has more than {ENTRIES_MAX} files or {BYTES_MAX} bytes; move what is not the node's out of the home"
    )]
    TooLarge,
    /// A path that leads out of the home.
    #[error("it has an entry {path:?} that does not belong into a home; do not trust it")]
    Path {
        /// As written.
        path: String,
    },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn archive(paths: &[&str]) -> Archive {
        let entry = |path: &&str| Entry {
            path: (*path).to_owned(),
            bytes: path.as_bytes().to_vec(),
        };
        Archive {
            label: Label::new("12D3KooW".to_owned(), 5_000),
            entries: paths.iter().map(entry).collect(),
        }
    }

    fn refused(bytes: &[u8]) -> ArchiveError {
        Archive::read(bytes).err().unwrap()
    }

    #[test]
    fn what_was_written_is_read_back() {
        let written = archive(&["identity.key", "agents/coder.token"]);
        let read = Archive::read(written.to_bytes().unwrap().as_slice()).unwrap();
        assert!(read == written);
    }

    #[test]
    fn a_path_that_leads_out_of_the_home_is_refused() {
        for path in ["../x", "/etc/passwd", "a/b/c"] {
            // Written by hand: the writer itself refuses some of them.
            let mut bytes = Builder::new(Vec::new());
            let label = serde_json::to_vec(&Label::new("n".to_owned(), 0)).unwrap();
            append(&mut bytes, LABEL, &label, 0).unwrap();
            let mut header = Header::new_gnu();
            header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_size(0);
            header.set_entry_type(EntryType::Regular);
            header.set_cksum();
            bytes.append(&header, io::empty()).unwrap();
            let bytes = bytes.into_inner().unwrap();
            assert!(
                matches!(refused(&bytes), ArchiveError::Path { .. }),
                "{path}"
            );
        }
    }

    #[test]
    fn noise_a_short_file_and_a_foreign_archive_are_refused() {
        assert!(matches!(refused(b""), ArchiveError::NotOurs));
        assert!(matches!(refused(&[7; 4_096]), ArchiveError::NotOurs));
        let bytes = archive(&["identity.key"]).to_bytes().unwrap();
        assert!(Archive::read(&bytes[..1_600]).is_err());
        let mut foreign = Builder::new(Vec::new());
        append(&mut foreign, "README", b"hello", 0).unwrap();
        assert!(matches!(
            refused(&foreign.into_inner().unwrap()),
            ArchiveError::NotOurs
        ));
    }
}
