//! The settings of a node: flags over environment over `peerage.toml` over defaults, validated once.

use std::path::PathBuf;

use peerage_protocol::id::{NameError, NodeName, RegionName};

use super::choices::{LogLevel, LogLevelError, ToolList, ToolNames};
use super::environment::Environment;
use super::firebase::{FirebaseSettings, FirebaseSettingsError};
use super::http_addresses::HttpAddresses;
use super::mesh_port::{MeshPortError, choose_mesh_port};
use super::node_name::default_node_name;
use super::settings_edit::write_mesh_port;
use super::settings_error::SettingsFileError;
use super::settings_file::SettingsFile;
use crate::home::{Home, HomeError};

/// The variable that names the node when no flag does.
pub const NAME_VARIABLE: &str = "PEERAGE_NAME";
/// The variable that sets the level of the log when no flag does.
pub const LOG_VARIABLE: &str = "PEERAGE_LOG";

/// Everything a node needs to know before it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where its files lie; the folder exists and is closed to others.
    pub home: Home,
    /// What it would like to be called; in a mesh, its certificate says what it is called.
    pub name: NodeName,
    /// Where it is: neighbours and whom to ask first are chosen by it.
    pub region: Option<RegionName>,
    /// Where the gateway listens.
    pub http: HttpAddresses,
    /// Further values of `Host` that the gateway accepts, beside those of its own addresses.
    pub allowed_hosts: Vec<String>,
    /// Where the swarm listens, as textual multiaddresses. An IPv6 one fails on a machine without IPv6; that is no
    /// reason not to start as long as another holds.
    pub listen: Vec<String>,
    /// Whether neighbours in the local network are looked for.
    pub mdns: bool,
    /// Whether the private networks of this machine are scanned for members when the node starts.
    pub scan: bool,
    /// The file with addresses to begin from.
    pub bootstrap: Option<PathBuf>,
    /// The registry that says where members are, if any.
    pub firebase: Option<FirebaseSettings>,
    /// How tools of other nodes are named in lists.
    pub tool_names: ToolNames,
    /// How many tools of other nodes are listed.
    pub tool_list: ToolList,
    /// How much is logged.
    pub log: LogLevel,
    /// What the owner should know, though it does not prevent a start: unknown keys in `peerage.toml`.
    pub warnings: Vec<String>,
}

/// What the command line says; every field is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--name`.
    pub name: Option<String>,
    /// `--http`.
    pub http: Option<HttpAddresses>,
    /// `--listen`, as often as given.
    pub listen: Vec<String>,
    /// `--bootstrap`.
    pub bootstrap: Option<PathBuf>,
    /// `--no-mdns`.
    pub no_mdns: bool,
    /// `--log`.
    pub log: Option<LogLevel>,
}

impl Settings {
    /// Puts the settings of the node in `home` together. Creates the home when it is missing, and on the first start
    /// chooses the port of the mesh and writes it into `peerage.toml`.
    pub fn load(
        home: &Home,
        flags: Flags,
        environment: &dyn Environment,
    ) -> Result<Self, SettingsLoadError> {
        let home = home.prepare()?;
        let mut file = SettingsFile::load(&home.settings())?;
        file.firebase.token_file = file.firebase.token_file.map(|path| home.root().join(path));
        let listen = listen_addresses(&home, flags.listen, &file)?;
        let warnings = file.unknown.iter().map(|place| {
            let path = home.settings();
            format!(
                "{}, {place}: nobody here knows this key; check its spelling",
                path.display()
            )
        });
        Ok(Self {
            name: node_name(flags.name, file.name, environment)?,
            region: file.region,
            http: flags.http.or(file.http).unwrap_or_default(),
            allowed_hosts: file.allowed_hosts.unwrap_or_default(),
            listen,
            mdns: !flags.no_mdns && file.mdns.unwrap_or(true),
            scan: file.scan.unwrap_or(false),
            // A path in the file is meant from where the file lies, a flag's from where it was typed.
            bootstrap: flags
                .bootstrap
                .or(file.bootstrap.map(|path| home.root().join(path))),
            firebase: FirebaseSettings::read(&file.firebase, environment)?,
            tool_names: file.tool_names.unwrap_or_default(),
            tool_list: file.tool_list.unwrap_or_default(),
            log: flags
                .log
                .map_or_else(|| log_level(file.log, environment), Ok)?,
            warnings: warnings.collect(),
            home,
        })
    }
}

fn node_name(
    flag: Option<String>,
    file: Option<String>,
    environment: &dyn Environment,
) -> Result<NodeName, SettingsLoadError> {
    let from_variable = || {
        environment
            .variable(NAME_VARIABLE)
            .filter(|v| !v.is_empty())
    };
    match flag.or_else(from_variable).or(file) {
        Some(name) => name.parse().map_err(SettingsLoadError::Name),
        None => Ok(default_node_name()),
    }
}

fn log_level(
    file: Option<LogLevel>,
    environment: &dyn Environment,
) -> Result<LogLevel, SettingsLoadError> {
    match environment.variable(LOG_VARIABLE).filter(|v| !v.is_empty()) {
        Some(text) => text.parse().map_err(SettingsLoadError::Log),
        None => Ok(file.unwrap_or_default()),
    }
}

