//! Reads `peerage.toml` into typed, optional values; what it does not say is left to flags, environment and defaults.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use peerage_protocol::id::RegionName;
use toml_edit::{Document, Item};

use super::choices::{LogLevel, ToolList, ToolNames};
use super::firebase::FirebaseFile;
use super::http_addresses::HttpAddresses;
use super::settings_error::{SETTINGS_FILE_BYTES_MAX, SettingsError, SettingsFileError};
use super::settings_section::{Section, line_of};

/// What a `peerage.toml` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingsFile {
    /// `name`.
    pub name: Option<String>,
    /// `[node] region`.
    pub region: Option<RegionName>,
    /// `[http] address` and `port`, together.
    pub http: Option<HttpAddresses>,
    /// `[http] allowed_hosts`.
    pub allowed_hosts: Option<Vec<String>>,
    /// `[mesh] listen`.
    pub listen: Option<Vec<String>>,
    /// `[mesh] port`.
    pub mesh_port: Option<u16>,
    /// `[discovery] mdns`.
    pub mdns: Option<bool>,
    /// `[discovery] scan`.
    pub scan: Option<bool>,
    /// `[discovery] bootstrap`, as written.
    pub bootstrap: Option<PathBuf>,
    /// `[firebase]`, the path as written.
    pub firebase: FirebaseFile,
    /// `[tools] names`.
    pub tool_names: Option<ToolNames>,
    /// `[tools] list`.
    pub tool_list: Option<ToolList>,
    /// `[log] level`.
    pub log: Option<LogLevel>,
    /// Keys that nobody here knows, each as `line 3, key "http.prot"`.
    pub unknown: Vec<String>,
}

impl SettingsFile {
    /// Reads the file; one that does not exist says nothing.
    pub fn load(path: &Path) -> Result<Self, SettingsFileError> {
        Self::parse(&read_text(path)?).map_err(|error| SettingsFileError::Invalid {
            path: path.to_path_buf(),
            error,
        })
    }

    /// Reads the text of a `peerage.toml`.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let document = Document::parse(text).map_err(|error| SettingsError {
            line: line_of(text, error.span()),
            key: String::new(),
            problem: error.message().trim().replace('\n', "; "),
        })?;
        let mut file = Self::default();
        file.read_root(&Section::root(text, document.as_table()))?;
        Ok(file)
    }

    fn read_root(&mut self, root: &Section<'_>) -> Result<(), SettingsError> {
        self.name = root
            .read("name", "a string", Item::as_str)?
            .map(str::to_owned);
        let known = [
            "name",
            "node",
            "http",
            "mesh",
            "discovery",
            "firebase",
            "tools",
            "log",
        ];
        self.note_unknown(root, &known);
        for (name, read) in Self::SECTIONS {
            if let Some(section) = root.section(name)? {
                read(self, &section)?;
            }
        }
        Ok(())
    }

    const SECTIONS: [(&str, ReadSection); 7] = [
        ("node", Self::read_node),
        ("http", Self::read_http),
        ("mesh", Self::read_mesh),
        ("discovery", Self::read_discovery),
        ("firebase", Self::read_firebase),
        ("tools", Self::read_tools),
        ("log", Self::read_log),
    ];

    fn read_node(&mut self, node: &Section<'_>) -> Result<(), SettingsError> {
        self.note_unknown(node, &["region"]);
        let region = node.read("region", "a string", Item::as_str)?;
        let region = region.map(str::parse).transpose();
        self.region = region
            .map_err(|_| node.error("region", "must be 1 to 20 characters of a-z, 0-9 and -"))?;
        Ok(())
    }

    fn read_http(&mut self, http: &Section<'_>) -> Result<(), SettingsError> {
        self.note_unknown(http, &["address", "port", "allowed_hosts"]);
        let port = http.port("port")?;
        let address = http.read("address", "a string", Item::as_str)?;
        self.http = match (address, port) {
            (None, None) => None,
            (None, Some(port)) => Some(HttpAddresses::loopback(port)),
            (Some(text), port) => {
                let addresses = HttpAddresses::at_host(text, port.unwrap_or(HttpAddresses::PORT))
                    .ok_or_else(|| {
                    http.error("address", "must be an IP address or \"localhost\"")
                })?;
                Some(addresses)
            }
        };
        self.allowed_hosts = http.texts("allowed_hosts")?;
        Ok(())
    }

    fn read_mesh(&mut self, mesh: &Section<'_>) -> Result<(), SettingsError> {
        self.note_unknown(mesh, &["listen", "port"]);
        self.listen = mesh.texts("listen")?;
        self.mesh_port = mesh.port("port")?;
        if self.mesh_port == Some(0) {
            return Err(mesh.error(
                "port",
                "must be from 1 to 65535: it is kept, so that tickets stay true",
            ));
        }
        Ok(())
    }

    fn read_discovery(&mut self, discovery: &Section<'_>) -> Result<(), SettingsError> {
        self.note_unknown(discovery, &["mdns", "bootstrap", "scan"]);
        self.mdns = discovery.read("mdns", "true or false", Item::as_bool)?;
        self.scan = discovery.read("scan", "true or false", Item::as_bool)?;
        let bootstrap = discovery.read("bootstrap", "a path in quotes", Item::as_str)?;
        self.bootstrap = bootstrap.map(PathBuf::from);
        Ok(())
    }

    fn read_firebase(&mut self, firebase: &Section<'_>) -> Result<(), SettingsError> {
        self.note_unknown(firebase, &["url", "token_file", "endpoint"]);
        let token_file = firebase.read("token_file", "a path in quotes", Item::as_str)?;
        self.firebase = FirebaseFile {
            url: firebase.parsed("url")?,
            token_file: token_file.map(PathBuf::from),
            endpoint: firebase.parsed("endpoint")?,
        };
        Ok(())
    }

    fn read_tools(&mut self, tools: &Section<'_>) -> Result<(), SettingsError> {
        self.note_unknown(tools, &["names", "list"]);
        let names = [
            ("qualified", ToolNames::Qualified),
            ("plain", ToolNames::Plain),
        ];
        let lists = [("budgeted", ToolList::Budgeted), ("full", ToolList::Full)];
        self.tool_names = tools.choice("names", &names)?;
        self.tool_list = tools.choice("list", &lists)?;
        Ok(())
    }

    fn read_log(&mut self, log: &Section<'_>) -> Result<(), SettingsError> {
        self.note_unknown(log, &["level"]);
        self.log = log.choice("level", &LogLevel::NAMES)?;
        Ok(())
    }

    fn note_unknown(&mut self, section: &Section<'_>, known: &[&str]) {
        self.unknown.extend(section.unknown(known));
    }
}

