//! Three nodes with an agent each: the first writes, the others read and acknowledge.

use std::cell::Cell;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures::future::{try_join, try_join_all};
use peerage_tests::{binary, cli};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::sleep;

use crate::agent::Agent;
use crate::arguments::Arguments;
use crate::figures::Subject;
use crate::servers::Server;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at whether something works by now.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The nodes' names; the first founds the mesh.
const NAMES: [&str; 3] = ["one", "two", "three"];
/// The agent at each.
const AGENT: &str = "worker";

/// A mesh that runs.
pub struct Mesh {
    /// The nodes.
    pub servers: Vec<Server>,
    /// Where each listens, and its agent's token.
    doors: Vec<(String, String)>,
    _folder: TempDir,
}

impl Mesh {
    /// Starts the nodes, and waits until the first can write to both others.
    pub async fn start(traced: bool) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let (mut servers, mut doors) = (Vec::new(), Vec::new());
        for name in NAMES {
            let home = folder.path().join(name);
            let trace = traced.then(|| folder.path().join(format!("{name}.trace")));
            let (server, address) = start_node(&home, name, trace).await?;
            servers.push(server);
            let made = cli::run(&home, &["token", "create", AGENT, "--json"]).await;
            let token = made.done().json()["token"].as_str().map(str::to_owned);
            doors.push((address, token.unwrap_or_default()));
            if name != NAMES[0] {
                let founder = folder.path().join(NAMES[0]);
                let invited = cli::run(&founder, &["invite", "--json"])
                    .await
                    .done()
                    .json();
                let ticket = invited["ticket"].as_str().unwrap_or_default();
                cli::run(&home, &["join", ticket]).await.done();
            }
        }
        let mesh = Self {
            servers,
            doors,
            _folder: folder,
        };
        for reader in 1..NAMES.len() {
            mesh.reaches(reader).await?;
        }
        // A broadcast that was to reach the one reached the other too.
        for reader in 1..NAMES.len() {
            let mut agent = mesh.agent(reader).await?;
            while take(&mut agent, &json!({"timeout_seconds": 1})).await? > 0 {}
        }
        Ok(mesh)
    }

    async fn agent(&self, node: usize) -> io::Result<Agent> {
        let (address, token) = &self.doors[node];
        Agent::connect(address, token).await
    }

    /// Waits until a direct message and a broadcast arrive there.
    async fn reaches(&self, reader: usize) -> io::Result<()> {
        let (mut writer, mut reading) = (self.agent(0).await?, self.agent(reader).await?);
        let begun = Instant::now();
        let wait = json!({"timeout_seconds": 0});
        reading.ask("message_wait", &wait).await?;
        for (tool, arguments) in [
            message(Subject::Direct, reader, "hello"),
            message(Subject::Broadcast, 0, "hello"),
        ] {
            while let Err(error) = writer.ask(tool, &arguments).await {
                if begun.elapsed() > PATIENCE {
                    return Err(error);
                }
                sleep(LOOK_AGAIN).await;
            }
            let wait = json!({"timeout_seconds": 40});
            take(&mut reading, &wait).await?;
        }
        Ok(())
    }

    /// Sends for a while; how many messages there were, once each reader has acknowledged them all.
    pub async fn send_for(&self, subject: Subject, arguments: &Arguments) -> io::Result<usize> {
        let readers = match subject {
            Subject::Broadcast => 1..NAMES.len(),
            Subject::Direct => 1..2,
        };
        // What was sent, once nothing more will be.
        let sent = Cell::new(None);
        let text = "x".repeat(arguments.bytes);
        let (tool, call) = message(subject, 1, &text);
        let until = Instant::now() + arguments.duration;
        let writing = async {
            let writers = (0..arguments.in_flight).map(async |_| {
                let mut writer = self.agent(0).await?;
                let mut count = 0;
                while Instant::now() < until {
                    writer.ask(tool, &call).await?;
                    count += 1;
                }
                Ok::<usize, io::Error>(count)
            });
            let count = try_join_all(writers).await?.into_iter().sum();
            sent.set(Some(count));
            Ok::<usize, io::Error>(count)
        };
        let reading = try_join_all(readers.map(|reader| self.read(reader, &sent)));
        let (count, _) = try_join(writing, reading).await?;
        Ok(count)
    }

    async fn read(&self, reader: usize, sent: &Cell<Option<usize>>) -> io::Result<()> {
        let mut agent = self.agent(reader).await?;
        let (mut read, mut last) = (0, Instant::now());
        while sent.get() != Some(read) {
            let taken = take(&mut agent, &json!({"timeout_seconds": 1})).await?;
            if taken > 0 {
                last = Instant::now();
            }
            read += taken;
            if last.elapsed() > PATIENCE {
                let sent = sent.get();
                return Err(io::Error::other(format!(
                    "{read} of {sent:?} messages came"
                )));
            }
        }
        Ok(())
    }

    /// Sends direct messages, each once the one before it was read.
    pub async fn one_at_a_time(&self, count: usize) -> io::Result<Vec<Duration>> {
        let (mut writer, mut reader) = (self.agent(0).await?, self.agent(1).await?);
        let (tool, call) = message(Subject::Direct, 1, "alone");
        let mut taken = Vec::new();
        for _ in 0..count {
            let begun = Instant::now();
            let reading = async {
                let wait = json!({"timeout_seconds": 40});
                let messages = reader.ask("message_wait", &wait).await?;
                Ok((begun.elapsed(), messages))
            };
            let ((delay, messages), _) = try_join(reading, writer.ask(tool, &call)).await?;
            taken.push(delay);
            acknowledge(&mut reader, &messages).await?;
        }
        Ok(taken)
    }
}

/// The tool that sends, and its arguments.
fn message(subject: Subject, to: usize, text: &str) -> (&'static str, Value) {
    match subject {
        Subject::Broadcast => ("message_broadcast", json!({"text": text})),
        Subject::Direct => {
            let to = format!("{AGENT}@{}", NAMES[to]);
            ("message_send", json!({"to": to, "text": text}))
        }
    }
}

/// Reads and acknowledges what waits; how many.
async fn take(agent: &mut Agent, wait: &Value) -> io::Result<usize> {
    let messages = agent.ask("message_wait", wait).await?;
    acknowledge(agent, &messages).await
}

async fn acknowledge(agent: &mut Agent, messages: &Value) -> io::Result<usize> {
    let messages = messages["messages"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    if !messages.is_empty() {
        let ids: Vec<&Value> = messages.iter().map(|message| &message["id"]).collect();
        agent
            .ask("message_acknowledge", &json!({"ids": ids}))
            .await?;
    }
    Ok(messages.len())
}

async fn start_node(
    home: &Path,
    name: &str,
    trace: Option<PathBuf>,
) -> io::Result<(Server, String)> {
    let home = home.to_string_lossy();
    let arguments = [
        "--home",
        &home,
        "--json",
        "up",
        "--http",
        "auto",
        "--no-mdns",
        "--name",
        name,
        "--listen",
        "/ip4/127.0.0.1/udp/0/quic-v1",
    ];
    let mut server = Server::start(binary::peerage(), &arguments, trace)?;
    let mut lines = BufReader::new(server.output()?).lines();
    let ready = lines.next_line().await?;
    let ready = ready.ok_or_else(|| io::Error::other("a node ended before it was ready"))?;
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    let ready: Value = serde_json::from_str(&ready)?;
    let address = ready["http"].as_str().unwrap_or_default();
    let address = address
        .trim_start_matches("http://")
        .trim_end_matches("/mcp");
    Ok((server, address.to_owned()))
}
