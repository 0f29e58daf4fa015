//! The demonstration as its user runs it: it tells the whole story, and leaves nothing behind however it ends.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(30);

fn demo(temporary: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_peerage"));
    command
        .args(["demo", "--json"])
        .env("TMPDIR", temporary)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

fn moments(output: &[u8]) -> Vec<Value> {
    let lines = std::str::from_utf8(output).unwrap().lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn it_tells_the_whole_story_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let output = demo(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let moments = moments(&output.stdout);
    let steps: Vec<&str> = moments
        .iter()
        .filter_map(|moment| moment["step"].as_str())
        .filter(|step| *step != "start")
        .collect();
    assert_eq!(
        steps,
        [
            "started", "serve", "invite", "join", "join", "find", "discover", "call", "read",
            "median", "lost", "refused", "return", "kept"
        ]
    );
    let of = |step: &str| {
        moments
            .iter()
            .find(|moment| moment["step"] == step)
            .unwrap()
    };
    assert_eq!(
        of("read")["text"],
        of("kept")["text"],
        "the note outlives the crash"
    );
    assert_eq!(moments.last().unwrap()["event"], "done");
    assert!(is_empty(folder.path()), "a folder is left behind");
}

/// The demonstration, run until its three nodes answer, and where they do.
fn begun(temporary: &Path) -> (Child, Vec<String>) {
    let mut child = demo(temporary).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut endpoints = Vec::new();
    while endpoints.len() < 3 {
        let moment: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let text = moment["text"].as_str().unwrap_or_default();
        if let Some((_, url)) = text.split_once("http://") {
            endpoints.push(url.trim_end_matches("/mcp").to_owned());
        }
    }
    // Whoever reads no further is no reason to stop playing.
    std::thread::spawn(move || lines.for_each(drop));
    (child, endpoints)
}

fn send(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(child.id().cast_signed()).unwrap();
    kill_process(pid, signal).unwrap();
}

fn wait_until_nobody_answers(endpoints: &[String]) {
    let deadline = Instant::now() + PATIENCE;
    while endpoints
        .iter()
        .any(|endpoint| TcpStream::connect(endpoint).is_ok())
    {
        assert!(
            Instant::now() < deadline,
            "a node outlives the demonstration"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn interrupted_it_stops_its_nodes_and_removes_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, endpoints) = begun(folder.path());
    send(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(is_empty(folder.path()), "a folder is left behind");
    wait_until_nobody_answers(&endpoints);
}

#[test]
fn killed_it_takes_its_nodes_along() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, endpoints) = begun(folder.path());
    send(&child, Signal::KILL);
    child.wait().unwrap();
    wait_until_nobody_answers(&endpoints);
}
