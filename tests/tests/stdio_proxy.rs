//! `peerage mcp`: a client of standard input and output has what a client of the endpoint has, also across a restart.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use peerage_tests::cli;
use peerage_tests::node::Peerage;
use peerage_tests::wait::wait_until;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::timeout;

const TOY: &str = env!("CARGO_BIN_EXE_toy-server");
/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

struct Proxy {
    child: Child,
    to: Option<ChildStdin>,
    from: Lines<BufReader<ChildStdout>>,
}

impl Proxy {
    fn start(home: &Path, arguments: &[&str]) -> Self {
        let mut command = cli::command(home, &["mcp"]);
        command.args(arguments).env_remove("MCP_ENDPOINT");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let to = child.stdin.take();
        let from = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, to, from }
    }

    async fn send(&mut self, message: &Value) {
        let line = format!("{message}\n");
        self.to
            .as_mut()
            .unwrap()
            .write_all(line.as_bytes())
            .await
            .unwrap();
    }

    async fn next(&mut self) -> Value {
        let line = timeout(PATIENCE, self.from.next_line())
            .await
            .expect("a message comes in time");
        serde_json::from_str(&line.unwrap().expect("the proxy still runs")).unwrap()
    }

    /// The next answer, notifications passed over.
    async fn answer(&mut self) -> Value {
        loop {
            let message = self.next().await;
            if message.get("id").is_some() {
                return message;
            }
        }
    }

    async fn ask(&mut self, id: Value, method: &str, params: Value) -> Value {
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
            .await;
        let answer = self.answer().await;
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    async fn open(&mut self) -> Value {
        let params = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "A Test", "version": "1"}});
        let opened = self.ask(json!(0), "initialize", params).await;
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))
            .await;
        opened
    }

    /// Closes its input and waits for its end.
    async fn close(mut self) -> i32 {
        self.to = None;
        let ended = timeout(PATIENCE, self.child.wait())
            .await
            .expect("it ends with its input");
        ended.unwrap().code().unwrap()
    }
}

async fn node_with_toy(home: &Path) -> Peerage {
    let node = Peerage::up(home, &[]).await;
    node.cli(&["serve", "toy", "--", TOY]).await.done();
    peerage_tests::mesh::wait_tool(&node, "toy__wait").await;
    node
}

fn call(name: &str, arguments: Value) -> Value {
    json!({"name": name, "arguments": arguments})
}

fn modern(mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    params
}

async fn agents(node: &Peerage) -> Vec<String> {
    let tokens = node.cli(&["token", "list", "--json"]).await.done().json();
    let name = |token: &Value| token["name"].as_str().unwrap().to_owned();
    tokens.as_array().unwrap().iter().map(name).collect()
}

#[tokio::test]
async fn a_legacy_client_lists_and_calls_and_is_an_agent_by_its_own_name() {
    let folder = tempfile::tempdir().unwrap();
    let node = node_with_toy(folder.path()).await;
    let mut proxy = Proxy::start(folder.path(), &["--no-start"]);
    let opened = proxy.open().await;
    assert_eq!(opened["result"]["protocolVersion"], "2025-06-18");
    let listed = proxy.ask(json!("list"), "tools/list", json!({})).await;
    assert!(listed.to_string().contains("toy__fail"), "{listed}");
    let failed = proxy
        .ask(json!(2), "tools/call", call("toy__fail", json!({})))
        .await;
    assert_eq!(failed["result"]["isError"], true);
    assert_eq!(agents(&node).await, ["a-test"]);
    assert_eq!(proxy.close().await, 0);
}

#[tokio::test]
async fn a_modern_client_discovers_lists_and_calls_under_the_name_it_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let node = node_with_toy(folder.path()).await;
    let mut proxy = Proxy::start(folder.path(), &["--as", "modern"]);
    let found = proxy
        .ask(json!(1), "server/discover", modern(json!({})))
        .await;
    assert_eq!(found["result"]["supportedVersions"], json!(["2026-07-28"]));
    let params = modern(call("toy__fail", json!({})));
    let failed = proxy.ask(json!("two"), "tools/call", params).await;
    assert_eq!(failed["result"]["resultType"], "complete");
    assert_eq!(agents(&node).await, ["modern"]);
    assert_eq!(proxy.close().await, 0);
}

#[tokio::test]
async fn two_proxies_of_one_agent_share_its_token() {
    let folder = tempfile::tempdir().unwrap();
    let node = node_with_toy(folder.path()).await;
    let mut both = [(); 2].map(|()| Proxy::start(folder.path(), &["--as", "twin"]));
    for proxy in &mut both {
        proxy.open().await;
    }
    for proxy in &mut both {
        let listed = proxy.ask(json!(1), "tools/list", json!({})).await;
        assert!(listed.get("result").is_some(), "{listed}");
    }
    assert_eq!(agents(&node).await, ["twin"]);
}

