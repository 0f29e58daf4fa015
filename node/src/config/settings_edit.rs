//! Writes single values into `peerage.toml` and leaves everything else as its owner wrote it, comments too.

use std::path::Path;

use peerage_protocol::id::NodeName;
use toml_edit::DocumentMut;

use super::settings_error::{SettingsError, SettingsFileError};
use super::settings_file::{SettingsFile, read_text};
use super::settings_section::line_of;
use crate::home::write_atomically;

/// Writes `[mesh] port` into the file and leaves everything else as it stands, comments too.
pub fn write_mesh_port(path: &Path, port: u16) -> Result<(), SettingsFileError> {
    edit(path, |text| with_mesh_port(text, port))
}

/// Writes the node's name into the file, in place of the one before, and leaves the rest as it was.
pub fn write_name(path: &Path, name: &NodeName) -> Result<(), SettingsFileError> {
    edit(path, |text| with_name(text, name))
}

fn edit(
    path: &Path,
    change: impl FnOnce(&str) -> Result<String, SettingsError>,
) -> Result<(), SettingsFileError> {
    let text = change(&read_text(path)?).map_err(|error| SettingsFileError::Invalid {
        path: path.to_path_buf(),
        error,
    })?;
    write_atomically(path, text.as_bytes()).map_err(|source| SettingsFileError::Io {
        deed: "write",
        path: path.to_path_buf(),
        source,
    })
}

fn with_mesh_port(text: &str, port: u16) -> Result<String, SettingsError> {
    edited(text, |document| {
        let mesh = document.entry("mesh").or_insert_with(toml_edit::table);
        if let Some(mesh) = mesh.as_table_like_mut() {
            mesh.insert("port", toml_edit::value(i64::from(port)));
        }
    })
}

fn with_name(text: &str, name: &NodeName) -> Result<String, SettingsError> {
    edited(text, |document| {
        document.insert("name", toml_edit::value(name.as_str()));
    })
}

fn edited(text: &str, change: impl FnOnce(&mut DocumentMut)) -> Result<String, SettingsError> {
    // Also refuses what the next start would refuse.
    SettingsFile::parse(text)?;
    let mut document: DocumentMut =
        text.parse()
            .map_err(|error: toml_edit::TomlError| SettingsError {
                line: line_of(text, error.span()),
                key: String::new(),
                problem: error.message().to_owned(),
            })?;
    change(&mut document);
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_mesh_port_is_written_beside_everything_that_was_there() {
        let text = "# mine\nname = \"x\" # so\nodd = 1\n\n[mesh]\n# where\nlisten = []\n";
        let written = with_mesh_port(text, 4001).unwrap();
        assert_eq!(written, format!("{text}port = 4001\n"));
        assert_eq!(SettingsFile::parse(&written).unwrap().mesh_port, Some(4001));
    }

    #[test]
    fn the_mesh_port_makes_a_file_where_there_is_none() {
        assert_eq!(with_mesh_port("", 4001).unwrap(), "[mesh]\nport = 4001\n");
    }

    #[test]
    fn the_name_is_written_beside_everything_that_was_there() {
        let name = "desk".parse().unwrap();
        let rest = "# mine\n[http]\nport = 1 # so\n";
        let written = with_name(rest, &name).unwrap();
        assert_eq!(
            SettingsFile::parse(&written).unwrap().name.as_deref(),
            Some("desk")
        );
        assert!(written.ends_with("[http]\nport = 1 # so\n"), "{written}");
        let again = with_name(&written, &"shed".parse().unwrap()).unwrap();
        assert_eq!(again, written.replace("desk", "shed"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_edited_or_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = with_mesh_port(&String::from_utf8_lossy(&bytes), 4001);
        }

        #[test]
        fn any_toml_like_text_is_edited_or_refused_without_a_panic(
            text in r#"((\[?(name|mesh|http|tools|log)(\.port)?\]?)|=|"x"|\{|\}|\[|\]|1|,|\n| |é){0,30}"#,
        ) {
            if let Ok(written) = with_mesh_port(&text, 4001) {
                prop_assert_eq!(SettingsFile::parse(&written).map(|file| file.mesh_port), Ok(Some(4001)));
            }
        }
    }
}
