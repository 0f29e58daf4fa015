//! Keeps a child process up: starts it, greets it, follows its tools and its end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use peerage_protocol::id::ServerName;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::child::Child;
use super::connection::{Break, Connection};
use super::handshake::{greet, listen};
use super::stderr::LastWords;
use crate::config::upstream::UpstreamTransport;
use crate::gateway::backend::backoff::Backoff;
use crate::gateway::backend::desk::Outage;
use crate::gateway::backend::handshake::{HandshakeError, cause, list_offer};
use crate::gateway::backend::runner::{Ended, Link, OfferNews, Opened};
use crate::gateway::backend::timing::Timing;
use crate::gateway::backend::upstream::Offer;
use crate::gateway::call::{CallError, Era};

/// Time in which the last output of a process that ended is still read, and a process whose output ended may end.
const AFTERMATH: Duration = Duration::from_millis(300);

/// A child process and the connection to it.
#[derive(Debug)]
pub(crate) struct StdioLink {
    server: ServerName,
    transport: UpstreamTransport,
    home: PathBuf,
    timing: Timing,
    /// The era it was found to speak; asked anew after a handshake that failed.
    era: Option<Era>,
    /// The one era it is to speak, if not whichever it likes.
    only: Option<Era>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    connection: Arc<Connection>,
    last_words: LastWords,
    following: JoinHandle<()>,
}

impl StdioLink {
    /// A link to the program of a stdio `transport`, which runs in `home` unless it names a directory of its own.
    pub(crate) fn new(
        server: ServerName,
        transport: UpstreamTransport,
        home: PathBuf,
        timing: Timing,
    ) -> Self {
        Self {
            server,
            transport,
            home,
            timing,
            era: None,
            only: None,
            running: None,
        }
    }

    /// The same, but spoken with in this era alone.
    pub(crate) fn only(self, era: Era) -> Self {
        Self {
            era: Some(era),
            only: Some(era),
            ..self
        }
    }

    fn spawn(&mut self) -> Result<&mut Running, Outage> {
        let (child, streams) = Child::spawn(&self.transport, &self.home)
            .map_err(|error| Outage::new(error.to_string()))?;
        let last_words = LastWords::default();
        let following = tokio::spawn(
            last_words
                .clone()
                .follow(self.server.clone(), streams.stderr),
        );
        let connection = Connection::open(self.server.clone(), streams.stdin, streams.stdout);
        Ok(self.running.insert(Running {
            child,
            connection,
            last_words,
            following,
        }))
    }

    /// One start: the process, the handshake, the list.
    async fn start(&mut self) -> Result<Opened<Connection>, Failure> {
        let (known, probe, limit) = (self.era, self.timing.probe, self.timing.start);
        let running = self.spawn().map_err(Failure::Outage)?;
        let connection = Arc::clone(&running.connection);
        let greeting = timeout(limit, greet_and_list(&connection, known, probe));
        let greeted = tokio::select! {
            greeted = greeting => greeted,
            outage = running.ended() => return Err(Failure::Died(outage)),
        };
        let last_words = running.last_words.clone();
        let outage = |why: String| Outage {
            why,
            stderr: last_words.lines(),
        };
        match greeted {
            Ok(Ok((era, offer))) => {
                self.era = Some(era);
                Ok(Opened {
                    session: connection,
                    offer,
                })
            }
            // Its process may be about to end, and then says better why; or it lives on, but gave no answer of use.
            Ok(Err(HandshakeError::Unanswered(error))) => {
                match timeout(3 * AFTERMATH, running.ended()).await {
                    Ok(outage) => Err(Failure::Died(outage)),
                    Err(_) => Err(Failure::Outage(outage(cause(&error)))),
                }
            }
            Ok(Err(error)) => Err(Failure::Outage(outage(error.to_string()))),
            Err(_) => Err(Failure::Outage(outage(format!(
                "it did not answer the handshake within {limit:?}"
            )))),
        }
    }
}

enum Failure {
    /// The process ended during the handshake.
    Died(Outage),
    /// Anything else.
    Outage(Outage),
}

impl Link for StdioLink {
    type Session = Connection;

    const STOPS_WHEN_IDLE: bool = true;

    fn backoff(timing: &Timing) -> Backoff {
        Backoff::new(timing.restart_first, timing.restart_last)
    }

    async fn open(&mut self) -> Result<Opened<Connection>, Outage> {
        let probing = self.era.is_none();
        let mut started = self.start().await;
        if probing && matches!(started, Err(Failure::Died(_))) {
            // Some legacy servers end when they are asked anything before initialize.
            self.close("it ended when it was asked for its era").await;
            self.era = Some(Era::Legacy);
            started = self.start().await;
        }
        started.map_err(|failure| {
            self.era = self.only;
            match failure {
                Failure::Died(outage) | Failure::Outage(outage) => outage,
            }
        })
    }

    async fn serve(&mut self, session: &Arc<Connection>, news: &OfferNews) -> Ended {
        let Some(running) = &mut self.running else {
            return Ended::Failed(Outage::new("it is not running"));
        };
        tokio::select! {
            outage = running.ended() => Ended::Failed(outage),
            () = follow_lists(session, news, self.timing.coalesce) => Ended::Forgotten,
            () = listen(session) => Ended::Forgotten,
        }
    }

    async fn close(&mut self, why: &str) {
        // Taken only once it has ended: a close that is dropped half way is made good by the next.
        if let Some(running) = &mut self.running {
            running.connection.close(&CallError::UpstreamDown {
                server: self.server.to_string(),
                why: why.to_owned(),
            });
            running.child.end(self.timing.ending).await;
        }
        self.running = None;
    }
}

impl Running {
    /// Waits until the process or its output ends; says how, in the words of both.
    async fn ended(&mut self) -> Outage {
        let first = tokio::select! {
            status = self.child.exited() => First::Process(status),
            broken = self.connection.broken() => First::Output(broken),
        };
        let why = match first {
            First::Process(status) => self.read_out(status).await,
            First::Output(broken) => self.wait_out(broken).await,
        };
        // What it said last may still be in the pipe.
        if !self.following.is_finished() {
            let _ = timeout(AFTERMATH, &mut self.following).await;
        }
        Outage {
            why,
            stderr: self.last_words.lines(),
        }
    }

    /// The process has ended: what it wrote before is still read.
    async fn read_out(&self, status: String) -> String {
        let _ = timeout(AFTERMATH, self.connection.broken()).await;
        status
    }

    /// A pipe has ended: most likely the process is about to.
    async fn wait_out(&mut self, broken: Option<Break>) -> String {
        match (timeout(AFTERMATH, self.child.exited()).await, broken) {
            (Ok(status), None | Some(Break::Input(_))) => status,
            (_, Some(broken)) => broken.to_string(),
            (Err(_), None) => "it closed its standard output".to_owned(),
        }
    }
}

/// What ended first.
enum First {
    Process(String),
    Output(Option<Break>),
}

async fn greet_and_list(
    connection: &Connection,
    known: Option<Era>,
    probe: Duration,
) -> Result<(Era, Offer), HandshakeError> {
    let era = greet(connection, known, probe).await?;
    Ok((era, list_offer(connection).await?))
}

/// Lists again whenever the child says that something changed. A list that fails leaves the old one.
async fn follow_lists(connection: &Connection, news: &OfferNews, coalesce: Duration) {
    loop {
        let announced = connection.announcements().settled(coalesce).await;
        match list_offer(connection).await {
            Ok(offer) => news.offer(offer, announced).await,
            Err(error) => {
                tracing::warn!(target: "upstream", "what it offers is not listed anew: {error}")
            }
        }
    }
}
