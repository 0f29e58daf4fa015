//! The log of a running node: on standard error, so that standard output stays for answers.

use peerage_node::config::choices::LogLevel;
use tracing_subscriber::EnvFilter;

/// Starts the log. Other crates are heard from `warn` on; `RUST_LOG` overrides all of it.
pub fn start(level: LogLevel, colour: bool) {
    let ours = format!("warn,peerage={level},peerage_node={level},peerage_protocol={level}");
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(ours));
    // A log that is already there, as in a test, stays.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        // It would say on standard error that standard error cannot be written, and panic where it cannot: a log on a
        // full disk ends no node.
        .log_internal_errors(false)
        .try_init();
}
