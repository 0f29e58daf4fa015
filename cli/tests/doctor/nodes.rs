//! The doctor finds what is wrong with running nodes: their servers, their clocks, their copies, the members they miss.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::patient::Patient;

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
    let told = wait_for_finding(&patient, "identity_copied");
    let place = copy.path.canonicalize().unwrap().display().to_string();
    assert!(told["what"].as_str().unwrap().contains(&place), "{told}");
    wait_for_finding(&copy, "identity_copied");
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

/// Waits until `doctor` finds it at this home.
fn wait_for_finding(patient: &Patient, name: &str) -> Value {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let findings = patient.findings();
        if let Some(found) = findings.iter().find(|found| found["name"] == name) {
            return found.clone();
        }
        assert!(Instant::now() < deadline, "no {name} in {findings:?}");
    }
}

fn join(host: &Patient, guest: &Patient) {
    let ticket = String::from_utf8(host.run(&["invite"]).stdout).unwrap();
    let joined = guest.run(&["join", ticket.trim()]);
    assert_eq!(joined.status.code(), Some(0), "{joined:?}");
}

/// A library that makes the clock of a program run ahead, for as long as the test.
#[cfg(target_os = "linux")]
fn clock_shifter(folder: &std::path::Path) -> std::path::PathBuf {
    const SOURCE: &str = "
        #define _GNU_SOURCE
        #include <stdlib.h>
        #include <sys/syscall.h>
        #include <time.h>
        #include <unistd.h>
        int clock_gettime(clockid_t clock, struct timespec *time) {
            int failed = (int)syscall(SYS_clock_gettime, clock, time);
            const char *ahead = getenv(\"CLOCK_AHEAD_SECONDS\");
            if (!failed && clock == CLOCK_REALTIME && ahead) time->tv_sec += atol(ahead);
            return failed;
        }";
    let (source, library) = (folder.join("clock.c"), folder.join("clock.so"));
    fs::write(&source, SOURCE).unwrap();
    let made = std::process::Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .status()
        .unwrap();
    assert!(made.success());
    library
}

#[cfg(target_os = "linux")]
#[test]
fn a_clock_that_differs_from_a_members_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let library = clock_shifter(folder.path());
    let (desk, shed) = (Patient::new(), Patient::new());
    desk.start();
    let ahead = [
        ("LD_PRELOAD", library.to_str().unwrap()),
        ("CLOCK_AHEAD_SECONDS", "300"),
    ];
    shed.start_with(&ahead);
    join(&desk, &shed);
    let found = wait_for_finding(&desk, "clock_off");
    let what = found["what"].as_str().unwrap();
    assert!(what.contains("minutes ahead of this one"), "{what}");
    assert!(
        found["mend"].as_str().unwrap().contains("set the clock"),
        "{found}"
    );
}

#[test]
fn a_copy_that_runs_elsewhere_is_told_by_a_member_that_hears_both() {
    let (desk, shed, copy) = (Patient::new(), Patient::new(), Patient::new());
    desk.start();
    shed.start();
    join(&desk, &shed);
    for file in ["identity.key", "peerage.db", "peerage.db-wal"] {
        // Before the database is written back, part of it is beside it.
        if shed.path.join(file).exists() {
            fs::copy(shed.path.join(file), copy.path.join(file)).unwrap();
        }
    }
    copy.start();
    let status =
        || -> Value { serde_json::from_slice(&shed.run(&["status", "--json"]).stdout).unwrap() };
    let deadline = Instant::now() + Duration::from_secs(60);
    let told = loop {
        let told = status()["copy"].clone();
        if told.is_object() {
            break told;
        }
        assert!(
            Instant::now() < deadline,
            "the copy is heard of: {}",
            status()
        );
    };
    assert!(
        told["place"].as_str().unwrap().contains("process "),
        "{told}"
    );
    let named = status()["name"] != told["told_by"];
    assert!(named, "it is the other member that tells: {told}");
}
