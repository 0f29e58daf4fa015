//! NATS JetStream on three servers: what is acknowledged to a publisher is synced, in one copy or in three.

use std::cell::Cell;
use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use futures::future::{try_join, try_join_all};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::arguments::Arguments;
use crate::figures::Subject;
use crate::nats::Nats;
use crate::servers::Server;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at whether something works by now.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How long a reader waits before it asks whether it has read everything.
const LULL: Duration = Duration::from_millis(20);
const SERVERS: usize = 3;

/// Three servers that run.
pub struct JetStream {
    /// The servers.
    pub servers: Vec<Server>,
    addresses: Vec<String>,
    copies: usize,
    _folder: TempDir,
}

impl JetStream {
    /// Starts the servers, and makes a stream of each kind with its readers.
    pub async fn start(program: &Path, copies: usize, traced: bool) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let ports = free_ports(2 * SERVERS)?;
        let (clients, routes) = ports.split_at(SERVERS);
        let mut servers = Vec::new();
        for number in 0..SERVERS {
            let path = folder.path().join(format!("{number}.conf"));
            std::fs::write(&path, configuration(number, clients, routes, folder.path()))?;
            let trace = traced.then(|| folder.path().join(format!("{number}.trace")));
            servers.push(Server::start(program, &[Path::new("-c"), &path], trace)?);
        }
        let addresses = clients.iter().map(|port| format!("127.0.0.1:{port}"));
        let jetstream = Self {
            servers,
            addresses: addresses.collect(),
            copies,
            _folder: folder,
        };
        for subject in Subject::ALL {
            jetstream.make_stream(subject).await?;
        }
        Ok(jetstream)
    }

    /// What it is called.
    pub fn name(&self) -> &'static str {
        match self.copies {
            1 => "JetStream, 1 copy",
            _ => "JetStream, 3 copies",
        }
    }

    async fn make_stream(&self, subject: Subject) -> io::Result<()> {
        let stream = stream(subject);
        let made = json!({
            "name": stream, "subjects": [stream], "storage": "file", "num_replicas": self.copies,
        });
        self.ask_until_made(&format!("$JS.API.STREAM.CREATE.{stream}"), &made)
            .await?;
        for reader in readers(subject) {
            let name = format!("{stream}_{reader}");
            let config = json!({
                "durable_name": name, "deliver_subject": delivery(subject, reader), "ack_policy": "explicit",
                "num_replicas": 1, "filter_subject": stream, "max_ack_pending": 10_000,
            });
            let made = json!({"stream_name": stream, "config": config});
            let subject = format!("$JS.API.CONSUMER.DURABLE.CREATE.{stream}.{name}");
            self.ask_until_made(&subject, &made).await?;
        }
        Ok(())
    }

    /// The servers elect a leader first, and refuse until then.
    async fn ask_until_made(&self, subject: &str, body: &Value) -> io::Result<()> {
        let begun = Instant::now();
        loop {
            let asked = async {
                let mut connection = Nats::connect(&self.addresses[0]).await?;
                connection.ask(subject, body).await
            };
            let answer = timeout(Duration::from_secs(5), asked).await;
            match answer {
                Ok(Ok(answer)) if answer.get("config").is_some() => return Ok(()),
                other if begun.elapsed() > PATIENCE => {
                    return Err(io::Error::other(format!("{subject}: {other:?}")));
                }
                _ => sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// Publishes for a while; how many messages there were, once each reader has acknowledged them all.
    pub async fn send_for(&self, subject: Subject, arguments: &Arguments) -> io::Result<usize> {
        let sent = Cell::new(None);
        let writing = async {
            let count = self.publish_for(subject, arguments).await?;
            sent.set(Some(count));
            Ok(count)
        };
        let reading = readers(subject).map(|reader| self.read(subject, reader, &sent));
        let (count, _) = try_join(writing, try_join_all(reading)).await?;
        Ok(count)
    }

    /// Each acknowledgement makes room for the next message.
    async fn publish_for(&self, subject: Subject, arguments: &Arguments) -> io::Result<usize> {
        let mut connection = Nats::connect(&self.addresses[0]).await?;
        connection.subscribe("_INBOX.publisher");
        let payload = vec![b'x'; arguments.bytes];
        let until = Instant::now() + arguments.duration;
        let (mut sent, mut taken) = (0, 0);
        while taken < sent || sent == 0 {
            while sent < taken + arguments.in_flight && Instant::now() < until {
                connection.publish(stream(subject), "_INBOX.publisher", &payload);
                sent += 1;
            }
            let told = connection.next().await?;
            let answer: Value = serde_json::from_slice(&told.payload).unwrap_or_default();
            if answer.get("seq").is_none() {
                return Err(io::Error::other(format!("not taken: {answer}")));
            }
            taken += 1;
        }
        Ok(sent)
    }

    async fn read(
        &self,
        subject: Subject,
        reader: usize,
        sent: &Cell<Option<usize>>,
    ) -> io::Result<()> {
        let mut connection = Nats::connect(&self.addresses[reader]).await?;
        connection.subscribe(&delivery(subject, reader));
        connection.flush().await?;
        let (mut read, mut last) = (0, Instant::now());
        while sent.get() != Some(read) {
            if let Ok(told) = timeout(LULL, connection.next()).await {
                acknowledge(&mut connection, told?.reply);
                (read, last) = (read + 1, Instant::now());
            } else if last.elapsed() > PATIENCE {
                let sent = sent.get();
                return Err(io::Error::other(format!(
                    "{read} of {sent:?} messages came"
                )));
            }
        }
        connection.flush().await
    }

    /// Publishes direct messages, each once the one before it was read.
    pub async fn one_at_a_time(&self, count: usize) -> io::Result<Vec<Duration>> {
        let subject = Subject::Direct;
        let mut reader = Nats::connect(&self.addresses[1]).await?;
        reader.subscribe(&delivery(subject, 1));
        reader.flush().await?;
        let mut writer = Nats::connect(&self.addresses[0]).await?;
        writer.subscribe("_INBOX.publisher");
        let mut taken = Vec::new();
        for _ in 0..count {
            let begun = Instant::now();
            writer.publish(stream(subject), "_INBOX.publisher", b"alone");
            writer.flush().await?;
            let reading = async {
                let told = reader.next().await?;
                Ok((begun.elapsed(), told))
            };
            let ((delay, told), _) = try_join(reading, writer.next()).await?;
            taken.push(delay);
            acknowledge(&mut reader, told.reply);
            reader.flush().await?;
        }
        Ok(taken)
    }
}

fn acknowledge(connection: &mut Nats, reply: Option<String>) {
    if let Some(reply) = reply {
        connection.publish(&reply, "", b"");
    }
}

fn stream(subject: Subject) -> &'static str {
    match subject {
        Subject::Broadcast => "broadcast",
        Subject::Direct => "direct",
    }
}

/// The servers at which somebody reads.
fn readers(subject: Subject) -> std::ops::Range<usize> {
    match subject {
        Subject::Broadcast => 1..SERVERS,
        Subject::Direct => 1..2,
    }
}

fn delivery(subject: Subject, reader: usize) -> String {
    format!("deliver.{}.{reader}", stream(subject))
}

fn configuration(number: usize, clients: &[u16], routes: &[u16], folder: &Path) -> String {
    let store = folder.join(format!("{number}.store"));
    let others = routes.iter().map(|port| format!("nats://127.0.0.1:{port}"));
    let others: Vec<String> = others.collect();
    let others = others.join(", ");
    format!(
        "server_name: server{number}\nlisten: 127.0.0.1:{}\n\
         jetstream {{ store_dir: \"{}\", sync_interval: always }}\n\
         cluster {{ name: bench, listen: 127.0.0.1:{}, routes: [ {others} ] }}\n",
        clients[number],
        store.display(),
        routes[number],
    )
}

/// Ports that were free a moment ago: a server must know those of the others before it starts.
fn free_ports(count: usize) -> io::Result<Vec<u16>> {
    let listeners: io::Result<Vec<TcpListener>> = (0..count)
        .map(|_| TcpListener::bind("127.0.0.1:0"))
        .collect();
    let listeners = listeners?;
    let ports = listeners.iter();
    ports.map(|one| Ok(one.local_addr()?.port())).collect()
}
