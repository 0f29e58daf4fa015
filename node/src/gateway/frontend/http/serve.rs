//! Serves a router on sockets until told to stop, then lets calls under way finish for a while.

use std::io;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Serves `router` on all of `listeners` until `shutdown`, and then for at most `grace` what is under way.
///
/// Fails when a listener does.
pub async fn serve(
    listeners: Vec<TcpListener>,
    router: Router,
    shutdown: CancellationToken,
    grace: Duration,
) -> io::Result<()> {
    let mut servers = JoinSet::new();
    for listener in listeners {
        let listener = listener.tap_io(send_at_once);
        let server = axum::serve(listener, router.clone())
            .with_graceful_shutdown(shutdown.clone().cancelled_owned());
        servers.spawn(server.into_future());
    }
    tokio::select! {
        result = drained(&mut servers) => result,
        () = grace_over(&shutdown, grace) => Ok(()),
    }
}

/// Without this, server-sent events wait for the client's delayed acknowledgement: some 40 ms each.
fn send_at_once(stream: &mut TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
}

async fn drained(servers: &mut JoinSet<io::Result<()>>) -> io::Result<()> {
    while let Some(ended) = servers.join_next().await {
        ended.map_err(io::Error::other)??;
    }
    Ok(())
}

async fn grace_over(shutdown: &CancellationToken, grace: Duration) {
    shutdown.cancelled().await;
    tokio::time::sleep(grace).await;
    tracing::warn!("calls under way were cut off at the end of the grace period");
}
