//! Serves a router on sockets until told to stop, then lets calls under way finish for a while.
//!
//! Connections speak HTTP/1 and nothing else, so that one connection is one call at a time, and what they may cost
//! is bounded: how many there are, and how long they may say nothing.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures::future::join_all;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Connections that may be open at a time, over all listeners.
pub const CONNECTIONS_MAX: usize = 1_024;
/// Time for the head of a request to arrive, and so for a connection to stay idle.
const HEAD_DEADLINE: Duration = Duration::from_secs(60);
/// Rest after a failed accept: without descriptors, the next one would fail at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Time between two log lines of one kind.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// What connections may cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Connections open at a time.
    pub(super) connections: usize,
    /// Time for the head of a request to arrive.
    pub(super) head_deadline: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: CONNECTIONS_MAX,
            head_deadline: HEAD_DEADLINE,
        }
    }
}

/// Serves `router` on all of `listeners` until `shutdown`, and then for at most `grace` what is under way.
///
/// One connection more than [`CONNECTIONS_MAX`] is closed at once.
pub async fn serve(
    listeners: Vec<TcpListener>,
    router: Router,
    shutdown: CancellationToken,
    grace: Duration,
) {
    serve_within(Bounds::default(), listeners, router, shutdown, grace).await;
}

/// [`serve`] with other bounds.
pub(super) async fn serve_within(
    bounds: Bounds,
    listeners: Vec<TcpListener>,
    router: Router,
    shutdown: CancellationToken,
    grace: Duration,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(bounds.head_deadline)
        .half_close(false);
    let server = Server {
        http,
        router,
        shutdown: shutdown.clone(),
        room: Arc::new(Semaphore::new(bounds.connections)),
    };
    let listening = listeners
        .into_iter()
        .map(|listener| server.listen(listener));
    tokio::select! {
        _ = join_all(listening) => {}
        () = grace_over(&shutdown, grace) => {}
    }
}

async fn grace_over(shutdown: &CancellationToken, grace: Duration) {
    shutdown.cancelled().await;
    sleep(grace).await;
    tracing::warn!("calls under way were cut off at the end of the grace period");
}

/// What all connections share.
struct Server {
    http: http1::Builder,
    router: Router,
    shutdown: CancellationToken,
    room: Arc<Semaphore>,
}

impl Server {
    /// Accepts until shutdown, then waits for the connections. Dropping it cuts them off.
    async fn listen(&self, listener: TcpListener) {
        let mut connections = JoinSet::new();
        let mut failures = Seldom::default();
        let mut turned_away = Seldom::default();
        loop {
            let stream = tokio::select! {
                () = self.shutdown.cancelled() => break,
                // This may cut the pause after a failed accept short, when a descriptor has come free.
                Some(_) = connections.join_next() => continue,
                stream = accept(&listener, &mut failures) => stream,
            };
            match self.room.clone().try_acquire_owned() {
                Ok(permit) => {
                    connections.spawn(self.converse(stream, permit));
                }
                Err(_) if turned_away.is_due() => {
                    tracing::debug!("too many connections are open; one more was closed");
                }
                Err(_) => {}
            }
        }
        drop(listener);
        while connections.join_next().await.is_some() {}
    }

    /// Serves one connection to its end, which shutdown brings about after the request under way.
    fn converse(
        &self,
        stream: TcpStream,
        permit: OwnedSemaphorePermit,
    ) -> impl Future<Output = ()> + Send + use<> {
        send_at_once(&stream);
        let service = TowerToHyperService::new(self.router.clone());
        let connection = self
            .http
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let shutdown = self.shutdown.clone();
        async move {
            let _permit = permit;
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = shutdown.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::trace!(%error, "a connection broke");
            }
        }
    }
}

/// The next connection, however often accepting fails before. Cancel-safe.
async fn accept(listener: &TcpListener, failures: &mut Seldom) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => pause(&error, failures).await,
        }
    }
}

async fn pause(error: &io::Error, failures: &mut Seldom) {
    if failures.is_due() {
        tracing::warn!(%error, "the MCP endpoint could not accept a connection");
    }
    sleep(ACCEPT_PAUSE).await;
}

/// Without this, server-sent events wait for the client's delayed acknowledgement: some 40 ms each.
fn send_at_once(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::trace!(%error, "TCP_NODELAY could not be set");
    }
}

/// Keeps a log line that others can cause from filling the log.
#[derive(Default)]
struct Seldom {
    last: Option<Instant>,
}

impl Seldom {
    /// Whether the line may be written now; then it is not due again for [`LOG_INTERVAL`].
    fn is_due(&mut self) -> bool {
        let due = self.last.is_none_or(|last| last.elapsed() >= LOG_INTERVAL);
        if due {
            self.last = Some(Instant::now());
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn failing_accepts_pause_and_are_logged_once_a_second() {
        let begun = Instant::now();
        let mut failures = Seldom::default();
        assert!(failures.is_due());
        for _ in 0..9 {
            pause(&io::Error::other("no descriptors"), &mut failures).await;
        }
        assert_eq!(begun.elapsed().as_millis(), 9 * ACCEPT_PAUSE.as_millis());
        assert!(!failures.is_due());
        tokio::time::advance(LOG_INTERVAL).await;
        assert!(failures.is_due());
    }
}