#[tokio::test]
async fn a_call_that_the_client_cancels_is_never_answered_in_either_era() {
    let folder = tempfile::tempdir().unwrap();
    let _node = node_with_toy(folder.path()).await;
    for is_modern in [false, true] {
        let mut proxy = Proxy::start(folder.path(), &["--no-start"]);
        let era = |params| if is_modern { modern(params) } else { params };
        if !is_modern {
            proxy.open().await;
        }
        let begun = folder.path().join(format!("begun-{is_modern}"));
        let wait = call("toy__wait", json!({"seconds": 600, "begun": begun}));
        proxy
            .send(&json!({"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": era(wait)}))
            .await;
        wait_until("the call runs", PATIENCE, async || {
            begun.exists().then_some(())
        })
        .await;
        let cancelled = json!({"requestId": 5});
        proxy.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancelled})).await;
        let listed = proxy.ask(json!(6), "tools/list", era(json!({}))).await;
        assert!(listed.get("result").is_some(), "{listed}");
        assert_eq!(proxy.close().await, 0);
    }
}

#[tokio::test]
async fn a_restart_of_the_node_ends_what_was_under_way_and_loses_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let node = node_with_toy(folder.path()).await;
    let mut proxy = Proxy::start(folder.path(), &["--no-start"]);
    proxy.open().await;
    let begun = folder.path().join("begun");
    let wait = call("toy__wait", json!({"seconds": 600, "begun": begun}));
    proxy
        .send(&json!({"jsonrpc": "2.0", "id": "slow", "method": "tools/call", "params": wait}))
        .await;
    wait_until("the call runs", PATIENCE, async || {
        begun.exists().then_some(())
    })
    .await;

    node.kill().await;
    let lost = proxy.answer().await;
    assert_eq!(lost["id"], "slow");
    assert_eq!(lost["error"]["data"]["kind"], "connection_lost", "{lost}");

    proxy
        .send(&json!({"jsonrpc": "2.0", "id": "patient", "method": "tools/list"}))
        .await;
    let _node = Peerage::up(folder.path(), &[]).await;
    let listed = proxy.answer().await;
    assert_eq!(listed["id"], "patient");
    assert!(listed["result"]["tools"].is_array(), "{listed}");
    // The new session has a stream of its own, over which changes come again.
    for list in ["tools", "prompts", "resources"] {
        let changed = format!("notifications/{list}/list_changed");
        while proxy.next().await["method"] != changed {}
    }
    assert_eq!(proxy.close().await, 0);
}

#[tokio::test]
async fn without_a_node_a_request_is_answered_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let mut proxy = Proxy::start(folder.path(), &["--no-start"]);
    let refused = proxy.ask(json!(1), "initialize", json!({})).await;
    assert_eq!(refused["error"]["data"]["kind"], "away", "{refused}");
    let told = refused["error"]["message"].as_str().unwrap();
    assert!(told.contains("peerage up"), "{told}");
    assert_eq!(proxy.close().await, 0);
}

/// A home whose node meets nothing of this machine: any free port, no multicast, loopback only.
fn quiet_home() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(folder.path(), closed).unwrap();
    let settings = "[http]\naddress = \"127.0.0.1\"\nport = 0\n[mesh]\nlisten = [\"/ip4/127.0.0.1/tcp/0\"]\n[discovery]\nmdns = false\n";
    std::fs::write(folder.path().join("peerage.toml"), settings).unwrap();
    folder
}

/// Sends this signal to the node that holds the home, and waits until it is gone. Gives its process id.
async fn end_node(home: &Path, signal: Signal) -> i32 {
    let holder = std::fs::read_to_string(home.join("peerage.lock")).unwrap();
    let holder: Value = serde_json::from_str(&holder).unwrap();
    let pid = i32::try_from(holder["pid"].as_i64().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    wait_until("the node has ended", PATIENCE, async || {
        (cli::run(home, &["status"]).await.code == 4).then_some(())
    })
    .await;
    pid
}

#[tokio::test]
async fn the_node_is_started_in_the_background_and_outlives_the_client() {
    let folder = quiet_home();
    let mut proxy = Proxy::start(folder.path(), &[]);
    proxy.open().await;
    assert_eq!(proxy.close().await, 0);

    cli::run(folder.path(), &["status"]).await.done();
    end_node(folder.path(), Signal::TERM).await;
    assert!(folder.path().join("peerage.log").exists());
}

#[tokio::test]
async fn a_node_that_was_killed_is_started_again() {
    let folder = quiet_home();
    let mut proxy = Proxy::start(folder.path(), &[]);
    proxy.open().await;
    let killed = end_node(folder.path(), Signal::KILL).await;
    let listed = proxy.ask(json!(1), "tools/list", json!({})).await;
    assert!(listed["result"]["tools"].is_array(), "{listed}");
    assert_ne!(end_node(folder.path(), Signal::TERM).await, killed);
    assert_eq!(proxy.close().await, 0);
}
