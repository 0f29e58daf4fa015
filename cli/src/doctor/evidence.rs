//! Everything the doctor looked at, as plain values: what the checks judge.

use std::path::PathBuf;
use std::time::Duration;

use peerage_node::gateway::frontend::rest::api::{NodeStatus, StatusResponse};
use peerage_node::home::Holder;
use peerage_protocol::id::MeshId;
use peerage_protocol::membership::certificate::CertificateBody;
use peerage_protocol::time::Timestamp;

/// All that was seen.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// When.
    pub now: Timestamp,
    /// The user who asks.
    pub user: u32,
    /// The version of this program.
    pub version: &'static str,
    /// The home.
    pub home: PathBuf,
    /// The home's folder itself; `None` when there is none yet.
    pub folder: Option<FileFacts>,
    /// Every file in it.
    pub files: Vec<FileFacts>,
    /// This program's own file.
    pub program: Option<FileFacts>,
    /// Who holds the home.
    pub holder: Option<Holder>,
    /// What the node says.
    pub node: Answer,
    /// The node's key.
    pub identity: KeyFacts,
    /// The mesh's root key.
    pub root: KeyFacts,
    /// The database.
    pub database: DatabaseFacts,
    /// `peerage.toml`.
    pub settings: FileReading,
    /// Keys in it that nobody knows, each with its line.
    pub unknown_settings: Vec<String>,
    /// `mcp.json`.
    pub servers: FileReading,
    /// Variables that it needs and that are not set here.
    pub unset_variables: Vec<String>,
    /// Commands that it names and that are not there: server, command.
    pub missing_commands: Vec<(String, String)>,
    /// The bootstrap file.
    pub bootstrap: FileReading,
    /// Entries of it that are skipped, each with its line.
    pub bad_bootstrap_entries: Vec<String>,
    /// Ports that a node needs and that are taken, by whom where that is known. Not looked at while a node runs.
    pub taken_ports: Vec<TakenPort>,
    /// Addresses that were knocked at.
    pub knocks: Vec<Knock>,
    /// What agents are shown as `tools/list`, in bytes.
    pub list_bytes: Option<u64>,
    /// Free and total bytes where the home lies.
    pub disk: Option<(u64, u64)>,
    /// Other homes with the same key on which a node runs here: process, home.
    pub twins: Vec<(u32, PathBuf)>,
}

/// A file's owner and permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFacts {
    /// Where.
    pub path: PathBuf,
    /// Whose.
    pub owner: u32,
    /// Its permission bits, with set-user-id and set-group-id.
    pub mode: u32,
    /// When it was last written.
    pub modified: Timestamp,
}

/// What the node on the home says.
#[derive(Clone, Debug)]
pub enum Answer {
    /// None runs.
    NoNode,
    /// One runs, or something else answers, and does not say what it should.
    Silent(String),
    /// Its status and the members.
    Said(Box<StatusResponse>, Vec<NodeStatus>),
}

/// A key file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFacts {
    /// There is none.
    Missing,
    /// It cannot be used, and why.
    Unusable(String),
    /// It can be used; this is its public half.
    Of([u8; 32]),
}

/// The database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseFacts {
    /// There is none.
    Missing,
    /// It cannot be read, and why.
    Unreadable(String),
    /// It was read.
    Read {
        /// What SQLite says is damaged.
        complaints: Vec<String>,
        /// The mesh, and this node's certificate in it.
        membership: Option<(MeshId, Box<CertificateBody>)>,
    },
}

/// A file of the owner's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileReading {
    /// There is none, and none is needed.
    Absent,
    /// It says this much.
    Fine(String),
    /// It cannot be used: with path and line.
    Broken(String),
}

/// A port that a node needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenPort {
    /// Where.
    pub address: String,
    /// For what: `gateway` or `mesh`.
    pub purpose: &'static str,
    /// The process that has it.
    pub process: Option<(u32, String)>,
    /// What the system says.
    pub why: String,
}

/// An address that was knocked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Knock {
    /// Whose it is said to be: a member's name, or `bootstrap`.
    pub whose: Whose,
    /// A multiaddress.
    pub address: String,
    /// How long the answer took, or why there is none.
    pub outcome: Result<Duration, String>,
}

/// Whose an address is said to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// A member's, by its name.
    Member(String),
    /// It stands in the bootstrap file.
    Bootstrap,
}

#[cfg(test)]
impl Evidence {
    /// Of a node that was never started, on which nothing is wrong.
    pub fn healthy() -> Self {
        Self {
            now: Timestamp(1_000_000_000_000),
            user: 1_000,
            version: "0.1.0",
            home: PathBuf::from("/home/me/peerage"),
            folder: None,
            files: Vec::new(),
            program: None,
            holder: None,
            node: Answer::NoNode,
            identity: KeyFacts::Missing,
            root: KeyFacts::Missing,
            database: DatabaseFacts::Missing,
            settings: FileReading::Absent,
            unknown_settings: Vec::new(),
            servers: FileReading::Absent,
            unset_variables: Vec::new(),
            missing_commands: Vec::new(),
            bootstrap: FileReading::Absent,
            bad_bootstrap_entries: Vec::new(),
            taken_ports: Vec::new(),
            knocks: Vec::new(),
            list_bytes: None,
            disk: Some((50_000_000_000, 100_000_000_000)),
            twins: Vec::new(),
        }
    }

    /// A certificate that began `since` before now and ends `until` after it.
    pub fn certificate(&self, since: Duration, until: Duration) -> CertificateBody {
        CertificateBody {
            version: 1,
            mesh: mesh(),
            serial: 1,
            subject: peerage_protocol::id::NodeId::from_public_key([1; 32]),
            name: "desk".parse().expect("it is a name"),
            role: peerage_protocol::membership::certificate::Role::Member,
            not_before: self.now - since,
            expires: self.now + until,
            only: Vec::new(),
            replaces: None,
        }
    }

    /// The same with this certificate.
    pub fn member(self, certificate: CertificateBody) -> Self {
        Self {
            identity: KeyFacts::Of(*certificate.subject.public_key()),
            database: DatabaseFacts::Read {
                complaints: Vec::new(),
                membership: Some((mesh(), Box::new(certificate))),
            },
            ..self
        }
    }

    /// The same with a running node.
    pub fn running(self, change: impl FnOnce(&mut StatusResponse, &mut Vec<NodeStatus>)) -> Self {
        let mut status = crate::render::example_status();
        let mut nodes = Vec::new();
        change(&mut status, &mut nodes);
        Self {
            holder: Some(Holder::default()),
            node: Answer::Said(Box::new(status), nodes),
            ..self
        }
    }
}

#[cfg(test)]
fn mesh() -> MeshId {
    MeshId::from_public_key([9; 32])
}
