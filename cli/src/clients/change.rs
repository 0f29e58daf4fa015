//! A change to a client's configuration: planned as text, shown, and applied whole or not at all.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use peerage_node::home::write_atomically;

use super::change_error::{CONFIG_BYTES_MAX, ChangeError};
use super::entry::Entry;
use super::{Format, json_config, toml_config};

/// What is appended to the name of a file that is kept as it was before Peerage was connected.
const BEFORE_SUFFIX: &str = ".before-peerage";
/// The same, before it was disconnected.
const CONNECTED_SUFFIX: &str = ".with-peerage";

/// What is to become of the entry.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change<'a> {
    /// It stands there, like this.
    Connect(&'a Entry),
    /// It does not stand there.
    Disconnect,
}

/// One file, before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Planned {
    /// The file.
    pub path: PathBuf,
    /// Where it is kept as it was.
    pub backup: PathBuf,
    /// Its text; empty where there is no file.
    pub before: String,
    /// What it is to become.
    pub after: String,
}

impl Change<'_> {
    /// Reads the file and plans the change. Nothing is written.
    pub(crate) fn plan(self, path: &Path, format: Format) -> Result<Planned, ChangeError> {
        let before = read(path)?;
        let kept = read(&beside(path, BEFORE_SUFFIX)).unwrap_or_default();
        let after =
            self.apply_to(&before, &kept, format)
                .map_err(|error| ChangeError::Refused {
                    path: path.to_path_buf(),
                    error: Box::new(error),
                })?;
        let without = without_entry(&before, format).is_ok_and(|without| without == before);
        let suffix = if without {
            BEFORE_SUFFIX
        } else {
            CONNECTED_SUFFIX
        };
        Ok(Planned {
            path: path.to_path_buf(),
            backup: beside(path, suffix),
            before,
            after,
        })
    }

    /// `text` after the change. `kept` is the text before Peerage was connected, if any is known: where nothing else
    /// has changed since, disconnecting gives back exactly that.
    fn apply_to(self, text: &str, kept: &str, format: Format) -> Result<String, ChangeError> {
        match self {
            Self::Connect(entry) => with_entry(text, format, entry),
            Self::Disconnect => {
                let without = without_entry(text, format)?;
                let back = without != text
                    && !kept.is_empty()
                    && without_entry(kept, format).is_ok_and(|text| text == kept)
                    && same_meaning(kept, &without, format);
                Ok(if back { kept.to_owned() } else { without })
            }
        }
    }
}

impl Planned {
    /// Whether there is anything to do.
    pub(crate) fn changes_anything(&self) -> bool {
        self.before != self.after
    }

    /// Writes the file, keeping the one before beside it, and says where; `None` when there was none to keep. The
    /// mode of a file that is there stays; a new one is its owner's alone.
    pub(crate) fn write(&self) -> Result<Option<PathBuf>, ChangeError> {
        let failed = |path: &Path| {
            let path = path.to_path_buf();
            move |source| ChangeError::Write { path, source }
        };
        // Whoever wrote it since it was read must not lose that.
        if read(&self.path)? != self.before {
            return Err(ChangeError::ChangedMeanwhile {
                path: self.path.clone(),
            });
        }
        let present = fs::metadata(&self.path).ok();
        let backup = self.backup.clone();
        let permissions = present.as_ref().map(fs::Metadata::permissions);
        if let Some(permissions) = &permissions {
            replace(&backup, &self.before, permissions.clone()).map_err(failed(&backup))?;
        } else if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder).map_err(failed(folder))?;
        }
        let permissions = permissions.unwrap_or(fs::Permissions::from_mode(0o600));
        replace(&self.path, &self.after, permissions).map_err(failed(&self.path))?;
        Ok(present.map(|_| backup))
    }
}

fn replace(path: &Path, text: &str, permissions: fs::Permissions) -> io::Result<()> {
    write_atomically(path, text.as_bytes())?;
    fs::set_permissions(path, permissions)
}

