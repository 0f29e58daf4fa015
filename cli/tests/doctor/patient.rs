//! A home for the doctor's tests: faults are planted in it, and the real program looks for them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use peerage_node::home::Home;
use peerage_node::keys;
use peerage_node::store::Store;
use peerage_protocol::id::{MeshId, NodeId};
use peerage_protocol::membership::certificate::{CertificateBody, Role};
use peerage_protocol::node_state::{Record, Write};
use peerage_protocol::signature::Signer;
use peerage_protocol::time::Timestamp;
use serde_json::Value;

pub const DAY: Duration = Duration::from_secs(86_400);

/// A home in a temporary folder; its node, if one was started, is stopped at the end.
pub struct Patient {
    _folder: tempfile::TempDir,
    pub path: PathBuf,
}

impl Patient {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("home");
        Home::at(&path).unwrap().prepare().unwrap();
        // So that what else runs on this machine is not found.
        fs::write(path.join("peerage.toml"), "[http]\nport = 0\n").unwrap();
        close(&path.join("peerage.toml"));
        Self {
            _folder: folder,
            path,
        }
    }

    pub fn home(&self) -> Home {
        Home::at(&self.path).unwrap()
    }

    pub fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path.join(name);
        fs::write(&path, text).unwrap();
        close(&path);
        path
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        command(&self.path, arguments).output().unwrap()
    }

    /// Starts a node that meets nobody by itself.
    pub fn start(&self) {
        self.start_with(&[]);
    }

    /// The same, with these variables.
    pub fn start_with(&self, variables: &[(&str, &str)]) {
        const ARGUMENTS: [&str; 7] = [
            "up",
            "--background",
            "--http",
            "auto",
            "--no-mdns",
            "--listen",
            "/ip4/127.0.0.1/tcp/0",
        ];
        let mut command = command(&self.path, &ARGUMENTS);
        let started = command.envs(variables.iter().copied()).output().unwrap();
        assert_eq!(started.status.code(), Some(0), "{started:?}");
    }

    /// What the doctor finds: names, and all it says.
    pub fn findings(&self) -> Vec<Value> {
        let output = self.run(&["doctor", "--json"]);
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        let examined = said["examined"].as_array().unwrap();
        let findings: Vec<Value> = examined
            .iter()
            .flat_map(|one| one["findings"].as_array().unwrap().clone())
            .collect();
        let wrong = findings
            .iter()
            .any(|finding| finding["severity"] == "wrong");
        assert_eq!(output.status.code(), Some(i32::from(wrong)), "{said}");
        assert_eq!(said["healthy"], !wrong);
        assert!(
            findings
                .iter()
                .all(|finding| !finding["mend"].as_str().unwrap().is_empty())
        );
        findings
    }

    /// Makes it a member whose certificate begins and ends at these times from now, in seconds.
    pub fn make_member(&self, begins: i64, ends: i64) {
        let home = self.home();
        let key = keys::load_or_create(&home.identity_key()).unwrap();
        let root = keys::create(&home.root_key()).unwrap();
        let mesh = MeshId::from_public_key(root.public_key());
        let body = CertificateBody {
            version: 1,
            mesh,
            serial: 1,
            subject: NodeId::from_public_key(key.public_key()),
            name: "desk".parse().unwrap(),
            role: Role::Member,
            not_before: from_now(begins),
            expires: from_now(ends),
            only: Vec::new(),
            replaces: None,
        };
        let chain = Arc::new(body.sign(&root, Vec::new()));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let store = Store::open(&home.store()).unwrap();
        let write = Write::Put(Record::Home { mesh, chain });
        runtime.block_on(store.write(vec![write])).unwrap();
    }
}

impl Drop for Patient {
    fn drop(&mut self) {
        let _ = self.run(&["down"]);
    }
}

fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_peerage"));
    command
        .arg("--home")
        .arg(home)
        .args(arguments)
        .env_remove("PEERAGE_TEST_UNSET");
    command
}

fn close(path: &Path) {
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

fn from_now(seconds: i64) -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let then = i64::try_from(now.as_secs()).unwrap() + seconds;
    Timestamp(u64::try_from(then).unwrap() * 1_000)
}

pub fn days(count: i64) -> i64 {
    count * i64::try_from(DAY.as_secs()).unwrap()
}
