//! The files that the owner writes: `peerage.toml`, `mcp.json` and the bootstrap file.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use peerage_node::config::environment::Environment;
use peerage_node::config::servers::{load_servers, parse_servers};
use peerage_node::config::settings_file::SettingsFile;
use peerage_node::config::upstream::{UpstreamSettings, UpstreamTransport};
use peerage_node::discovery::bootstrap::Bootstrap;
use peerage_node::home::Home;

use crate::doctor::evidence::{FileReading, Whose};
use crate::render::counted;

/// `peerage.toml`, as far as it can be read.
pub(super) struct Settings {
    pub(super) file: SettingsFile,
    pub(super) reading: FileReading,
    pub(super) unknown: Vec<String>,
}

pub(super) fn settings(home: &Home) -> Settings {
    let path = home.settings();
    let (file, reading) = match SettingsFile::load(&path) {
        Ok(file) if path.exists() => (file, FileReading::Fine(path.display().to_string())),
        Ok(file) => (file, FileReading::Absent),
        Err(error) => (
            SettingsFile::default(),
            FileReading::Broken(error.to_string()),
        ),
    };
    Settings {
        unknown: file.unknown.clone(),
        file,
        reading,
    }
}

/// `mcp.json`, and what it needs.
pub(super) struct Servers {
    pub(super) reading: FileReading,
    pub(super) unset: Vec<String>,
    pub(super) missing_commands: Vec<(String, String)>,
}

pub(super) fn servers(home: &Home, environment: &dyn Environment) -> Servers {
    let path = home.servers();
    let recording = Recording {
        environment,
        unset: RefCell::default(),
    };
    let text = fs::read_to_string(&path).unwrap_or_default();
    let servers = parse_servers(&text, &recording).unwrap_or_default().servers;
    let needed = |name: &String| text.contains(&format!("${{{name}}}"));
    let reading = match load_servers(&path, environment) {
        Err(error) => FileReading::Broken(error.to_string()),
        _ if path.exists() => {
            let servers = counted(servers.len(), "server");
            FileReading::Fine(format!("{servers} in {}", path.display()))
        }
        _ => FileReading::Absent,
    };
    let missing = servers.iter().filter_map(|(name, settings)| {
        let command = missing_command(settings, home.root(), environment)?;
        Some((name.to_string(), command))
    });
    Servers {
        reading,
        missing_commands: missing.collect(),
        unset: recording
            .unset
            .into_inner()
            .into_iter()
            .filter(needed)
            .collect(),
    }
}

/// Has every variable, and remembers which were asked for in vain.
struct Recording<'a> {
    environment: &'a dyn Environment,
    unset: RefCell<BTreeSet<String>>,
}

impl Environment for Recording<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        let value = self.environment.variable(name);
        if value.is_none() {
            self.unset.borrow_mut().insert(name.to_owned());
        }
        Some(value.unwrap_or_default())
    }
}

/// The command of a server, when no such program is there.
fn missing_command(
    settings: &UpstreamSettings,
    home: &Path,
    environment: &dyn Environment,
) -> Option<String> {
    let UpstreamTransport::Stdio {
        command, cwd, env, ..
    } = &settings.transport
    else {
        return None;
    };
    let there = if command.contains('/') {
        cwd.as_deref().unwrap_or(home).join(command).is_file()
    } else {
        let path = env
            .get("PATH")
            .cloned()
            .or_else(|| environment.variable("PATH"));
        std::env::split_paths(&path.unwrap_or_default())
            .any(|folder| folder.join(command).is_file())
    };
    (!there && !command.is_empty()).then(|| command.clone())
}

/// The bootstrap file, and where it leads.
pub(super) struct BootstrapFile {
    pub(super) reading: FileReading,
    pub(super) bad_entries: Vec<String>,
    pub(super) addresses: Vec<(Whose, String)>,
}

pub(super) fn bootstrap(home: &Home, settings: &SettingsFile) -> BootstrapFile {
    let named = settings
        .bootstrap
        .as_ref()
        .map(|path| home.root().join(path));
    let path = named
        .clone()
        .unwrap_or_else(|| home.root().join("bootstrap-peers.toml"));
    let without = |reading| BootstrapFile {
        reading,
        bad_entries: Vec::new(),
        addresses: Vec::new(),
    };
    let broken =
        |why: &dyn std::fmt::Display| FileReading::Broken(format!("{}: {why}", path.display()));
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if named.is_none() && error.kind() == ErrorKind::NotFound => {
            return without(FileReading::Absent);
        }
        Err(error) => return without(broken(&error)),
    };
    match Bootstrap::parse(&text) {
        Err(error) => without(broken(&error)),
        Ok(bootstrap) => BootstrapFile {
            reading: FileReading::Fine(format!(
                "{} addresses in {}",
                bootstrap.nodes.len(),
                path.display()
            )),
            bad_entries: bootstrap.skipped.iter().map(ToString::to_string).collect(),
            addresses: bootstrap
                .nodes
                .iter()
                .map(|node| (Whose::Bootstrap, node.address.to_string()))
                .collect(),
        },
    }
}