/// A file with almost the same name, so that whoever looks for it finds it.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The text of the file; empty when there is none.
pub(super) fn read(path: &Path) -> Result<String, ChangeError> {
    let failed = |source| ChangeError::Read {
        path: path.to_path_buf(),
        source,
    };
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() > CONFIG_BYTES_MAX => Err(ChangeError::TooLarge {
            path: path.to_path_buf(),
        }),
        Ok(_) => fs::read_to_string(path).map_err(failed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(failed(error)),
    }
}

fn with_entry(text: &str, format: Format, entry: &Entry) -> Result<String, ChangeError> {
    match format {
        Format::Json { servers } => json_config::with_entry(text, servers, entry),
        Format::Toml => toml_config::with_entry(text, entry),
    }
}

fn without_entry(text: &str, format: Format) -> Result<String, ChangeError> {
    match format {
        Format::Json { servers } => json_config::without_entry(text, servers),
        Format::Toml => toml_config::without_entry(text),
    }
}

/// Whether two texts say the same, but for a place for servers that holds none.
fn same_meaning(one: &str, other: &str, format: Format) -> bool {
    let one = super::meaning(one, format);
    one.is_some() && one == super::meaning(other, format)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const JSON: Format = Format::Json {
        servers: "mcpServers",
    };

    fn entry() -> Entry {
        Entry {
            command: "/bin/peerage".to_owned(),
            args: vec!["mcp".to_owned()],
            names_transport: false,
        }
    }

    fn apply(change: Change<'_>, path: &Path) -> Option<PathBuf> {
        change.plan(path, JSON).unwrap().write().unwrap()
    }

    #[test]
    fn what_was_there_is_kept_and_comes_back_to_the_byte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        for original in [
            "{\"a\":1}",
            "{ }\n",
            "{\"mcpServers\":{\"x\":{\"url\":\"u\"}}}",
        ] {
            fs::write(&path, original).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
            let backup = apply(Change::Connect(&entry()), &path).unwrap();
            assert_eq!(fs::read_to_string(backup).unwrap(), original);
            assert!(fs::read_to_string(&path).unwrap().contains("/bin/peerage"));
            assert_eq!(
                fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o640
            );
            apply(Change::Disconnect, &path);
            assert_eq!(fs::read_to_string(&path).unwrap(), original);
        }
    }

    #[test]
    fn renewing_an_entry_keeps_the_file_from_before_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        fs::write(&path, "{ \"a\":1}").unwrap();
        apply(Change::Connect(&entry()), &path);
        let moved = Entry {
            command: "/elsewhere/peerage".to_owned(),
            ..entry()
        };
        apply(Change::Connect(&moved), &path);
        apply(Change::Disconnect, &path);
        assert_eq!(fs::read_to_string(&path).unwrap(), "{ \"a\":1}");
    }

    #[test]
    fn what_the_user_changed_meanwhile_stays_when_it_is_undone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        fs::write(&path, "{}").unwrap();
        apply(Change::Connect(&entry()), &path);
        let edited = fs::read_to_string(&path)
            .unwrap()
            .replacen('{', "{\"mine\": 1,", 1);
        fs::write(&path, edited).unwrap();
        apply(Change::Disconnect, &path);
        let after = fs::read_to_string(&path).unwrap();
        assert!(
            after.contains("mine") && !after.contains("peerage"),
            "{after}"
        );
    }

    #[test]
    fn a_new_file_is_its_owners_alone_and_its_folders_are_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/config.json");
        assert_eq!(apply(Change::Connect(&entry()), &path), None);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let again = Change::Connect(&entry()).plan(&path, JSON).unwrap();
        assert!(!again.changes_anything());
    }

    #[test]
    fn a_file_that_changed_since_it_was_read_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        let planned = Change::Connect(&entry()).plan(&path, JSON).unwrap();
        fs::write(&path, "{\"new\": 1}").unwrap();
        let refused = planned.write().unwrap_err();
        assert!(matches!(refused, ChangeError::ChangedMeanwhile { .. }));
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"new\": 1}");
    }

    #[test]
    fn a_broken_file_is_named_with_its_line_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        fs::write(&path, "{\n oops").unwrap();
        let refused = Change::Connect(&entry())
            .plan(&path, JSON)
            .unwrap_err()
            .to_string();
        assert!(
            refused.contains("config.json") && refused.contains("line 2"),
            "{refused}"
        );
    }
}