type ReadSection = fn(&mut SettingsFile, &Section<'_>) -> Result<(), SettingsError>;

/// The text of the file; of one that does not exist, none.
pub(super) fn read_text(path: &Path) -> Result<String, SettingsFileError> {
    let failed = |source| SettingsFileError::Io {
        deed: "read",
        path: path.to_path_buf(),
        source,
    };
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() > SETTINGS_FILE_BYTES_MAX => {
            Err(SettingsFileError::TooLarge {
                path: path.to_path_buf(),
            })
        }
        Ok(_) => fs::read_to_string(path).map_err(failed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_setting_is_read() {
        let file = SettingsFile::parse(
            r#"name = "desk"
            [node]
            region = "eu-west"
            [http]
            address = "127.0.0.1"
            port = 9000
            allowed_hosts = ["desk.local"]
            [mesh]
            listen = ["/ip4/0.0.0.0/tcp/1"]
            port = 4001
            [discovery]
            mdns = false
            bootstrap = "peers.toml"
            scan = true
            [firebase]
            url = "https://mesh.example"
            token_file = "token"
            endpoint = "https://desk.example/mcp"
            [tools]
            names = "plain"
            list = "full"
            [log]
            level = "debug""#,
        );
        let expected = SettingsFile {
            name: Some("desk".to_owned()),
            region: Some("eu-west".parse().unwrap()),
            http: HttpAddresses::at_host("127.0.0.1", 9000),
            allowed_hosts: Some(vec!["desk.local".to_owned()]),
            listen: Some(vec!["/ip4/0.0.0.0/tcp/1".to_owned()]),
            mesh_port: Some(4001),
            mdns: Some(false),
            scan: Some(true),
            bootstrap: Some("peers.toml".into()),
            firebase: FirebaseFile {
                url: Some("https://mesh.example".parse().unwrap()),
                token_file: Some("token".into()),
                endpoint: Some("https://desk.example/mcp".parse().unwrap()),
            },
            tool_names: Some(ToolNames::Plain),
            tool_list: Some(ToolList::Full),
            log: Some(LogLevel::Debug),
            unknown: Vec::new(),
        };
        assert_eq!(file, Ok(expected));
    }

    #[test]
    fn every_fault_names_its_line_and_key() {
        let cases = [
            ("name = 1", "line 1, key \"name\": must be a string"),
            (
                "\n[http]\nport = 70000",
                "line 3, key \"http.port\": must be a port",
            ),
            (
                "[http]\naddress = \"here\"",
                "line 2, key \"http.address\": must be an IP address",
            ),
            (
                "[node]\nregion = \"EU\"",
                "line 2, key \"node.region\": must be 1 to 20 characters",
            ),
            ("http = 3", "line 1, key \"http\": must be a table"),
            (
                "[mesh]\nport = 0",
                "line 2, key \"mesh.port\": must be from 1",
            ),
            (
                "[mesh]\nlisten = [1]",
                "line 2, key \"mesh.listen\": must be an array of strings",
            ),
            (
                "[firebase]\nurl = \"http://h\"",
                "line 2, key \"firebase.url\": must be the URL of a database",
            ),
            (
                "[tools]\n\nnames = \"short\"",
                "line 3, key \"tools.names\": must be \"qualified\" or \"plain\"",
            ),
            (
                "[log]\nlevel = \"loud\"",
                "line 2, key \"log.level\": must be \"error\" or",
            ),
            ("a = 1\nb = = 2", "line 2: "),
        ];
        for (text, expected) in cases {
            let refused = SettingsFile::parse(text).unwrap_err().to_string();
            assert!(
                refused.starts_with(expected),
                "{refused:?} does not begin with {expected:?}"
            );
        }
    }

    #[test]
    fn unknown_keys_are_tolerated_and_named() {
        let file = SettingsFile::parse("nmae = \"x\"\n[http]\nprot = 1").unwrap();
        assert_eq!(
            file.unknown,
            ["line 1, key \"nmae\"", "line 3, key \"http.prot\""]
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = SettingsFile::parse(&String::from_utf8_lossy(&bytes));
        }
    }
}
