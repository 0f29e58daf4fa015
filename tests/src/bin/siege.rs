//! `siege`: one node and its members on one core, attackers on the other, and what the node's work for them costs.
//!
//! Each kind of attack is run twice: against the node, and (control) against a port on which nobody listens. Beside it
//! a member calls a tool of the node, and another member that was away comes back to it. Linux only, needs `taskset`.
//!
//! ```text
//! cargo build -p peerage -p peerage-tests
//! PEERAGE_BIN=target/debug/peerage target/debug/siege [SECONDS [ATTACK…]]
//! ```

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use peerage_protocol::id::NodeId;
use peerage_tests::inside::{Inside, Transport};
use peerage_tests::mesh::{join, named, ticket, wait_tool};
use peerage_tests::node::Peerage;
use peerage_tests::process::{open_files, processor_time, resident_kib};
use peerage_tests::raw_client::RawClient;
use peerage_tests::siege::{Attack, Target};
use peerage_tests::wait::wait_until;
use serde_json::json;

/// The core of the node, its members and their clients.
const INSIDE: &str = "0";
/// The core of the attackers.
const OUTSIDE: &str = "1";
/// How long each attack goes on unless said otherwise.
const SECONDS: u64 = 10;
/// Longer than anything else needs.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = || tokio::runtime::Runtime::new().expect("a runtime");
    if let Some(("attack", rest)) = arguments
        .split_first()
        .map(|(one, rest)| (one.as_str(), rest))
    {
        return runtime().block_on(attack(rest));
    }
    pin(INSIDE);
    let seconds = arguments
        .first()
        .map_or(SECONDS, |text| text.parse().expect("seconds"));
    let asked: Vec<Attack> = arguments
        .iter()
        .skip(1)
        .map(|name| name.parse().expect("an attack"))
        .collect();
    let attacks = if asked.is_empty() {
        Attack::ALL.to_vec()
    } else {
        asked
    };
    runtime().block_on(besiege(Duration::from_secs(seconds), &attacks));
}

/// Puts this process, and those that it starts, on one core.
fn pin(core: &str) {
    let own = std::process::id().to_string();
    let pinned = Command::new("taskset")
        .args(["-a", "-p", "-c", core, &own])
        .stdout(Stdio::null())
        .status();
    assert!(
        pinned.is_ok_and(|status| status.success()),
        "taskset is there and may pin"
    );
}

/// `siege attack KIND TCP QUIC NODE TICKET SECONDS`: what the attackers' process does.
async fn attack(arguments: &[String]) {
    let [kind, tcp, quic, node, ticket, seconds] = arguments else {
        panic!("siege attack KIND TCP QUIC NODE TICKET SECONDS");
    };
    let kind: Attack = kind.parse().expect("a kind");
    let lasts = Duration::from_secs(seconds.parse().expect("seconds"));
    let mut target = Target {
        tcp: tcp.parse().expect("an address"),
        quic: quic.parse().expect("an address"),
        node: node.parse().expect("a node"),
        ticket: Some(ticket.clone()),
    };
    // Where there is nothing to join, the member floods a node beside itself.
    let own = match (kind, ticket.as_str()) {
        (Attack::Member, "-") => Some(Inside::founder(50, Transport::Quic).await),
        _ => None,
    };
    if let Some(own) = &own {
        let invited = own.invite(PATIENCE * 10, 1).await;
        target.ticket = Some(invited.to_text());
        target.node = own.id();
    }
    println!("{}", kind.run(&target, Instant::now() + lasts).await);
}

/// The node under siege, a member that calls it, and one that comes and goes.
struct Scene {
    folder: tempfile::TempDir,
    node: Peerage,
    caller: Peerage,
    tool: String,
    away: Vec<String>,
}

/// What was seen in one run.
struct Seen {
    attempts: String,
    processor: Duration,
    lasted: Duration,
    calls: Vec<Duration>,
    failed: usize,
    back: Duration,
    resident_kib: (u64, u64),
    files: (usize, usize),
}

async fn besiege(lasts: Duration, attacks: &[Attack]) {
    println!(
        "{:<16}{:>10}{:>10}{:>9}{:>9}{:>9}{:>9}{:>9}{:>7}{:>12}{:>10}",
        "attack",
        "against",
        "attempts",
        "CPU %",
        "strange%",
        "p50 ms",
        "p99 ms",
        "back ms",
        "failed",
        "RSS MiB",
        "files"
    );
    for kind in attacks {
        let scene = Scene::set().await;
        let control = scene.run(*kind, false, lasts).await;
        let seen = scene.run(*kind, true, lasts).await;
        let share = |seen: &Seen| 100.0 * seen.processor.as_secs_f64() / seen.lasted.as_secs_f64();
        print(*kind, "nobody", &control, share(&control), None);
        print(
            *kind,
            "node",
            &seen,
            share(&seen),
            Some(share(&seen) - share(&control)),
        );
        scene.tell_door().await;
    }
}

