//! What is measured: the mesh, and JetStream with one copy of each message and with three.

use std::io;
use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::cost::Cost;
use crate::figures::{Run, Subject};
use crate::jetstream::JetStream;
use crate::mesh::Mesh;
use crate::servers::Server;

/// One of them, running.
pub enum System {
    /// Three nodes.
    Mesh(Mesh),
    /// Three servers.
    JetStream(JetStream),
}

impl System {
    /// All of them; with `traced`, their syncs are counted.
    pub async fn all(arguments: &Arguments, traced: bool) -> io::Result<Vec<Self>> {
        let mut all = vec![Self::Mesh(Mesh::start(traced).await?)];
        if let Some(nats) = &arguments.nats {
            for copies in [3, 1] {
                all.push(Self::JetStream(
                    JetStream::start(nats, copies, traced).await?,
                ));
            }
        }
        Ok(all)
    }

    /// What it is called.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Mesh(_) => "peerage",
            Self::JetStream(jetstream) => jetstream.name(),
        }
    }

    fn servers(&self) -> &[Server] {
        match self {
            Self::Mesh(mesh) => &mesh.servers,
            Self::JetStream(jetstream) => &jetstream.servers,
        }
    }

    /// Sends for a while, and waits until all of it is read and acknowledged.
    pub async fn measure(&mut self, subject: Subject, arguments: &Arguments) -> io::Result<Run> {
        let before = Cost::of(self.servers());
        let begun = Instant::now();
        let messages = match self {
            Self::Mesh(mesh) => mesh.send_for(subject, arguments).await?,
            Self::JetStream(jetstream) => jetstream.send_for(subject, arguments).await?,
        };
        Ok(Run {
            messages,
            elapsed: begun.elapsed(),
            cost: Cost::of(self.servers()).since(before),
        })
    }

    /// Sends direct messages, each once the one before it was read; how long each took to be read.
    pub async fn one_at_a_time(&mut self, count: usize) -> io::Result<Vec<Duration>> {
        match self {
            Self::Mesh(mesh) => mesh.one_at_a_time(count).await,
            Self::JetStream(jetstream) => jetstream.one_at_a_time(count).await,
        }
    }

    /// Ends its processes.
    pub async fn stop(self) -> io::Result<()> {
        let servers = match self {
            Self::Mesh(mesh) => mesh.servers,
            Self::JetStream(jetstream) => jetstream.servers,
        };
        for server in servers {
            server.stop().await?;
        }
        Ok(())
    }
}
