//! Faults planted in a home, one at a time: the doctor finds each by its name, and says how to mend it.

use std::any::Any;
use std::fs::{self, File, Permissions};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::time::SystemTime;

use peerage_node::keys;
use peerage_protocol::id::NodeId;

use super::patient::{DAY, Patient, days};

/// What keeps a fault in place for as long as it is looked for.
type Kept = Option<Box<dyn Any>>;

/// A fault, the finding that names it, and what the finding says of it.
struct Fault {
    what: &'static str,
    plant: fn(&Patient) -> Kept,
    finding: &'static str,
    says: &'static str,
}

const fn fault(
    what: &'static str,
    finding: &'static str,
    says: &'static str,
    plant: fn(&Patient) -> Kept,
) -> Fault {
    Fault {
        what,
        plant,
        finding,
        says,
    }
}

const FAULTS: [Fault; 19] = [
    fault("an open home", "home_open", "mode 755", |patient| {
        fs::set_permissions(&patient.path, Permissions::from_mode(0o755)).unwrap();
        None
    }),
    fault(
        "an open secret",
        "file_open",
        "mcp.json (mode 644)",
        |patient| {
            let secrets = patient.file("mcp.json", "{}");
            fs::set_permissions(&secrets, Permissions::from_mode(0o644)).unwrap();
            None
        },
    ),
    fault("a damaged key", "key_unusable", "5 bytes", |patient| {
        patient.file("identity.key", "short");
        None
    }),
    fault(
        "another node's key",
        "key_of_another_node",
        "is not the key of",
        |patient| {
            patient.make_member(-days(1), days(13));
            fs::remove_file(patient.home().identity_key()).unwrap();
            keys::create(&patient.home().identity_key()).unwrap();
            None
        },
    ),
    fault(
        "a database that is none",
        "database_unreadable",
        "peerage.db",
        |patient| {
            patient.file("peerage.db", [7; 8_192]);
            None
        },
    ),
    fault("broken settings", "settings_broken", "line 2", |patient| {
        patient.file("peerage.toml", "[http]\nport = = 3\n");
        None
    }),
    fault("a broken mcp.json", "servers_broken", "line 3", |patient| {
        patient.file("mcp.json", "{\n  \"mcpServers\": {\n    oops\n  }\n}\n");
        None
    }),
    fault(
        "an unset variable",
        "variable_unset",
        "PEERAGE_TEST_UNSET,",
        |patient| {
            let variables =
                r#"{"A": "${PEERAGE_TEST_UNSET}", "B": "${PEERAGE_TEST_UNSET_TOO:-b}"}"#;
            let server =
                format!(r#"{{"mcpServers": {{"fs": {{"command": "sh", "env": {variables}}}}}}}"#);
            patient.file("mcp.json", server);
            None
        },
    ),
    fault(
        "a missing command",
        "command_missing",
        "no-such-program",
        |patient| {
            patient.file(
                "mcp.json",
                r#"{"mcpServers": {"fs": {"command": "no-such-program"}}}"#,
            );
            None
        },
    ),
    fault(
        "a taken gateway port",
        "port_taken",
        "(process ",
        |patient| {
            let taken = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = taken.local_addr().unwrap().port();
            let settings = format!("[http]\nport = {port}\naddress = \"127.0.0.1\"\n");
            patient.file("peerage.toml", settings);
            Some(Box::new(taken))
        },
    ),
    fault(
        "a taken mesh port",
        "port_taken",
        "which the mesh needs",
        |patient| {
            let taken = UdpSocket::bind("0.0.0.0:0").unwrap();
            let port = taken.local_addr().unwrap().port();
            patient.file(
                "peerage.toml",
                format!("[http]\nport = 0\n[mesh]\nport = {port}\n"),
            );
            Some(Box::new(taken))
        },
    ),
    fault(
        "an expired certificate",
        "certificate_expired",
        "ended 1 day ago",
        |patient| {
            patient.make_member(-days(15), -days(1));
            None
        },
    ),
    fault(
        "a certificate nobody renewed",
        "certificate_not_renewed",
        "half-life",
        |patient| {
            patient.make_member(-days(10), days(4));
            None
        },
    ),
    fault(
        "a clock before the certificate",
        "clock_behind",
        "59 minutes",
        |patient| {
            patient.make_member(3_600, days(14));
            None
        },
    ),
    fault(
        "a clock before the files",
        "clock_behind_files",
        "mcp.json",
        |patient| {
            let file = File::options()
                .append(true)
                .open(patient.file("mcp.json", "{}"))
                .unwrap();
            file.set_modified(SystemTime::now() + DAY).unwrap();
            None
        },
    ),
    fault(
        "a bootstrap entry that is none",
        "bootstrap_bad_entry",
        "line 2",
        |patient| {
            patient.file("bootstrap-peers.toml", "[regions]\nhome = [\"nowhere\"]\n");
            None
        },
    ),
    fault(
        "an unreachable bootstrap node",
        "bootstrap_unreachable",
        "/ip4/127.0.0.1/",
        |patient| {
            let closed = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = closed.local_addr().unwrap().port();
            let node = NodeId::from_public_key([1; 32]);
            let entry = format!("/ip4/127.0.0.1/tcp/{port}/p2p/{node}");
            patient.file(
                "bootstrap-peers.toml",
                format!("[regions]\nhome = [\"{entry}\"]\n"),
            );
            None
        },
    ),
    fault(
        "a bootstrap file that is gone",
        "bootstrap_broken",
        "gone.toml",
        |patient| {
            let settings = "[http]\nport = 0\n[discovery]\nbootstrap = \"gone.toml\"\n";
            patient.file("peerage.toml", settings);
            None
        },
    ),
    fault(
        "a node that cannot be asked",
        "socket_gone",
        "process ",
        |patient| Some(Box::new(patient.home().lock().unwrap())),
    ),
];

#[test]
fn every_planted_fault_is_named_with_its_mend() {
    for Fault {
        what,
        plant,
        finding,
        says,
    } in FAULTS
    {
        let patient = Patient::new();
        let _kept = plant(&patient);
        // Each finding is checked to have a mend where they are read.
        let findings = patient.findings();
        let found: Vec<_> = findings
            .iter()
            .filter(|found| found["name"] == finding)
            .collect();
        assert!(!found.is_empty(), "{what}: no {finding} in {findings:?}");
        let said = found
            .iter()
            .any(|found| found["what"].as_str().unwrap().contains(says));
        assert!(said, "{what}: {says:?} is not in {found:?}");
        println!("{what}: {}; {}", found[0]["what"], found[0]["mend"]);
    }
}

#[test]
fn what_is_only_near_a_fault_is_not_found() {
    let patient = Patient::new();
    patient.file(
        "mcp.json",
        r#"{"mcpServers": {"fs": {"command": "sh", "env": {"A": "${PEERAGE_TEST_UNSET:-a}"}}}}"#,
    );
    patient.make_member(-days(1), days(13));
    assert!(patient.findings().is_empty(), "{:?}", patient.findings());
}