fn print(kind: Attack, against: &str, seen: &Seen, share: f64, strange: Option<f64>) {
    let at = |share: f64| {
        let last = seen.calls.len().saturating_sub(1);
        let index = (share * last as f64).round() as usize;
        seen.calls
            .get(index)
            .map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    };
    println!(
        "{:<16}{against:>10}{:>10}{share:>9.1}{:>9}{:>9.2}{:>9.2}{:>9}{:>7}{:>12}{:>10}",
        kind.name(),
        seen.attempts,
        strange.map_or_else(|| "-".to_owned(), |strange| format!("{strange:.1}")),
        at(0.5),
        at(0.99),
        seen.back.as_millis(),
        seen.failed,
        format!(
            "{}→{}",
            seen.resident_kib.0 / 1024,
            seen.resident_kib.1 / 1024
        ),
        format!("{}→{}", seen.files.0, seen.files.1),
    );
}

impl Scene {
    async fn set() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let node = named(folder.path(), "node").await;
        let caller = named(folder.path(), "caller").await;
        let toy = std::env::current_exe()
            .expect("its own path")
            .with_file_name("toy-server");
        let toy = toy.to_str().expect("a path of text");
        node.cli(&["serve", "toy", "--share", "--", toy])
            .await
            .done();
        join(&node, &caller).await;
        let away = named(folder.path(), "away").await;
        join(&node, &away).await;
        let listen = away.ready().listen.clone();
        away.stop().await;
        let tool = wait_tool(&caller, "node__toy__read_file").await;
        Self {
            folder,
            node,
            caller,
            tool,
            away: listen,
        }
    }

    /// One attack, against the node or against a port on which nobody listens.
    async fn run(&self, kind: Attack, against_node: bool, lasts: Duration) -> Seen {
        let pid = self.node.pid();
        let (resident, files, processor) =
            (resident_kib(pid), open_files(pid), processor_time(pid));
        let began = Instant::now();
        let attackers = self.attackers(kind, against_node, lasts).await;
        let (calls, back) = tokio::join!(self.calls(began + lasts), self.comes_back());
        let lasted = began.elapsed();
        let processor = processor_time(pid) - processor;
        let said = attackers
            .wait_with_output()
            .await
            .expect("the attackers end");
        let (mut calls, failed) = calls;
        calls.sort();
        Seen {
            attempts: String::from_utf8_lossy(&said.stdout).trim().to_owned(),
            processor,
            lasted,
            calls,
            failed,
            back,
            resident_kib: (resident, resident_kib(pid)),
            files: (files, open_files(pid)),
        }
    }

    async fn attackers(
        &self,
        kind: Attack,
        against_node: bool,
        lasts: Duration,
    ) -> tokio::process::Child {
        let own = std::env::current_exe().expect("its own path");
        let closed = closed_port();
        let (tcp, quic) = match against_node {
            true => (listening(&self.node, "tcp"), listening(&self.node, "udp")),
            false => (closed, closed),
        };
        let ticket = match (kind, against_node) {
            (Attack::Member, true) => ticket(&self.node).await,
            _ => "-".to_owned(),
        };
        let node: NodeId = self.node.ready().node.parse().expect("a node's id");
        tokio::process::Command::new("taskset")
            .args(["-c", OUTSIDE])
            .arg(own)
            .args([
                "attack",
                kind.name(),
                &tcp.to_string(),
                &quic.to_string(),
                &node.to_string(),
                &ticket,
            ])
            .arg(lasts.as_secs().to_string())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the attackers start")
    }

    /// Calls one after the other until `end`; how long each took, and how many failed.
    async fn calls(&self, end: Instant) -> (Vec<Duration>, usize) {
        let client = RawClient::connect(&self.caller, json!({})).await;
        let file = self.folder.path().join("file.txt");
        std::fs::write(&file, "a line").expect("a file");
        let arguments = json!({"path": file});
        let (mut took, mut failed) = (Vec::new(), 0);
        while Instant::now() < end {
            let began = Instant::now();
            let (_, mut messages) = client.begin(&self.tool, &arguments).await;
            match messages.text().await.as_str() {
                "a line" => took.push(began.elapsed()),
                _ => failed += 1,
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        (took, failed)
    }

    /// How long a member that was away needs for its link, once it runs.
    async fn comes_back(&self) -> Duration {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let home = self.folder.path().join("away");
        let away = Peerage::up_at(&home, &self.away, &[]).await;
        let began = Instant::now();
        let node = &self.node.ready().node;
        let linked = wait_until("the member is back", PATIENCE, async || {
            let nodes = away.cli(&["nodes", "--json"]).await.done().json();
            let mut nodes = nodes.as_array()?.iter();
            nodes
                .any(|entry| entry["node"] == node.as_str() && entry["state"] == "connected")
                .then(|| began.elapsed())
        });
        let linked = linked.await;
        away.stop().await;
        linked
    }

    async fn tell_door(&self) {
        let status = self.node.cli(&["status", "--json"]).await.done().json();
        println!("{:<16}{:>10} {}", "", "door", status["door"]);
    }
}

/// A port on which nobody listens, over TCP or UDP.
fn closed_port() -> SocketAddr {
    let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    holder.local_addr().expect("it is bound")
}

fn listening(node: &Peerage, protocol: &str) -> SocketAddr {
    let mut addresses = node.ready().listen.iter();
    let address = addresses.find_map(|address| {
        let parts: Vec<&str> = address.split('/').collect();
        let [_, _, ip, own, port, ..] = parts[..] else {
            return None;
        };
        (own == protocol)
            .then(|| format!("{ip}:{port}").parse().ok())
            .flatten()
    });
    address.expect("it listens over both")
}
