//! How long the supervision of upstreams waits: one place, so that tests can hurry it.

use std::time::Duration;

/// The waits of one upstream's life.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// For the answer to the first `server/discover`, before `initialize` is tried as well.
    pub(crate) probe: Duration,
    /// From the start of an upstream to the end of its handshake and list; `npx` may download first.
    pub(crate) start: Duration,
    /// Without a call, before a child process is stopped.
    pub(crate) idle: Duration,
    /// Of uptime, after which the back-off begins anew.
    pub(crate) steady: Duration,
    /// Before the first restart of a child process.
    pub(crate) restart_first: Duration,
    /// Between later restarts of a child process, at most.
    pub(crate) restart_last: Duration,
    /// Before the first new attempt to reach an HTTP server.
    pub(crate) reconnect_first: Duration,
    /// Between later attempts to reach an HTTP server, at most.
    pub(crate) reconnect_last: Duration,
    /// Between two lists of an HTTP server that announces no changes.
    pub(crate) relist: Duration,
    /// For the answer of an HTTP server to a request of our own.
    pub(crate) reach: Duration,
    /// Before a server that did not speak an era is asked again whether it does.
    pub(crate) verdict: Duration,
    /// After a change of the list is announced, so that a burst of them costs one list.
    pub(crate) coalesce: Duration,
    /// For each of the three steps that end a child: standard input closed, SIGTERM, SIGKILL.
    pub(crate) ending: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            probe: Duration::from_millis(2_500),
            start: Duration::from_secs(60),
            idle: Duration::from_secs(30 * 60),
            steady: Duration::from_secs(60),
            restart_first: Duration::from_millis(500),
            restart_last: Duration::from_secs(60),
            reconnect_first: Duration::from_millis(500),
            reconnect_last: Duration::from_secs(30),
            relist: Duration::from_secs(60),
            reach: Duration::from_secs(10),
            verdict: Duration::from_secs(60 * 60),
            coalesce: Duration::from_millis(100),
            ending: Duration::from_millis(800),
        }
    }
}