fn listen_addresses(
    home: &Home,
    flags: Vec<String>,
    file: &SettingsFile,
) -> Result<Vec<String>, SettingsLoadError> {
    if !flags.is_empty() {
        return Ok(flags);
    }
    if let Some(listen) = file.listen.as_ref().filter(|listen| !listen.is_empty()) {
        return Ok(listen.clone());
    }
    let port = match file.mesh_port {
        Some(port) => port,
        None => {
            let port = choose_mesh_port()?;
            write_mesh_port(&home.settings(), port)?;
            port
        }
    };
    Ok(vec![
        format!("/ip4/0.0.0.0/udp/{port}/quic-v1"),
        format!("/ip4/0.0.0.0/tcp/{port}"),
        format!("/ip6/::/udp/{port}/quic-v1"),
        format!("/ip6/::/tcp/{port}"),
    ])
}

/// Why settings could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum SettingsLoadError {
    /// The home cannot be used.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// `peerage.toml` cannot be read or written.
    #[error(transparent)]
    File(#[from] SettingsFileError),
    /// The variables of the registry are wrong.
    #[error(transparent)]
    Firebase(#[from] FirebaseSettingsError),
    /// The node's name is not one.
    #[error("{0}; set it with --name, {NAME_VARIABLE} or name in peerage.toml")]
    Name(NameError),
    /// The level of the log is not one.
    #[error("{LOG_VARIABLE}: {0}")]
    Log(LogLevelError),
    /// No port for the mesh is free.
    #[error(transparent)]
    MeshPort(#[from] MeshPortError),
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::collections::BTreeMap;
    use std::fs;
    use std::net::SocketAddr;

    struct Fixture {
        _folder: tempfile::TempDir,
        home: Home,
        environment: BTreeMap<String, String>,
    }

    fn fixture(toml: &str) -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path()).unwrap().prepare().unwrap();
        fs::write(home.settings(), toml).unwrap();
        Fixture {
            _folder: folder,
            home,
            environment: BTreeMap::new(),
        }
    }

    impl Fixture {
        fn load(&self, flags: Flags) -> Result<Settings, SettingsLoadError> {
            Settings::load(&self.home, flags, &self.environment)
        }
    }

    #[test]
    fn without_any_word_the_gateway_is_on_both_loopbacks_at_8080() {
        let settings = fixture("").load(Flags::default()).unwrap();
        let addresses = settings.http.addresses().iter().map(SocketAddr::to_string);
        assert_eq!(
            addresses.collect::<Vec<_>>(),
            ["127.0.0.1:8080", "[::1]:8080"]
        );
        assert!(settings.mdns);
        assert!(!settings.http.is_exposed());
    }

    #[test]
    fn flags_win_over_environment_and_environment_over_file() {
        let mut fixture = fixture("name = \"file\"");
        let name = |fixture: &Fixture, flag: Option<&str>| {
            let name = flag.map(str::to_owned);
            fixture
                .load(Flags {
                    name,
                    ..Flags::default()
                })
                .unwrap()
                .name
                .to_string()
        };
        assert_eq!(name(&fixture, None), "file");
        fixture
            .environment
            .insert(NAME_VARIABLE.to_owned(), "variable".to_owned());
        assert_eq!(name(&fixture, None), "variable");
        assert_eq!(name(&fixture, Some("flag")), "flag");
    }

    #[test]
    fn the_mesh_port_is_chosen_once_and_kept() {
        let fixture = fixture("");
        let first = fixture.load(Flags::default()).unwrap().listen;
        assert_eq!(fixture.load(Flags::default()).unwrap().listen, first);
        let port = SettingsFile::load(&fixture.home.settings())
            .unwrap()
            .mesh_port
            .unwrap();
        assert_eq!(first[0], format!("/ip4/0.0.0.0/udp/{port}/quic-v1"));
    }

    #[test]
    fn listening_where_a_flag_says_chooses_no_port() {
        let fixture = fixture("");
        let listen = vec!["/ip4/127.0.0.1/tcp/0".to_owned()];
        let flags = Flags {
            listen: listen.clone(),
            ..Flags::default()
        };
        assert_eq!(fixture.load(flags).unwrap().listen, listen);
        assert_eq!(fs::read_to_string(fixture.home.settings()).unwrap(), "");
    }

    #[test]
    fn a_bootstrap_path_in_the_file_is_meant_from_the_home() {
        let fixture = fixture("[discovery]\nbootstrap = \"peers.toml\"");
        let settings = fixture.load(Flags::default()).unwrap();
        assert_eq!(
            settings.bootstrap,
            Some(fixture.home.root().join("peers.toml"))
        );
    }

    #[test]
    fn unknown_keys_are_a_warning_with_file_line_and_key() {
        let fixture = fixture("odd = 1");
        let warnings = fixture.load(Flags::default()).unwrap().warnings;
        assert!(
            warnings[0].contains("peerage.toml, line 1, key \"odd\""),
            "{warnings:?}"
        );
    }
}
