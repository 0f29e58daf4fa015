//! The doctor finds planted faults, each by its name and with its mend, with and without a running node.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File, Permissions};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use peerage_node::home::Home;
use peerage_node::keys;
use peerage_node::store::Store;
use peerage_protocol::id::{MeshId, NodeId};
use peerage_protocol::membership::certificate::{CertificateBody, Role};
use peerage_protocol::node_state::{Record, Write};
use peerage_protocol::signature::Signer;
use peerage_protocol::time::Timestamp;
use serde_json::Value;

const DAY: Duration = Duration::from_secs(86_400);

/// A home in a temporary folder; its node, if one was started, is stopped at the end.
struct Patient {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Patient {
    fn new() -> Self {
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

    fn home(&self) -> Home {
        Home::at(&self.path).unwrap()
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path.join(name);
        fs::write(&path, text).unwrap();
        close(&path);
        path
    }

    fn run(&self, arguments: &[&str]) -> Output {
        run(&self.path, arguments)
    }

    /// Starts a node that meets nobody.
    fn start(&self) {
        let started = self.run(&[
            "up",
            "--background",
            "--http",
            "auto",
            "--no-mdns",
            "--listen",
            "/ip4/127.0.0.1/tcp/0",
        ]);
        assert_eq!(started.status.code(), Some(0), "{started:?}");
    }

    /// What the doctor finds: names, and all it says.
    fn findings(&self) -> Vec<Value> {
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

    #[track_caller]
    fn finds(&self, name: &str, what: &str) {
        let findings = self.findings();
        let found = findings.iter().find(|finding| finding["name"] == name);
        let found = found.unwrap_or_else(|| panic!("no {name} in {findings:?}"));
        assert!(found["what"].as_str().unwrap().contains(what), "{found}");
    }

    /// Makes it a member whose certificate begins and ends at these times from now, in seconds.
    fn make_member(&self, begins: i64, ends: i64) {
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

fn run(home: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_peerage"))
        .arg("--home")
        .arg(home)
        .args(arguments)
        .env_remove("PEERAGE_TEST_UNSET")
        .output()
        .unwrap()
}

fn close(path: &Path) {
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

fn from_now(seconds: i64) -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let then = i64::try_from(now.as_secs()).unwrap() + seconds;
    Timestamp(u64::try_from(then).unwrap() * 1_000)
}

fn days(count: i64) -> i64 {
    count * i64::try_from(DAY.as_secs()).unwrap()
}

#[test]
fn a_fresh_home_and_a_fresh_node_are_healthy() {
    let patient = Patient::new();
    assert_eq!(patient.findings(), Vec::<Value>::new());
    patient.start();
    assert_eq!(patient.findings(), Vec::<Value>::new());
    let said = patient.run(&["doctor"]);
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("✓ list"), "{said}");
    assert!(said.contains("tokens"), "{said}");
}

#[test]
fn an_open_home_is_found() {
    let patient = Patient::new();
    fs::set_permissions(&patient.path, Permissions::from_mode(0o755)).unwrap();
    patient.finds("home_open", "mode 755");
}

#[test]
fn an_open_secret_is_found() {
    let patient = Patient::new();
    let secrets = patient.file("mcp.json", "{}");
    fs::set_permissions(&secrets, Permissions::from_mode(0o644)).unwrap();
    patient.finds("file_open", "mcp.json (mode 644)");
}

#[test]
fn a_damaged_key_is_found() {
    let patient = Patient::new();
    patient.file("identity.key", "short");
    patient.finds("key_unusable", "5 bytes");
}

#[test]
fn the_key_of_another_node_is_found() {
    let patient = Patient::new();
    patient.make_member(-days(1), days(13));
    fs::remove_file(patient.home().identity_key()).unwrap();
    keys::create(&patient.home().identity_key()).unwrap();
    patient.finds("key_of_another_node", "is not the key of");
}

#[test]
fn a_database_that_is_none_is_found() {
    let patient = Patient::new();
    patient.file("peerage.db", [7; 8_192]);
    patient.finds("database_unreadable", "peerage.db");
}

#[test]
fn broken_settings_are_found_with_their_line() {
    let patient = Patient::new();
    patient.file("peerage.toml", "[http]\nport = = 3\n");
    patient.finds("settings_broken", "line 2");
}

#[test]
fn a_broken_mcp_json_is_found_with_its_line() {
    let patient = Patient::new();
    patient.file("mcp.json", "{\n  \"mcpServers\": {\n    oops\n  }\n}\n");
    patient.finds("servers_broken", "line 3");
}

#[test]
fn an_unset_variable_and_a_missing_command_are_found() {
    let patient = Patient::new();
    let text = r#"{"mcpServers": {"fs": {"command": "no-such-program-anywhere",
        "env": {"A": "${PEERAGE_TEST_UNSET}", "B": "${PEERAGE_TEST_UNSET_TOO:-b}"}}}}"#;
    patient.file("mcp.json", text);
    patient.finds("variable_unset", "PEERAGE_TEST_UNSET,");
    patient.finds("command_missing", "no-such-program-anywhere");
    let unset = patient
        .findings()
        .iter()
        .filter(|found| found["name"] == "variable_unset")
        .count();
    assert_eq!(unset, 1, "a variable with a default needs no value");
}

#[test]
fn a_taken_port_is_found_with_who_has_it() {
    let patient = Patient::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    patient.file(
        "peerage.toml",
        format!("[http]\nport = {port}\naddress = \"127.0.0.1\"\n"),
    );
    patient.finds("port_taken", &format!("(process {})", std::process::id()));
    let udp = UdpSocket::bind("0.0.0.0:0").unwrap();
    let port = udp.local_addr().unwrap().port();
    patient.file(
        "peerage.toml",
        format!("[http]\nport = 0\n[mesh]\nport = {port}\n"),
    );
    patient.finds("port_taken", "which the mesh needs");
}

#[test]
fn an_expired_certificate_and_one_past_its_half_life_are_found() {
    let patient = Patient::new();
    patient.make_member(-days(15), -days(1));
    patient.finds("certificate_expired", "ended 1 day ago");
    let patient = Patient::new();
    patient.make_member(-days(10), days(4));
    patient.finds("certificate_not_renewed", "half-life");
}

#[test]
fn a_clock_that_is_off_is_found() {
    let patient = Patient::new();
    patient.make_member(3_600, days(14));
    patient.finds("clock_behind", "59 minutes");
    let patient = Patient::new();
    let file = patient.file("mcp.json", "{}");
    let later = SystemTime::now() + DAY;
    File::options()
        .append(true)
        .open(file)
        .unwrap()
        .set_modified(later)
        .unwrap();
    patient.finds("clock_behind_files", "mcp.json");
}

#[test]
fn bad_and_unreachable_bootstrap_entries_are_found() {
    let patient = Patient::new();
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let node = NodeId::from_public_key([1; 32]);
    let text = format!(
        "[regions]\nhome = [\n  \"nowhere\",\n  \"/ip4/127.0.0.1/tcp/{closed}/p2p/{node}\",\n  \"/ip4/127.0.0.1/udp/{closed}/quic-v1/p2p/{node}\",\n]\n"
    );
    patient.file("bootstrap-peers.toml", text);
    patient.finds("bootstrap_bad_entry", "line 3");
    patient.finds("bootstrap_unreachable", &format!("tcp/{closed}"));
    let silent = patient.findings();
    assert_eq!(
        silent
            .iter()
            .filter(|found| found["name"] == "bootstrap_unreachable")
            .count(),
        2
    );
    patient.file(
        "peerage.toml",
        "[http]\nport = 0\n[discovery]\nbootstrap = \"gone.toml\"\n",
    );
    patient.finds("bootstrap_broken", "gone.toml");
}

#[test]
fn a_node_that_listens_over_quic_is_reached_by_its_bootstrap_entry() {
    let there = Patient::new();
    let up = [
        "--json",
        "up",
        "--background",
        "--http",
        "auto",
        "--no-mdns",
        "--listen",
        "/ip4/127.0.0.1/udp/0/quic-v1",
    ];
    let ready: Value = serde_json::from_slice(&there.run(&up).stdout).unwrap();
    let address = ready["listen"][0].as_str().unwrap();
    let node = ready["node"].as_str().unwrap();
    let patient = Patient::new();
    patient.file(
        "bootstrap-peers.toml",
        format!("[regions]\nhome = [\"{address}/p2p/{node}\"]\n"),
    );
    assert_eq!(patient.findings(), Vec::<Value>::new());
}

#[test]
fn a_node_that_cannot_be_asked_is_found() {
    let patient = Patient::new();
    let lock = patient.home().lock().unwrap();
    patient.finds("socket_gone", &std::process::id().to_string());
    drop(lock);
}

#[test]
fn a_dead_upstream_is_found_with_its_last_words() {
    let patient = Patient::new();
    patient.file(
        "mcp.json",
        r#"{"mcpServers": {"web": {"command": "sh", "args": ["-c", "echo the very reason >&2; exit 3"]}}}"#,
    );
    patient.start();
    let deadline = Instant::now() + Duration::from_secs(30);
    // Between two attempts it is starting, not down.
    let down = loop {
        let findings = patient.findings();
        if let Some(down) = findings
            .iter()
            .find(|found| found["name"] == "upstream_down")
        {
            break down["what"].as_str().unwrap().to_owned();
        }
        assert!(Instant::now() < deadline, "the server goes down");
    };
    assert!(down.contains("the very reason"), "{down}");
}

#[test]
fn a_copied_home_is_found_while_both_run() {
    let patient = Patient::new();
    patient.start();
    let copy = Patient::new();
    fs::copy(patient.home().identity_key(), copy.home().identity_key()).unwrap();
    copy.start();
    patient.finds(
        "identity_copied",
        &copy.path.canonicalize().unwrap().display().to_string(),
    );
    copy.finds("identity_copied", "same key");
    assert_eq!(copy.run(&["down"]).status.code(), Some(0));
    assert_eq!(patient.findings(), Vec::<Value>::new());
}

#[test]
fn a_member_that_is_gone_is_told_path_by_path() {
    let (desk, shed) = (Patient::new(), Patient::new());
    desk.start();
    shed.start();
    let invited = desk.run(&["invite"]);
    let ticket = String::from_utf8(invited.stdout).unwrap();
    let joined = shed.run(&["join", ticket.trim()]);
    assert_eq!(joined.status.code(), Some(0), "{joined:?}");
    let deadline = Instant::now() + Duration::from_secs(30);
    while !desk.findings().is_empty() {
        assert!(Instant::now() < deadline, "they are linked");
    }
    assert_eq!(shed.run(&["down"]).status.code(), Some(0));
    // Where members are is written within a second of hearing it.
    let gone = loop {
        let findings = desk.findings();
        let gone = findings
            .iter()
            .find(|found| found["name"] == "member_unreachable");
        let path = |gone: &&Value| {
            gone["what"]
                .as_str()
                .unwrap()
                .contains("/ip4/127.0.0.1/tcp/")
        };
        if let Some(gone) = gone.filter(path) {
            break gone.clone();
        }
        assert!(
            Instant::now() < deadline,
            "its leaving is noticed: {findings:?}"
        );
    };
    assert_eq!(gone["severity"], "notice");
}
